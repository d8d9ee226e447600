package sandbox

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// ServeHTTP is the front door of a twin: discovery, then control, then who is calling, the log, faults, the API.
func (t *Twin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", t.owner.config.Now().UTC().Format(http.TimeFormat))
	w.Header().Set("X-Databricks-Org-Id", strconv.FormatInt(t.WorkspaceID, 10))
	t.owner.touch()
	defer t.owner.leave()
	clean := path.Clean(r.URL.Path)
	switch {
	case clean == "/.well-known/databricks-config":
		wire.Write(w, http.StatusOK, map[string]string{
			"oidc_endpoint": t.URL + "/oidc",
			"workspace_id":  strconv.FormatInt(t.WorkspaceID, 10),
			"host_type":     "workspace",
		})
	case clean == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		t.welcome(w)
	case clean == "/_sandbox" || strings.HasPrefix(clean, "/_sandbox/"):
		if _, err := t.admit(r); err != nil {
			wire.Fail(w, err)
			return
		}
		t.control.ServeHTTP(w, r)
	default:
		t.serveAPI(w, r, clean)
	}
}

func (t *Twin) serveAPI(w http.ResponseWriter, r *http.Request, clean string) {
	runID := ""
	var refused error
	if strings.HasPrefix(clean, "/api") || strings.HasPrefix(clean, "/dbfs") {
		runID, refused = t.admit(r)
	}
	call := t.calls.begin(r, t.owner.config.Now(), runID)
	out := &watched{ResponseWriter: w, keep: r.Method == http.MethodGet}
	defer func() { t.calls.end(call, out.status) }()
	if refused != nil {
		wire.Fail(out, refused)
		return
	}
	api := *t.api.Load()
	fault := t.faults.hit(r)
	if fault != nil && fault.Action == FaultStale {
		if old, ok := t.answers.get(r); ok {
			old.send(out)
			return
		}
		fault = nil
	}
	if fault != nil && fault.Action == FaultLate {
		t.late.hold(out, r, fault, func() http.Handler { return *t.api.Load() })
		return
	}
	if fault != nil {
		fault.apply(out, r, api)
		return
	}
	api.ServeHTTP(out, r)
	t.answers.keep(r, out)
}

var bearer = regexp.MustCompile(`^(?i:bearer) +(\S+)$`)

// admit checks the token. A token followed by a dash and digits is the twin's own as well: the digits name the run of
// the notebook that it was given to.
func (t *Twin) admit(r *http.Request) (runID string, err error) {
	m := bearer.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return "", wire.Errorf(http.StatusUnauthorized, "UNAUTHENTICATED", "Credential was not sent or was of an unsupported type for this API.")
	}
	token, runID, _ := strings.Cut(m[1], "-")
	if _, err := strconv.ParseInt(runID, 10, 64); runID != "" && err != nil {
		token = ""
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(t.Token)) != 1 {
		return "", wire.Errorf(http.StatusUnauthorized, "UNAUTHENTICATED", "Invalid access token.")
	}
	return runID, nil
}

// welcome is for a person who opens the twin's address in a browser.
func (t *Twin) welcome(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, `This is Barge's sandbox: workspace %q, a twin of a Databricks workspace (id %d).

It speaks the REST API below %s/api/ to whoever sends its token, which lies in
%s

Files for its DBFS go to %s
`, t.Name, t.WorkspaceID, t.URL, t.TokenFile(), t.files.Load().DBFS())
}
