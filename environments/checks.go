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

// repositoryPath wants a clean path relative to barge.hcl; it may leave that folder.
func repositoryPath(s string) error {
	switch {
	case s == "":
		return errors.New("must not be empty")
	case strings.Contains(s, `\`):
		return errors.New("must be written with slashes")
	case strings.HasPrefix(s, "/"):
		return errors.New("must be relative to the folder of barge.hcl")
	case path.Clean(s) != s:
		return fmt.Errorf("is not a clean path: write %q", path.Clean(s))
	}
	return nil
}

// notebookName wants the name of a notebook below `from`, without its extension or with it.
func notebookName(s string) error {
	if err := repositoryPath(s); err != nil {
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

func library(s string) error {
	if kind, what, ok := strings.Cut(s, ":"); !ok || what == "" || kind != "pypi" {
		return errors.New(`is no library: write "pypi:NAME==VERSION"`)
	}
	return nil
}

// parameterName keeps the widgets that barge itself fills.
func parameterName(s string) error {
	if s == "" || strings.HasPrefix(s, "barge_") {
		return errors.New("is a name that barge gives: parameters must not begin with barge_")
	}
	return nil
}

func storeAddress(s string) error {
	if rest, ok := strings.CutPrefix(s, "oci-layout:"); ok && rest != "" {
		return nil
	}
	if rest, ok := strings.CutPrefix(s, "oci://"); ok && rest != "" {
		if host, repository, ok := strings.Cut(rest, "/"); ok && host != "" && repository != "" {
			return nil
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
