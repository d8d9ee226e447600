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

// clusters are the endpoints that clients ask before they name compute. A twin has none: notebooks run on this
// machine, whatever compute their job names.
func clusters(m *wire.Mux) {
	for _, v := range []string{"2.0", "2.1"} {
		base := "/api/" + v + "/clusters/"
		m.JSON("GET "+base+"list", func(*http.Request) (any, error) { return nil, nil })
		m.JSON("GET "+base+"get", func(r *http.Request) (any, error) {
			id := r.URL.Query().Get("cluster_id")
			if id == "" {
				return nil, wire.Missing("cluster_id")
			}
			return nil, wire.Invalid("Cluster %s does not exist", id)
		})
		m.JSON("GET "+base+"spark-versions", func(*http.Request) (any, error) {
			return map[string]any{"versions": []map[string]string{
				{"key": "15.4.x-cpu-ml-scala2.12", "name": "15.4 LTS ML (includes Apache Spark 3.5.0, Scala 2.12)"},
				{"key": "15.4.x-scala2.12", "name": "15.4 LTS (includes Apache Spark 3.5.0, Scala 2.12)"},
				{"key": "14.3.x-cpu-ml-scala2.12", "name": "14.3 LTS ML (includes Apache Spark 3.5.0, Scala 2.12)"},
				{"key": "14.3.x-scala2.12", "name": "14.3 LTS (includes Apache Spark 3.5.0, Scala 2.12)"},
			}}, nil
		})
		m.JSON("GET "+base+"list-node-types", func(*http.Request) (any, error) {
			return map[string]any{"node_types": []map[string]any{
				{
					"node_type_id": "Standard_DS3_v2", "instance_type_id": "Standard_DS3_v2", "description": "Standard_DS3_v2",
					"category": "General Purpose", "memory_mb": 14336, "num_cores": 4.0, "num_gpus": 0, "is_deprecated": false,
					"is_io_cache_enabled": false, "support_port_forwarding": true,
				},
				{
					"node_type_id": "Standard_DS4_v2", "instance_type_id": "Standard_DS4_v2", "description": "Standard_DS4_v2",
					"category": "General Purpose", "memory_mb": 28672, "num_cores": 8.0, "num_gpus": 0, "is_deprecated": false,
					"is_io_cache_enabled": false, "support_port_forwarding": true,
				},
			}}, nil
		})
	}
	for _, empty := range []string{"/api/2.0/policies/clusters/list", "/api/2.0/instance-pools/list", "/api/2.0/sql/warehouses"} {
		m.JSON("GET "+empty, func(*http.Request) (any, error) { return nil, nil })
	}
}
