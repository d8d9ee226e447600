package python

import (
	"context"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// settings are pip's own, as its configuration files and the environment give them.
type settings struct {
	environ []string
	values  map[string]string // by pip's option name: "index-url"
}

// A line of `pip config list`: global.index-url='https://…', :env:.cert='…'.
var configLine = regexp.MustCompile(`^(:env:|[\w-]+)\.([\w-]+)=(.*)$`)

// readSettings asks pip; where there is none, the environment's PIP_ variables are all that is known.
func readSettings(ctx context.Context, python string, environ []string) settings {
	s := settings{environ: environ, values: map[string]string{}}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-m", "pip", "config", "list")
	cmd.Env, cmd.WaitDelay = environ, time.Second
	if out, err := cmd.Output(); err == nil {
		s.read(string(out))
	}
	for _, entry := range environ {
		key, value, _ := strings.Cut(entry, "=")
		if name, ok := strings.CutPrefix(key, "PIP_"); ok && value != "" && name != "CONFIG_FILE" {
			s.values[strings.ToLower(strings.ReplaceAll(name, "_", "-"))] = value
		}
	}
	return s
}

// read takes the output of `pip config list`: what stands for install beats what stands for every command.
func (s settings) read(listing string) {
	fromInstall := map[string]bool{}
	for line := range strings.Lines(listing) {
		m := configLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || (m[1] != "global" && m[1] != "install") || fromInstall[m[2]] {
			continue
		}
		fromInstall[m[2]] = m[1] == "install"
		value := strings.Trim(m[3], `'"`)
		s.values[m[2]] = strings.ReplaceAll(value, `\n`, " ")
	}
}

// What pip calls it, and where uv reads the same. uv's own variables, where they are set, win.
var uvVariables = []struct{ pip, uv string }{
	{"index-url", "UV_DEFAULT_INDEX"},
	{"extra-index-url", "UV_INDEX"},
	{"find-links", "UV_FIND_LINKS"},
	{"trusted-host", "UV_INSECURE_HOST"},
	{"default-timeout", "UV_HTTP_TIMEOUT"},
	{"timeout", "UV_HTTP_TIMEOUT"},
	{"keyring-provider", "UV_KEYRING_PROVIDER"},
	{"cert", "SSL_CERT_FILE"},
	{"client-cert", "SSL_CLIENT_CERT"},
	{"proxy", "ALL_PROXY"},
	{"proxy", "HTTPS_PROXY"},
	{"proxy", "HTTP_PROXY"},
}

// forUV returns the environment in which uv follows pip's settings.
func (s settings) forUV() []string {
	environ := without(s.environ, "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "UV_SYSTEM_PYTHON")
	for _, v := range uvVariables {
		value := s.values[v.pip]
		if value == "" || getenv(environ, v.uv) != "" || getenv(environ, strings.ToLower(v.uv)) != "" {
			continue
		}
		switch v.pip {
		case "find-links":
			value = strings.Join(strings.Fields(value), ",")
		case "extra-index-url", "trusted-host":
			value = strings.Join(strings.Fields(value), " ")
		}
		environ = append(environ, v.uv+"="+value)
	}
	if s.values["extra-index-url"] != "" {
		// As pip does: any index may have a file. The hashes say which file is right.
		environ = append(environ, "UV_INDEX_STRATEGY=unsafe-best-match")
	}
	return environ
}

// noIndex says whether packages come from find-links alone; uv has a flag for it and no variable.
func (s settings) noIndex() bool {
	value := strings.ToLower(s.values["no-index"])
	return value != "" && value != "0" && value != "false" && value != "no" && value != "off"
}

// forPip returns the environment in which pip installs where it is told to, and nowhere else.
func (s settings) forPip() []string {
	environ := without(s.environ, "PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER",
		"PIP_REQUIRE_VIRTUALENV", "PYTHONDONTWRITEBYTECODE")
	// Some versions of pip look at no SSL_CERT_FILE of their own accord; all look at these.
	named := s.values["cert"] + getenv(environ, "PIP_CERT") + getenv(environ, "REQUESTS_CA_BUNDLE") + getenv(environ, "CURL_CA_BUNDLE")
	if file := getenv(environ, "SSL_CERT_FILE"); file != "" && named == "" {
		environ = append(environ, "PIP_CERT="+file)
	}
	return append(environ, "PIP_USER=0", "PIP_REQUIRE_VIRTUALENV=0")
}

func (s settings) indexHost() string {
	if index := s.values["index-url"]; index != "" {
		return hostOf(index)
	}
	return "pypi.org"
}

func without(environ []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		key, _, _ := strings.Cut(entry, "=")
		return slices.Contains(names, key)
	})
}
