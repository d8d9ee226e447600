package python

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The ways in which an installer fails that a user can mend, and what its output then says.
var (
	diskFull    = regexp.MustCompile(`(?i)no space left|errno 28|disk quota exceeded|os error 28`)
	unreachable = regexp.MustCompile(`(?i)error sending request|failed to fetch|dns error|name or service not known|` +
		`name resolution|connection (refused|reset|timed out)|failed to establish|max retries exceeded|` +
		`proxyerror|tunnel|certificate|timed out|network is unreachable|no route to host|could not connect`)
)

// pinned is a line of a requirements file that names a package.
var pinned = regexp.MustCompile(`(?m)^\w\S*==`)

// maker makes one environment.
type maker struct {
	python found
	env    Env
	dir    string
	steps  *steps
}

// installer puts a requirements file into the environment; more are its further arguments.
type installer struct {
	name    string
	create  []string // the command that makes the environment without packages
	install []string // the command that installs; arguments follow
	environ []string
}

func (m maker) bin() string { return filepath.Join(m.dir, "bin", "python") }

func (m maker) make(ctx context.Context) error {
	if _, err := os.Stat(m.dir); err == nil {
		m.steps.say("the Python environment in %s was not finished: making it anew", m.dir)
		if err := os.RemoveAll(m.dir); err != nil {
			return err
		}
	}
	files, err := os.MkdirTemp(m.env.Cache, "requirements-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(files)
	for name, content := range map[string][]byte{
		"notebooks.txt": m.env.locked.notebooks, "data.txt": m.env.locked.data, "uv.txt": m.env.locked.uv,
	} {
		if err := os.WriteFile(filepath.Join(files, name), content, 0o644); err != nil {
			return err
		}
	}
	with, err := m.installer(ctx, filepath.Join(files, "uv.txt"))
	if err != nil {
		return err
	}
	m.steps.say("the Python environment is made once, in %s", m.dir)
	count := len(pinned.FindAll(m.env.locked.notebooks, -1)) + len(pinned.FindAll(m.env.locked.data, -1))
	notebooks := slices.Concat(with.install, []string{"--require-hashes", "-r", filepath.Join(files, "notebooks.txt")})
	data := slices.Concat(with.install, []string{"--require-hashes", "--no-deps", "-r", filepath.Join(files, "data.txt")})
	err = m.steps.step(fmt.Sprintf("installing %d packages with %s", count, with.name), func() error {
		for _, command := range [][]string{with.create, notebooks, data} {
			if err := m.run(ctx, with.environ, command); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(m.dir, marker), nil, 0o644)
}

// installer chooses uv from the PATH, else uv from the package index, else pip, which takes ten times as long.
func (m maker) installer(ctx context.Context, requirements string) (installer, error) {
	settings := readSettings(ctx, m.python.Executable, m.env.Environ)
	uv, failure := lookPath(m.env.Environ, "uv"), error(nil)
	if uv == "" || m.run(ctx, m.env.Environ, []string{uv, "--version"}) != nil {
		uv = ""
		err := m.steps.step("fetching uv, which installs packages", func() error {
			uv, failure = m.bringUV(ctx, requirements)
			return ctx.Err()
		})
		if err != nil {
			return installer{}, context.Cause(ctx)
		}
	}
	if uv != "" {
		install := []string{uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", m.bin()}
		if settings.noIndex() {
			install = append(install, "--no-index")
		}
		return installer{
			name:    "uv",
			create:  []string{uv, "venv", "--no-project", "--quiet", "--python", m.python.Executable, m.dir},
			install: install,
			environ: append(settings.forUV(), "UV_PYTHON_DOWNLOADS=never"),
		}, nil
	}
	if hint := (*installError)(nil); errors.As(failure, &hint) && hint.final {
		return installer{}, failure // pip would meet the same
	}
	if !m.python.CanVenv {
		return installer{}, fmt.Errorf("%s has no venv module: install it (Debian and Ubuntu: apt install python3-venv), "+
			"or install uv (https://docs.astral.sh/uv)", m.python.Executable)
	}
	m.steps.say("there is no uv for this machine; pip takes some minutes instead")
	return installer{
		name:   "pip",
		create: []string{m.python.Executable, "-m", "venv", m.dir},
		install: []string{
			m.bin(), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check",
		},
		environ: settings.forPip(),
	}, nil
}

// bringUV installs uv beside the environments and returns its path.
func (m maker) bringUV(ctx context.Context, requirements string) (string, error) {
	dir := filepath.Join(m.env.Cache, "uv-"+m.python.Version)
	uv := filepath.Join(dir, "bin", "uv")
	if _, err := os.Stat(filepath.Join(dir, marker)); err == nil {
		return uv, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	environ := readSettings(ctx, m.python.Executable, m.env.Environ).forPip()
	pip := []string{
		m.python.Executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check",
		"--only-binary", ":all:", "--require-hashes", "-r", requirements,
	}
	if m.python.CanPip {
		pip = append(pip, "--target", dir) // one executable, for which any folder will do
	} else {
		if err := m.run(ctx, environ, []string{m.python.Executable, "-m", "venv", dir}); err != nil {
			return "", err
		}
		pip[0] = filepath.Join(dir, "bin", "python")
	}
	if err := m.run(ctx, environ, pip); err != nil {
		return "", err
	}
	return uv, os.WriteFile(filepath.Join(dir, marker), nil, 0o644)
}

func (m maker) run(ctx context.Context, environ, command []string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = environ, m.env.Cache, 5*time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	return m.explain(string(out), fmt.Errorf("%s: %w", filepath.Base(command[0]), err))
}

// installError is what an installer said when it failed.
type installError struct {
	what  string
	said  string
	cause error
	final bool // another installer would fail alike
}

func (e *installError) Error() string {
	if e.said == "" {
		return fmt.Sprintf("%s (%s)", e.what, e.cause)
	}
	return fmt.Sprintf("%s (%s); its last lines:\n%s", e.what, e.cause, e.said)
}

func (e *installError) Unwrap() error { return e.cause }

func (m maker) explain(out string, cause error) error {
	e := &installError{what: "the installer failed", said: tail(withoutPasswords(out), 12), cause: cause}
	settings := readSettings(context.Background(), m.python.Executable, m.env.Environ)
	switch {
	case diskFull.MatchString(out):
		e.what, e.final = fmt.Sprintf("the disk of %s is full: about 1.5 GB are needed", m.env.Cache), true
	case unreachable.MatchString(out):
		e.what = fmt.Sprintf("the package index at %s cannot be reached: check the network, HTTPS_PROXY, SSL_CERT_FILE "+
			"and pip's index-url", settings.indexHost())
		e.final = true
	}
	return e
}

// withoutPasswords removes what stands between :// and @ in every address.
func withoutPasswords(text string) string {
	return regexp.MustCompile(`://[^/\s@]+@`).ReplaceAllString(text, "://")
}

func hostOf(address string) string {
	if u, err := url.Parse(strings.TrimSpace(address)); err == nil && u.Host != "" {
		return u.Host
	}
	return address
}
