package artifacts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

var errPromised = errors.New("object is not in this partial clone")

// promisor brings what a partial clone has left at its remote. It lets git do it, as git itself would when it needs such
// an object, for git knows how this user signs in there. Nothing else that barge reads needs git.
type promisor struct {
	ctx    context.Context //nolint:containedctx // go-git's storage interface, which it stands behind, has none
	root   string
	remote string

	mu     sync.Mutex
	asked  map[plumbing.Hash]bool
	failed error // the remote is asked no more
}

// promisorOf is nil for a clone that is whole.
func (r *repository) promisorOf(ctx context.Context) (*promisor, error) {
	config, err := r.config()
	if err != nil {
		return nil, err
	}
	remote := config.Section("extensions").Option("partialclone")
	for _, sub := range config.Section("remote").Subsections {
		if remote == "" && isTrue(sub.Option("promisor")) {
			remote = sub.Name
		}
	}
	if remote == "" {
		return nil, nil
	}
	return &promisor{ctx: ctx, root: r.root, remote: remote, asked: map[plumbing.Hash]bool{}}, nil
}

func isTrue(value string) bool {
	switch strings.ToLower(value) {
	case "true", "yes", "on", "1":
		return true
	}
	return false
}

// bring fetches, at once, all blobs of files that a partial clone lacks.
func (r *repository) bring(files []candidate) error {
	if r.promisor == nil {
		return nil
	}
	var lacking []plumbing.Hash
	for _, f := range files {
		if f.mode.IsFile() && r.HasEncodedObject(f.hash) != nil {
			lacking = append(lacking, f.hash)
		}
	}
	defer r.Reindex()
	return r.promisor.fetch(lacking)
}

// lazily is how git itself fetches what was promised.
var lazily = []string{
	"-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
	"--recurse-submodules=no", "--filter=blob:none", "--stdin",
}

// fetch brings objects, a tree with all trees below it. What was asked for once is not asked for again.
func (p *promisor) fetch(objects []plumbing.Hash) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids bytes.Buffer
	for _, h := range objects {
		if !p.asked[h] {
			p.asked[h] = true
			fmt.Fprintln(&ids, h)
		}
	}
	if ids.Len() == 0 || p.failed != nil {
		return p.failed
	}
	args := append([]string{"-c", "gc.auto=0", "-c", "maintenance.auto=false"}, lazily...)
	cmd := exec.CommandContext(p.ctx, "git", append(args, "--", p.remote)...) //nolint:gosec // a remote that the clone has
	cmd.Dir, cmd.Stdin = p.root, &ids
	cmd.Env = append(slices.DeleteFunc(os.Environ(), namesRepository), "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if p.ctx.Err() != nil {
		return p.ctx.Err()
	}
	if err != nil {
		p.failed = fmt.Errorf("%w, and git fetch does not bring it (%s): git fetch --refetch --no-filter %s brings all there is",
			errPromised, complaint(out, err), p.remote)
	}
	return p.failed
}

// namesRepository finds what git gives to its hooks, whose repository may be another.
func namesRepository(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	switch name {
	case "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES":
		return true
	}
	return false
}

var userinfo = whenNeeded(`://[^/@\s]*@`)

// complaint is what git gave up for, without what signs in in an address.
func complaint(out []byte, err error) string {
	if errors.Is(err, exec.ErrNotFound) {
		return "there is no git on PATH"
	}
	said := err.Error()
	for line := range strings.Lines(string(out)) {
		if why, ok := strings.CutPrefix(line, "fatal: "); ok {
			said = strings.TrimSpace(why)
			break // what follows is of no more help
		}
	}
	return userinfo().ReplaceAllString(said, "://")
}
