package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/bargeml/barge/artifacts"
	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/ci"
	"github.com/bargeml/barge/internal/console"
	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/identity"
	"github.com/bargeml/barge/internal/ledger"
	"github.com/bargeml/barge/internal/sandbox"
	"github.com/bargeml/barge/internal/transport"
	"github.com/bargeml/barge/release"
)

// house is everything one call of barge needs, each part made when first asked for.
type house struct {
	in      io.Reader
	console *console.Console
	secrets *transport.Redactor
	result  *result                // what the command has to give, once it has
	step    atomic.Pointer[string] // what an interrupt would finish or undo now

	here    string // what relative folders are relative to; "": the working directory
	dir     string // of barge.hcl
	vars    map[string]string
	sandbox bool
	twinDir string // of the twins' state; "": below dir
	haste   haste
	root    *root // of the one ledger that a command is about, without barge.hcl; nil: barge.hcl is read

	project    func() (*environments.Project, error)
	found      environments.Diagnostics // what project found wrong, warnings too
	identities func() *identity.Identities
	transport  func() *transport.Transport
	store      func() (*artifacts.Store, error)
	twins      func() (sandbox.Status, error)

	mu         sync.Mutex
	workspaces map[string]*databricks.Workspace

	output   *console.Output // stdout itself; what is written there goes through out
	out, err io.WriteCloser  // which take secrets out, and must be closed
}

func newHouse(in io.Reader, out, errOut io.Writer) *house {
	h := &house{in: in, secrets: &transport.Redactor{}, workspaces: map[string]*databricks.Workspace{}, dir: "."}
	h.haste.terms = ledger.DefaultTerms
	h.console = console.New(out, errOut)
	h.output = console.NewOutput(out)
	h.out, h.err = h.secrets.Writer(h.output), h.secrets.Writer(errOut)
	h.console.Out, h.console.Err = h.out, h.err
	h.project = sync.OnceValues(h.loadProject)
	h.store = sync.OnceValues(h.openStore)
	h.twins = sync.OnceValues(h.findTwins)
	h.transport = sync.OnceValue(func() *transport.Transport {
		return transport.New(transport.Options{Redactor: h.secrets, Idle: h.haste.idle, Report: func(line string) { h.console.Note("%s", line) }})
	})
	h.identities = sync.OnceValue(func() *identity.Identities {
		return identity.New(identity.Options{Dir: h.dir, Transport: h.transport(), Redactor: h.secrets})
	})
	return h
}

func (h *house) commonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "`FORM` of the result: text or json", EnvVars: []string{"BARGE_OUTPUT"}},
		&cli.StringFlag{Name: "dir", Aliases: []string{"C"}, Value: ".", Usage: "`FOLDER` of barge.hcl"},
		&cli.StringSliceFlag{Name: "var", Usage: "set a variable of barge.hcl: `NAME=VALUE` (or BARGE_VAR_NAME)"},
		&cli.BoolFlag{Name: "sandbox", Usage: "use the twins on this machine instead of the workspaces", EnvVars: []string{"BARGE_SANDBOX"}},
		&cli.StringFlag{Name: "sandbox-dir", Usage: "`FOLDER` where the twins keep their state (default: .barge/sandbox beside barge.hcl)", EnvVars: []string{"BARGE_SANDBOX_DIR"}},
	}
}

// before reads the common flags.
func (h *house) before(c *cli.Context) error {
	switch c.String("output") {
	case "text":
	case "json":
		h.console.JSON = true
	default:
		return &usageError{message: fmt.Sprintf("-o %s: there are text and json", c.String("output"))}
	}
	var err error
	if h.dir, err = h.folder(c.String("dir")); err != nil {
		return err
	}
	if dir := c.String("sandbox-dir"); dir != "" {
		if h.twinDir, err = h.folder(dir); err != nil {
			return err
		}
	}
	h.sandbox, h.vars = c.Bool("sandbox"), map[string]string{}
	if h.haste, err = inHaste(os.Getenv("BARGE_TERMS"), os.Getenv("BARGE_HOST"), h.sandbox); err != nil {
		return err
	}
	for _, pair := range c.StringSlice("var") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return &usageError{message: fmt.Sprintf("--var %s: write NAME=VALUE", pair)}
		}
		h.vars[name] = value
	}
	return nil
}

