package python

import (
	"path/filepath"
	"slices"
	"strings"
)

// passed are the variables of the user's that a notebook's process keeps: where programs are, how the network is
// reached, how text is written. All others stay out, secrets among them.
var passed = []string{
	"PATH", "LANG", "LANGUAGE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
	"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy",
}

// environment is what every Python process of the sandbox starts from.
func (i Interpreter) environment() []string {
	var environ []string
	for _, entry := range i.environ {
		name, value, _ := strings.Cut(entry, "=")
		if slices.Contains(passed, name) || strings.HasPrefix(name, "LC_") {
			environ = append(environ, name+"="+value)
		}
	}
	direct := "127.0.0.1,localhost"
	for _, name := range []string{"no_proxy", "NO_PROXY"} {
		if value := getenv(i.environ, name); value != "" {
			direct = value + "," + direct
			break
		}
	}
	return append(environ,
		"NO_PROXY="+direct, "no_proxy="+direct,
		"MPLBACKEND=agg", "MPLCONFIGDIR="+filepath.Join(i.cache, "matplotlib"), // its list of fonts takes seconds to make
		"PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUTF8=1",
		"MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT=true",
	)
}

// boot is the command that runs one of the runner's programs in an environment or layer.
func (i Interpreter) boot(layer string) []string {
	const program = "import sys; sys.path.append(sys.argv.pop(1)); from barge_runner.main import main; main()"
	return []string{filepath.Join(layer, "bin", "python"), "-P", "-s", "-B", "-u", "-c", program, i.runner}
}

// pipEnviron is the environment of pip, which follows the user's own settings, credentials of an index among them.
func (i Interpreter) pipEnviron() []string {
	var own []string
	for _, entry := range i.environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "PIP_") || strings.HasPrefix(name, "XDG_") || name == "HOME" || name == "NETRC" {
			own = append(own, entry)
		}
	}
	environ := settings{environ: append(i.environment(), own...)}.forPip()
	return environ
}
