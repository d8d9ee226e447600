package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/release"
)

// root is where the ledger of one environment stands, as a person types it: barge.hcl is not needed then.
type root struct {
	typed string
	host  string // of the workspace, with its scheme; "" in a copy
	path  string // the environment's in the workspace, or a folder of this machine with a copy

	environment string // as the ledger has it, once it is read
}

const rootForm = "https://HOST/PATH, as the environment's workspace and path have it"

// ledgerFlag is for verbs that need the ledger of one environment and nothing of barge.hcl.
func ledgerFlag() cli.Flag {
	return &cli.StringFlag{Name: "ledger", Usage: "the environment whose ledger is at `URL`, without barge.hcl: https://HOST/PATH"}
}

// copyFlag is for verbs that a copy of a ledger is enough for.
func copyFlag() cli.Flag {
	return &cli.StringFlag{Name: "ledger", Usage: "the environment whose ledger is at `URL`, without barge.hcl: https://HOST/PATH, or a folder with a copy"}
}

// rootOf reads what was typed. A folder is meant where there is no http(s).
func (h *house) rootOf(typed string) (*root, error) {
	wrong := func(format string, args ...any) (*root, error) {
		return nil, &usageError{message: "--ledger: " + fmt.Sprintf(format, args...), hint: "--ledger " + rootForm}
	}
	if rest, isFile := strings.CutPrefix(typed, "file:"); isFile {
		u, err := url.Parse(typed)
		switch {
		case err != nil:
			return wrong("%s is no URL", rest)
		case u.Host != "" && u.Host != "localhost":
			return wrong("%s is on another machine", u.Host)
		case u.Opaque != "":
			typed = u.Opaque // file:a/relative/folder
		default:
			typed = u.Path
		}
		return h.copied(typed)
	}
	if !strings.Contains(typed, "://") {
		return h.copied(typed)
	}
	u, err := url.Parse(typed)
	switch {
	case err != nil:
		return wrong("it is no URL")
	case u.User != nil:
		return wrong("it must not carry a user or a password")
	case u.RawQuery != "" || u.Fragment != "":
		return wrong("%s%s is not the address of a folder", u.Host, u.Path)
	case u.Scheme != "https" && (u.Scheme != "http" || !h.sandbox):
		return wrong("%s://%s must be https", u.Scheme, u.Host)
	case u.Host == "" || path.Clean(u.Path) == "/" || u.Path == "":
		return wrong("it must name the environment's folder")
	}
	return &root{typed: typed, host: u.Scheme + "://" + strings.ToLower(u.Host), path: path.Clean(u.Path)}, nil
}

// copied finds a ledger below a folder of this machine: the copy of an environment's folder, or of the ledger alone.
func (h *house) copied(typed string) (*root, error) {
	dir, err := h.folder(typed)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &usageError{message: "--ledger: there is no folder " + dir, hint: "--ledger " + rootForm}
	case err != nil:
		return nil, fmt.Errorf("reading the copy of a ledger: %w", err)
	case !info.IsDir():
		return nil, &usageError{message: "--ledger: " + dir + " is no folder", hint: "--ledger FOLDER with a copy of a ledger"}
	}
	if below, err := os.Stat(filepath.Join(dir, "ledger")); err == nil && below.IsDir() {
		dir = filepath.Join(dir, "ledger")
	}
	return &root{typed: typed, path: dir}, nil
}

// rooted is about, for one ledger without barge.hcl: the project is what the ledger has of it.
func (h *house) rooted(c *cli.Context, flag string) (*release.World, string, error) {
	at, err := h.rootOf(c.String("ledger"))
	if err != nil {
		return nil, "", err
	}
	if at.host == "" {
		return nil, "", &usageError{message: "--ledger " + at.typed + " is a copy: it can be read, and nothing can be done by it", hint: c.Command.HelpName + " --ledger " + rootForm}
	}
	book, err := h.rootBook(c.Context, at, c.String(flag))
	if err != nil {
		return nil, "", err
	}
	head, err := book.Head(c.Context)
	if err != nil {
		return nil, "", fmt.Errorf("reading the ledger at %s: %w", at.typed, err)
	}
	if err := at.meant(head, c.String(flag)); err != nil {
		return nil, "", err
	}
	project, err := release.Rooted(head.State, at.host, at.path)
	if err != nil {
		return nil, "", err
	}
	h.project = func() (*environments.Project, error) { return project, nil }
	world, err := h.world(c.Context)
	if err != nil {
		return nil, "", err
	}
	world.Ledger = func(string) (*ledger.Ledger, error) { return book, nil }
	return world, head.State.Genesis.Environment, nil
}

