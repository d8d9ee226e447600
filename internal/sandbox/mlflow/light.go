package mlflow

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// Light is a backend in memory, for tests that need no Python: registered models and versions word for word as
// MLflow answers them, experiments, runs and logged models as far as a registration needs them. It forgets
// everything when it is dropped.
func Light() Backend {
	l := &light{spaces: map[string]*space{}, last: time.Now().UnixMilli()}
	l.routes = lightRoutes()
	return l
}

type light struct {
	mu          sync.Mutex
	routes      map[string]lightRoute // by method and path
	spaces      map[string]*space
	experiments int   // ids count over all spaces, as in MLflow's database
	last        int64 // the latest time handed out
	closed      bool
}

// space is one workspace.
type space struct {
	*light
	models map[string]*lightModel
	runs   []*lightRun
	exps   []*lightExperiment
	logged map[string]*lightLogged
}

type lightRoute func(*space, params) (any, error)

// params are a request's fields, from its body or its query.
type params map[string]any

func lightRoutes() map[string]lightRoute {
	return map[string]lightRoute{
		"POST registered-models/create":              (*space).createModel,
		"GET registered-models/get":                  (*space).getModel,
		"PATCH registered-models/update":             (*space).updateModel,
		"DELETE registered-models/delete":            (*space).deleteModel,
		"POST registered-models/rename":              (*space).renameModel,
		"GET registered-models/search":               (*space).searchModels,
		"POST registered-models/set-tag":             (*space).setModelTag,
		"DELETE registered-models/delete-tag":        (*space).deleteModelTag,
		"POST registered-models/get-latest-versions": (*space).latest,
		"GET registered-models/get-latest-versions":  (*space).latest,
		"POST registered-models/alias":               (*space).setAlias,
		"DELETE registered-models/alias":             (*space).deleteAlias,
		"GET registered-models/alias":                (*space).getAlias,
		"POST model-versions/create":                 (*space).createVersion,
		"GET model-versions/get":                     (*space).getVersion,
		"PATCH model-versions/update":                (*space).updateVersion,
		"DELETE model-versions/delete":               (*space).deleteVersion,
		"GET model-versions/search":                  (*space).searchVersions,
		"POST model-versions/set-tag":                (*space).setVersionTag,
		"DELETE model-versions/delete-tag":           (*space).deleteVersionTag,
		"POST model-versions/transition-stage":       (*space).transition,
		"POST experiments/create":                    (*space).createExperiment,
		"GET experiments/get":                        (*space).getExperiment,
		"GET experiments/get-by-name":                (*space).getExperiment,
		"GET experiments/search":                     (*space).searchExperiments,
		"POST experiments/search":                    (*space).searchExperiments,
		"POST runs/create":                           (*space).createRun,
		"GET runs/get":                               (*space).getRun,
		"POST runs/update":                           (*space).updateRun,
		"POST runs/set-tag":                          (*space).setRunTag,
		"POST runs/log-parameter":                    (*space).logParameter,
		"POST runs/log-metric":                       (*space).logBatch,
		"POST runs/log-batch":                        (*space).logBatch,
		"POST runs/search":                           (*space).searchRuns,
		"POST logged-models":                         (*space).createLogged,
		"GET logged-models/{id}":                     (*space).getLogged,
		"PATCH logged-models/{id}":                   (*space).updateLogged,
	}
}

func (l *light) Artifacts(string) string { return "" }

func (l *light) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}

func (l *light) Do(_ context.Context, workspace string, call Call) (Answer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return Answer{}, wire.Errorf(http.StatusFailedDependency, "INVALID_STATE", "the MLflow server is stopped")
	}
	s := l.spaces[workspace]
	if s == nil {
		s = &space{light: l, models: map[string]*lightModel{}, logged: map[string]*lightLogged{}}
		l.spaces[workspace] = s
	}
	body, err := s.answer(call)
	if err == nil {
		b, err := json.Marshal(body)
		return Answer{Status: http.StatusOK, Body: b}, err
	}
	refused, ok := err.(*wire.Error) //nolint:errorlint // routes return it bare
	if !ok {
		return Answer{}, err
	}
	b, err := json.Marshal(map[string]string{"error_code": refused.Code, "message": refused.Message})
	return Answer{Status: refused.Status, Body: b}, err
}