// folder is the absolute path of a folder that was typed.
func (h *house) folder(dir string) (string, error) {
	if h.here != "" && !filepath.IsAbs(dir) {
		dir = filepath.Join(h.here, dir)
	}
	return filepath.Abs(dir)
}

func (h *house) loadProject() (*environments.Project, error) {
	project, diags := environments.Load(h.dir, environments.Options{Vars: h.vars, Sandbox: h.sandbox})
	h.found = diags
	if diags.HasErrors() {
		return nil, diags
	}
	h.diagnose(diags)
	return project, nil
}

func (h *house) openStore() (*artifacts.Store, error) {
	project, err := h.project()
	if err != nil {
		return nil, err
	}
	return artifacts.OpenStore(h.dir, project.Store)
}

// sandboxDir is where the twins of a project keep their state.
func (h *house) sandboxDir() string {
	if h.twinDir != "" {
		return h.twinDir
	}
	return filepath.Join(h.dir, ".barge", "sandbox")
}

// findTwins finds the project's sandbox, and starts one that ends when idle where none runs.
func (h *house) findTwins() (sandbox.Status, error) {
	project, err := h.project()
	if err != nil {
		return sandbox.Status{}, err
	}
	var names []string
	for _, w := range project.Workspaces {
		names = append(names, w.Name)
	}
	return sandbox.Up(context.Background(), h.upOptions(names, idleExit))
}

// workspace makes the client of a workspace; nothing is dialled.
func (h *house) workspace(name string) (*databricks.Workspace, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w := h.workspaces[name]; w != nil {
		return w, nil
	}
	o := databricks.Options{Name: name, Transport: h.transport(), Version: version}
	if err := h.address(name, &o); err != nil {
		return nil, err
	}
	w := databricks.Open(o)
	h.workspaces[name] = w
	return w, nil
}

// address says where a workspace is and how to sign in: as barge.hcl has it, or its twin.
func (h *house) address(name string, o *databricks.Options) error {
	if h.sandbox {
		twin, err := h.twin(name)
		if err != nil {
			return err
		}
		o.Host, o.Token = twin.URL, func(context.Context) (string, time.Time, error) { return h.twinToken(twin) }
		return nil
	}
	project, err := h.project()
	if err != nil {
		return err
	}
	w, diags := project.Workspace(name)
	if diags.HasErrors() {
		return diags
	}
	credential, err := h.identities().For(w.Auth)
	if err != nil {
		return fmt.Errorf("workspace %s: %w", name, err)
	}
	o.Host, o.Token = w.Host, credential.Token
	return nil
}

func (h *house) twin(name string) (sandbox.TwinStatus, error) {
	status, err := h.twins()
	if err != nil {
		return sandbox.TwinStatus{}, err
	}
	twin, ok := status.Twin(name)
	if !ok && h.root != nil {
		return twin, &hintedError{fmt.Errorf("no twin has the address %s", name), "barge sandbox status lists them"}
	}
	if !ok {
		return twin, fmt.Errorf("the sandbox has no workspace %s: barge sandbox up adds it", name)
	}
	return twin, nil
}

func (h *house) twinToken(twin sandbox.TwinStatus) (string, time.Time, error) {
	token, err := twin.Token()
	h.secrets.Add(token)
	return token, time.Time{}, err
}

// site makes the place of an environment's effects.
func (h *house) site(name string) (*effects.Site, error) {
	project, err := h.project()
	if err != nil {
		return nil, err
	}
	e := project.Environment(name)
	if e == nil {
		return nil, fmt.Errorf("there is no environment %q", name)
	}
	w, err := h.workspace(e.Workspace)
	if err != nil {
		return nil, err
	}
	return &effects.Site{
		Project: project.Name, Environment: e.Key(), Path: e.Path, Workspace: w,
		Registries: func(r string) (*effects.Registry, error) { return h.registry(r, e.Workspace) },
		Imports:    h.haste.imports,
	}, nil
}

