package effects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/bargeml/barge/internal/databricks"
)

// Record keeps a document beside the ledger under its digest, so that status and rollback need the workspace alone.
// Safe to repeat.
func (s *Site) Record(ctx context.Context, kind, digest string, document []byte) error {
	err := s.Workspace.CreateFile(ctx, s.record(kind, digest), document)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("recording %s %s: %w", kind, digest, err)
	}
	return nil
}

// Recorded reads a document that Record kept; fs.ErrNotExist when there is none.
func (s *Site) Recorded(ctx context.Context, kind, digest string) ([]byte, error) {
	b, err := s.Workspace.ReadFile(ctx, s.record(kind, digest))
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", kind, digest, err)
	}
	return b, nil
}

func (s *Site) record(kind, digest string) string {
	return path.Join(s.Path, kind, strings.TrimPrefix(digest, "sha256:")+".json")
}

// Now is the workspace's time as of its last answer; the host's where it never answered.
func (s *Site) Now() time.Time {
	if t := s.Workspace.ServerTime(); !t.IsZero() {
		return t
	}
	return time.Now().UTC().Truncate(time.Second)
}

// Principal is who calls, as people know it.
func (s *Site) Principal(ctx context.Context) (string, error) {
	me, err := s.Workspace.Me(ctx)
	if err != nil {
		return "", err
	}
	return "user:" + me.Name, nil
}

// Definite tells whether an error leaves no doubt about what the call did.
func Definite(err error) bool { return databricks.Definite(err) }

// Busy tells whether the service said that it did nothing because it is asked too much.
func Busy(err error) bool {
	var e *databricks.Error
	return errors.As(err, &e) && e.Status == http.StatusTooManyRequests
}
