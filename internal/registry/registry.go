// Package registry is where model versions live: one small interface, and the registries that answer it.
//
// A slot says which version is live for someone: a stage here (workspace registry), an alias elsewhere. Identity of
// a version is the digest of its files (Digest); its number is an address.
package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// Ready is the status of a version whose files are complete.
const Ready = "READY"

// Registry holds models and their versions. Errors wrap fs.ErrNotExist (no such model, version or holder of a
// selector), ErrNotReady, and those of the adapter below. A listing may be old.
type Registry interface {
	// Resolve finds the version that a selector names: a number, "latest" (the newest that is ready), a slot ("Staging"
	// or "@alias"), or "tag:key=value" (the newest ready one with that tag). What it returns is ready.
	Resolve(ctx context.Context, model, selector string) (Version, error)
	// Files yields the files of a version, in no order; folders are not yielded. After an error it yields no more.
	Files(ctx context.Context, v Version) iter.Seq2[File, error]
	// Holders lists the versions that stand in a slot, newest first.
	Holders(ctx context.Context, model, slot string) ([]Version, error)
	// Assign puts a version into a slot, whoever stands there. Safe to repeat.
	Assign(ctx context.Context, a Assignment) error
	// Tag sets tags of a version; others are left. Safe to repeat.
	Tag(ctx context.Context, v Version, tags map[string]string) error
	// TagModel sets tags of a model; an empty value removes one. Safe to repeat.
	TagModel(ctx context.Context, model string, tags map[string]string) error
	// ModelTags reads the tags of a model.
	ModelTags(ctx context.Context, model string) (map[string]string, error)
	// Metrics reads the last value of every metric of the run that made a version.
	Metrics(ctx context.Context, v Version) (map[string]float64, error)
	// Parameters reads the parameters of the run that made a version.
	Parameters(ctx context.Context, v Version) (map[string]string, error)
}

// Version is one version of a model as the registry told it.
type Version struct {
	Model     string            `json:"model"`
	Number    string            `json:"version"`
	RunID     string            `json:"run_id,omitempty"`
	Stage     string            `json:"stage,omitempty"` // None, Staging, Production, Archived
	Status    string            `json:"status"`          // Ready, PENDING_REGISTRATION, FAILED_REGISTRATION, …
	Message   string            `json:"message,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
	Source    string            `json:"source,omitempty"`
	CreatedAt time.Time         `json:"created_at"`
}

func (v Version) String() string { return fmt.Sprintf("version %s of model %s", v.Number, v.Model) }

// Assignment puts a version into a slot. Archive moves the versions that stand there to Archived in the same call.
type Assignment struct {
	Model, Version, Slot string
	Archive              bool
	Comment              string
}

// File is one file of a version. Path is relative, with slashes. Size is -1 when it is not told.
type File struct {
	Path string
	Size int64
	Open func(context.Context) (io.ReadCloser, error)
}

// ErrNotReady is a version that is there and cannot be used: still being registered, or its registration failed.
var ErrNotReady = errors.New("model version is not ready")
