package mlflow

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

var (
	noModel    = regexp.MustCompile(`(?s)^Registered Model with name=(.*) not found$`)
	notActive  = "Model version transition cannot archive existing model versions"
	noSQL      = regexp.MustCompile(`(?s)\. Error: \(sqlite3\..*$`)
	dnsName    = regexp.MustCompile(`^[a-z0-9][-a-z0-9]{0,61}[a-z0-9]$`)
	reserved   = map[string]bool{"default": true, "workspaces": true, "api": true, "ajax-api": true, "static-files": true}
	metaSpace  = "x-metastore" // Unity Catalog's models: one for all twins
	codedSpace = "x-"          // begins the names that no twin can have by itself
)

// spaceName is the MLflow workspace of a twin: its own name where MLflow allows it.
func spaceName(twin string) string {
	if dnsName.MatchString(twin) && !reserved[twin] && !strings.HasPrefix(twin, codedSpace) {
		return twin
	}
	return codedSpace + hex.EncodeToString([]byte(twin))
}

// refusal is MLflow's failure as Databricks words it, without the fields that only MLflow sends.
//
// MLflow answers 500 for requests that can never succeed, and its client repeats a 500 for minutes: they become 400.
func refusal(call Call, status int, body string) error {
	var e struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil || e.Message == "" {
		if status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
			return missing(call.Method, call.Path)
		}
		e.Code, e.Message = "INTERNAL_ERROR", "MLflow: "+strings.TrimSpace(body)
	}
	e.Message = noSQL.ReplaceAllString(e.Message, ".")
	if m := noModel.FindStringSubmatch(e.Message); m != nil {
		e.Message = "RegisteredModel '" + m[1] + "' does not exist. It might have been deleted."
	}
	if strings.HasPrefix(e.Message, notActive) {
		status, e.Code = http.StatusBadRequest, "INVALID_PARAMETER_VALUE"
	}
	if status >= http.StatusInternalServerError {
		status = http.StatusBadRequest
	}
	return wire.Errorf(status, e.Code, "%s", e.Message)
}

// missing is the answer to a route that Databricks has not.
func missing(method, path string) error {
	return wire.Errorf(http.StatusNotFound, "ENDPOINT_NOT_FOUND", "No API found for '%s /%s'", method, strings.TrimPrefix(path, "2.0/"))
}
