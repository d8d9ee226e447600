package ledger

import (
	"context"
	"errors"
)

// What stores answer.
var (
	// ErrExists is Create's definite no: the name is taken.
	ErrExists = errors.New("it exists already")
	// ErrNotExist is Read's answer for what it does not see. It proves nothing: stores may answer from an old view.
	ErrNotExist = errors.New("it does not exist")
	// ErrNotCreated is wrapped by an error of Create that certainly had and will have no effect, such as a refusal.
	// Every other error of Create leaves open whether the file is or will be there.
	ErrNotCreated = errors.New("nothing was created")
)

// Store keeps the files of one ledger. They are created whole or not at all, and never change or go away. Names are
// relative, with slashes.
type Store interface {
	// Create is create-only and atomic; missing folders are made. The errors are ErrExists and those above.
	Create(ctx context.Context, name string, b []byte) error
	// Read returns the file's bytes; ErrNotExist when it does not see it.
	Read(ctx context.Context, name string) ([]byte, error)
	// List returns the base names of the files and folders in dir ("" is the ledger itself), in any order. A folder that
	// is not there is empty. It is a hint: it may lag.
	List(ctx context.Context, dir string) ([]string, error)
}
