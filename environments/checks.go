package environments

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// The checks of single values. Each error reads as the end of `host "…": `, and says what to write.

// hostURL wants an http(s) URL without path; plain http only for this machine.
func hostURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("is no URL of a workspace: write https://HOST")
	}
	if u.User != nil {
		return errors.New("must not carry a user or a password: how to sign in is said by auth")
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return fmt.Errorf("must be without a path: write %s://%s", u.Scheme, u.Host)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return fmt.Errorf("must be https: write https://%s", u.Host)
	}
	return nil
}

// serverURL is likewise, of a server that is no workspace.
func serverURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("is no URL of a server: write https://HOST")
	case u.User != nil:
		return errors.New("must not carry a user or a password: how to sign in is said by token")
	}
	return hostURL(s)
}

var (
	aliasName     = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	reservedAlias = regexp.MustCompile(`(?i)^(latest|v[0-9]+)$`)
	unityName     = regexp.MustCompile(`^[^./: ]+\.[^./: ]+\.[^./: ]+$`)
)

// CheckAlias says why a name, without the "@", cannot be an alias.
func CheckAlias(name string) error {
	switch {
	case !aliasName.MatchString(name):
		return errors.New("is no alias: it is made of letters, digits, _ and -")
	case reservedAlias.MatchString(name):
		return errors.New("is reserved: latest, and v with a number, mean something else to MLflow")
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// workspacePath wants a clean absolute path that is not the root.
func workspacePath(s string) error {
	switch {
	case !strings.HasPrefix(s, "/"):
		return errors.New(`must be absolute: write "/Barge/NAME"`)
	case s == "/":
		return errors.New(`must be a folder of its own: write "/Barge/NAME"`)
	case path.Clean(s) != s:
		return fmt.Errorf("is not a clean path: write %q", path.Clean(s))
	}
	return nil
}

var errRooted = errors.New("must be relative to the folder of barge.hcl")

// repositoryPath wants a clean path relative to barge.hcl; it may leave that folder.
func repositoryPath(s string) error {
	switch {
	case s == "":
		return errors.New("must not be empty")
	case strings.Contains(s, `\`):
		return errors.New("must be written with slashes")
	case strings.HasPrefix(s, "/"):
		return errRooted
	case path.Clean(s) != s:
		return fmt.Errorf("is not a clean path: write %q", path.Clean(s))
	}
	return nil
}

// notebookName wants the name of a notebook below `from`, without its extension or with it.
func notebookName(s string) error {
	if err := repositoryPath(s); errors.Is(err, errRooted) {
		return fmt.Errorf("must be relative to the folder of the notebooks: write %q", strings.TrimLeft(s, "/"))
	} else if err != nil {
		return err
	}
	if s == ".." || strings.HasPrefix(s, "../") {
		return errors.New("must not leave the folder of the notebooks")
	}
	return nil
}

func pattern(s string) error {
	if s == "" || !doublestar.ValidatePattern(s) {
		return errors.New(`is no pattern: write one such as "**/*.py"`)
	}
	return nil
}

// patternBelow wants a pattern of paths below a folder.
func patternBelow(s string) error {
	if err := pattern(s); err != nil {
		return err
	}
	if below := strings.TrimPrefix(path.Join("/", s), "/"); below != s {
		if strings.HasSuffix(s, "/") {
			below = path.Join(below, "**")
		}
		return fmt.Errorf("can match nothing: patterns are of paths below the folder: write %q", below)
	}
	return nil
}

var modelSelector = regexp.MustCompile(`^(trained|latest|[1-9][0-9]*|Staging|Production|Archived|@[A-Za-z0-9_-]+)$`)

func modelVersion(s string) error {
	if !modelSelector.MatchString(s) {
		return errors.New(`is no version: write "trained", a number, "latest", "Staging", "Production" or "@ALIAS"`)
	}
	return nil
}

var principalKinds = []string{"group", "user", "service-principal"}

func principal(s string) error {
	if kind, name, ok := strings.Cut(s, ":"); !ok || name == "" || !slices.Contains(principalKinds, kind) {
		return errors.New(`is no principal: write "group:NAME", "user:NAME" or "service-principal:NAME"`)
	}
	return nil
}

// runner is a principal as which a job can run.
func runner(s string) error {
	if err := principal(s); err != nil {
		return err
	}
	if strings.HasPrefix(s, "group:") {
		return errors.New(`is a group, and a job runs as one of them: write "user:NAME" or "service-principal:NAME"`)
	}
	return nil
}

func library(s string) error {
	kind, what, _ := strings.Cut(s, ":")
	switch {
	case what == "":
	case kind == "pypi", kind == "maven", kind == "cran":
		return nil
	case kind == "whl", kind == "requirements", kind == "jar":
		if strings.HasPrefix(what, "/") || strings.Contains(what, ":/") {
			return nil
		}
		return fmt.Errorf("is no file that the cluster finds: write its whole path in the workspace: %q", kind+":/Volumes/main/libraries/"+what)
	}
	return errors.New(`is no library: write "pypi:NAME==VERSION", "whl:PATH", "requirements:PATH", "maven:COORDINATES", "cran:NAME" or "jar:PATH"`)
}

// parameterName keeps the widgets that barge itself fills.
func parameterName(s string) error {
	if s == "" || strings.HasPrefix(s, "barge_") {
		return errors.New("is a name that barge gives: parameters must not begin with barge_")
	}
	return nil
}

var ociRepository = regexp.MustCompile(`^[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)

func storeAddress(s string) error {
	if rest, ok := strings.CutPrefix(s, "oci-layout:"); ok && rest != "" {
		return nil
	}
	if rest, ok := strings.CutPrefix(s, "oci://"); ok {
		host, repository, _ := strings.Cut(rest, "/")
		switch {
		case strings.Contains(rest, "@"):
			return errors.New(`must not carry a user or a password: write "oci://HOST/REPOSITORY"`)
		case host != "" && ociRepository.MatchString(repository):
			return nil
		case host != "" && repository != "":
			return errors.New(`names no repository: it is written in small letters and without a tag, such as "oci://HOST/ml/diabetes"`)
		}
	}
	return errors.New(`is no store: write "oci-layout:PATH" or "oci://HOST/REPOSITORY"`)
}

// quartz wants the six or seven fields of a Quartz expression; what they may hold is the platform's to say.
func quartz(s string) error {
	if n := len(strings.Fields(s)); n != 6 && n != 7 {
		return fmt.Errorf(`has %d fields, a Quartz expression has six or seven: write "0 0 2 * * ?" for two o'clock`, n)
	}
	return nil
}

// timezone asks the machine's zone database, and lets everything pass where there is none.
func timezone(s string) error {
	if s != "" && s != "Local" {
		if _, err := time.LoadLocation(s); err == nil {
			return nil
		}
		if _, err := time.LoadLocation("Europe/London"); err != nil {
			return nil
		}
	}
	return errors.New(`is no time zone: write one such as "Europe/London" or "UTC"`)
}

func formerName(s string) error {
	if !hclsyntax.ValidIdentifier(s) {
		return errors.New("is no name that an environment could have had")
	}
	return nil
}