func (s *space) answer(call Call) (any, error) {
	path := strings.TrimPrefix(call.Path, here)
	in := params{}
	route, ok := s.routes[call.Method+" "+path]
	if head, id, found := strings.Cut(path, "/"); !ok && found && head == "logged-models" {
		route, ok = s.routes[call.Method+" logged-models/{id}"]
		in["model_id"] = id
	}
	if !ok {
		return nil, wire.Errorf(http.StatusNotFound, "", "") // MLflow answers a page there
	}
	for key, values := range call.Query {
		in[key] = values[0]
		if key == "stages" || key == "order_by" {
			list := make([]any, len(values))
			for i := range values {
				list[i] = values[i]
			}
			in[key] = list
		}
	}
	if len(call.Body) > 0 {
		if err := json.Unmarshal(call.Body, &in); err != nil {
			return nil, wire.Errorf(http.StatusBadRequest, "BAD_REQUEST", "Invalid JSON: %s", err)
		}
	}
	return route(s, in)
}

// now never stands still, so that whatever came later sorts later.
func (l *light) now() int64 {
	l.last = max(l.last+1, time.Now().UnixMilli())
	return l.last
}

// required reads fields that must be there as strings, in order.
func (in params) required(keys ...string) ([]string, error) {
	values := make([]string, len(keys))
	for i, key := range keys {
		v, err := in.text(key)
		if err != nil {
			return nil, err
		}
		if v == "" {
			return nil, wire.Invalid("Missing value for required parameter '%s'. See the API docs for more information about request parameters.", key)
		}
		values[i] = v
	}
	return values, nil
}

// text reads a string; nothing is the empty one.
func (in params) text(key string) (string, error) {
	switch v := in[key].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case float64:
		kind := "float"
		if v == math.Trunc(v) {
			kind = "int"
		}
		return "", badValue(key, strconv.FormatFloat(v, 'g', -1, 64), kind)
	default:
		return "", badValue(key, fmt.Sprint(v), fmt.Sprintf("%T", v))
	}
}

func badValue(key, value, kind string) error {
	return wire.Invalid("Invalid value %s for parameter '%s' supplied:  Hint: Value was of type '%s'. See the API docs for more information about request parameters.", value, key, kind)
}

// number reads a whole number; nothing is the fallback.
func (in params) number(key string, fallback int) (int, error) {
	switch v := in[key].(type) {
	case nil:
		return fallback, nil
	case float64:
		return int(v), nil
	case string:
		n, err := strconv.Atoi(v)
		if err != nil {
			return 0, badValue(key, strconv.Quote(v), "str")
		}
		return n, nil
	default:
		return 0, badValue(key, fmt.Sprint(v), fmt.Sprintf("%T", v))
	}
}

// list reads a list of strings.
func (in params) list(key string) []string {
	values, _ := in[key].([]any)
	var out []string
	for _, v := range values {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// keyed is a tag, or a parameter of a run.
type keyed struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// tags reads a list of them; of two with one key the last wins.
func (in params) tags(key string) []keyed {
	values, _ := in[key].([]any)
	var out []keyed
	for _, v := range values {
		m, _ := v.(map[string]any)
		out = setKey(out, keyed{text(m, "key"), text(m, "value")})
	}
	return out
}

func setKey(tags []keyed, t keyed) []keyed {
	for i := range tags {
		if tags[i].Key == t.Key {
			tags[i].Value = t.Value
			return tags
		}
	}
	return append(tags, t)
}