// world is what releases act on.
//
// The store may be out of reach: a rollback at night needs only the workspace.
func (h *house) world(ctx context.Context) (*release.World, error) {
	project, err := h.project()
	if err != nil {
		return nil, err
	}
	w := &release.World{
		Project: project, Terms: h.haste.terms, Clocks: ledger.SystemClocks(), Sleep: transport.Sleep, Dead: h.haste.seenDead,
		Note: h.console.Note, Step: func(what string) { h.step.Store(&what) }, Site: remember(h.site),
		Age: func(a, b string) (artifacts.Order, error) { return artifacts.Compare(h.dir, a, b) },
	}
	if w.Store, w.NoStore = h.store(); w.NoStore != nil {
		w.Store = nil
	}
	w.Source.Repository, w.Source.Path = artifacts.Whereabouts(h.dir)
	w.Run = ci.Run(os.Getenv)
	w.Ledger = remember(func(name string) (*ledger.Ledger, error) {
		site, err := w.Site(name)
		if err != nil {
			return nil, err
		}
		return h.ledger(ctx, site)
	})
	return w, nil
}

// ledger opens the ledger of an environment as the identity that its workspace knows us by.
func (h *house) ledger(ctx context.Context, site *effects.Site) (*ledger.Ledger, error) {
	actor, err := site.Principal(ctx)
	if err != nil {
		return nil, fmt.Errorf("signing in for environment %s: %w", site.Environment, err)
	}
	return ledger.Open(ledger.NewWorkspace(site.Workspace, site.Ledger()), ledger.Options{By: h.haste.author(), Actor: actor, Now: site.Now}), nil
}

// remember makes each thing once, and several at the same time. Of two that were made of one name the first stays.
func remember[T any](make func(string) (T, error)) func(string) (T, error) {
	var made sync.Map
	return func(name string) (T, error) {
		if t, ok := made.Load(name); ok {
			return t.(T), nil //nolint:forcetypeassert // stored below
		}
		t, err := make(name)
		if err != nil {
			return t, err
		}
		first, _ := made.LoadOrStore(name, t)
		return first.(T), nil //nolint:forcetypeassert // stored above
	}
}

// committed opens the commit that a command builds or trains from, and reads the project as that commit has it. Where
// things are is still read here and now.
func (h *house) committed(ctx context.Context, c *cli.Context) (*artifacts.Commit, *environments.Project, error) {
	now, err := h.project()
	if err != nil {
		return nil, nil, err
	}
	if now.Artifact == nil {
		return nil, nil, &usageError{
			message: "barge.hcl has no artifact block: this is a deploy project",
			hint:    "its releases come from the store by name; they are built where the notebooks are",
		}
	}
	commit, err := artifacts.OpenCommit(ctx, h.dir, artifacts.CommitOptions{Ref: c.String("ref"), AllowDirty: c.Bool("allow-dirty"), HTTP: h.transport().Reading()})
	if err != nil {
		return nil, nil, committedFirst(err)
	}
	names, err := commit.Files("*.hcl")
	if err != nil {
		return nil, nil, err
	}
	files := map[string][]byte{}
	for _, name := range names {
		if files[name], err = commit.ReadFile(name); err != nil {
			return nil, nil, err
		}
	}
	project, diags := environments.LoadFiles(files, environments.Options{Vars: h.vars, Sandbox: h.sandbox, ReadFile: commit.ReadFile})
	if diags.HasErrors() {
		return nil, nil, &hintedError{
			fmt.Errorf("reading the configuration of commit %.12s: %w", commit.Hash, diags),
			fmt.Sprintf("this is how commit %.12s has it: what is mended since has to be committed", commit.Hash),
		}
	}
	return commit, project, nil
}