// aboutLedger is about, for what only reads a ledger: with --ledger a copy is enough, and a ledger that is not intact.
func (h *house) aboutLedger(c *cli.Context, flag string) (*release.World, string, error) {
	if c.String("ledger") == "" {
		return h.about(c, flag)
	}
	if err := positionals(c); err != nil {
		return nil, "", err
	}
	at, err := h.rootOf(c.String("ledger"))
	if err != nil {
		return nil, "", err
	}
	book := ledger.Open(ledger.NewFolder(at.path), ledger.Options{})
	if at.host != "" {
		if book, err = h.rootBook(c.Context, at, c.String(flag)); err != nil {
			return nil, "", err
		}
	}
	readable, err := first(c.Context, book)
	if err != nil {
		return nil, "", fmt.Errorf("reading the ledger at %s: %w", at.typed, err)
	}
	if err := at.meant(readable, c.String(flag)); err != nil {
		return nil, "", err
	}
	genesis := readable.State.Genesis
	genesis.Environment = cmp.Or(genesis.Environment, c.String(flag), at.typed)
	project := &environments.Project{Name: genesis.Project, Environments: []environments.Environment{{Name: genesis.Environment, Path: at.path}}}
	site := &effects.Site{Project: genesis.Project, Environment: genesis.Environment, Path: at.path}
	return &release.World{
		Project: project, NoStore: errRooted, Note: h.console.Note,
		Site:   func(string) (*effects.Site, error) { return site, nil },
		Ledger: func(string) (*ledger.Ledger, error) { return book, nil },
	}, genesis.Environment, nil
}

// first is the first entry that can be read: a number alone where none can, the zero Entry where none is.
func first(ctx context.Context, book *ledger.Ledger) (ledger.Entry, error) {
	unreadable := ledger.Entry{}
	for e, err := range book.History(ctx) {
		switch {
		case err == nil:
			return e, nil
		case errors.Is(err, ledger.ErrBroken), errors.Is(err, ledger.ErrNotExist):
			unreadable.Seq = 1
		default:
			return e, err
		}
	}
	return unreadable, nil
}

// meant makes sure that a ledger is there, and is that of the environment that was named.
func (r *root) meant(e ledger.Entry, named string) error {
	switch environment := e.State.Genesis.Environment; {
	case e.Seq == 0:
		return &hintedError{fmt.Errorf("no ledger stands at %s", r.typed), "--ledger " + rootForm + "; the ledger itself is the folder ledger below it"}
	case environment != "" && named != "" && named != environment:
		return &usageError{message: fmt.Sprintf("the ledger at %s is that of environment %s, not of %s", r.typed, environment, named), hint: "--env " + environment + ", or nothing: the ledger says which it is"}
	}
	r.environment = e.State.Genesis.Environment
	return nil
}

// hint is a hint with commands that work from here, too.
func (r *root) hint(text string) string {
	if r == nil || r.environment == "" {
		return text
	}
	return strings.ReplaceAll(text, "--env "+r.environment, "--ledger "+r.typed)
}

var errRooted = errors.New("barge.hcl, which says where it is, is not read with --ledger")

// rootBook opens the ledger at a workspace's address. From here on nothing of this house reads barge.hcl; workspaces, and
// twins too, are called by their addresses.
func (h *house) rootBook(ctx context.Context, at *root, environment string) (*ledger.Ledger, error) {
	name := strings.TrimPrefix(strings.TrimPrefix(at.host, "https://"), "http://")
	if environment == "" {
		environment = at.typed
	}
	project := &environments.Project{
		Workspaces:   []environments.Workspace{{Name: name, Host: at.host}},
		Environments: []environments.Environment{{Name: environment, Workspace: name, Path: at.path}},
	}
	h.root = at
	h.project = func() (*environments.Project, error) { return project, nil }
	h.store = func() (*artifacts.Store, error) { return nil, errRooted }
	h.twins = sync.OnceValues(h.rootTwins)
	site, err := h.site(environment)
	if err != nil {
		return nil, err
	}
	return h.ledger(ctx, site)
}

// rootTwins are the twins of the sandbox whose state is here, each called by its address.
func (h *house) rootTwins() (sandbox.Status, error) {
	known, err := sandbox.Look(h.sandboxDir())
	if err != nil {
		return known, err
	}
	var names []string
	for _, t := range known.Twins {
		names = append(names, t.Name)
	}
	if len(names) == 0 {
		return known, &hintedError{fmt.Errorf("no sandbox has its state in %s", h.sandboxDir()), "--sandbox-dir FOLDER says where it is: .barge/sandbox beside the barge.hcl that it was made for"}
	}
	up, err := sandbox.Up(context.Background(), h.upOptions(names, idleExit))
	for i, t := range up.Twins {
		up.Twins[i].Name = strings.TrimPrefix(t.URL, "http://")
	}
	return up, err
}
