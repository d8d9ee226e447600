package sandbox

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/access"
	"github.com/bargeml/barge/internal/sandbox/jobs"
	"github.com/bargeml/barge/internal/sandbox/mlflow"
	"github.com/bargeml/barge/internal/sandbox/secrets"
	"github.com/bargeml/barge/internal/sandbox/wire"
	"github.com/bargeml/barge/internal/sandbox/workspace"
)

// quiet swallows what net/http says of clients that hang up.
var quiet = log.New(io.Discard, "", 0)

// service is one part of the API.
type service interface {
	Routes(*wire.Mux)
	Close() error
}

// services are a twin's, in the order in which they were opened.
type services []service

// close ends the last opened first: jobs before the files that they use.
func (s services) close() error {
	var err error
	for i := len(s) - 1; i >= 0; i-- {
		err = errors.Join(err, s[i].Close())
	}
	return err
}

// assemble opens the twin's services over its folder and puts them behind its front door.
func (t *Twin) assemble() error {
	t.services = nil
	mux := &wire.Mux{}
	config := t.owner.config

	files, err := workspace.New(t.Dir, config.Now)
	if err != nil {
		return err
	}
	t.services = append(t.services, files)
	if err := files.Mkdirs("/Users/" + config.User); err != nil {
		return err
	}
	vault, err := secrets.New(t.Dir, config.User, config.Now)
	if err != nil {
		return err
	}
	t.services = append(t.services, vault)
	registry, err := mlflow.New(mlflow.Config{
		Backend: t.owner.backend, Workspace: t.mlflowWorkspace(), WorkspaceID: t.WorkspaceID,
		Dir: filepath.Join(t.Dir, "mlflow"), DBFS: files.DBFS(), Metastore: metastore(config.Dir),
		URL: func() string { return t.URL }, User: config.User, SignKey: t.signKey(), Now: config.Now,
	})
	if err != nil {
		return err
	}
	t.services = append(t.services, registry)
	t.files.Store(files)
	var people *access.Service
	runs, err := jobs.New(jobs.Config{
		Dir: filepath.Join(t.Dir, "jobs"), WorkspaceID: t.WorkspaceID, URL: t.URL, User: config.User,
		Executor: t.owner.executor(t), NotebookExists: files.NotebookExists, Now: config.Now,
		Rights: func(job int64, list json.RawMessage) error {
			o := access.Object{Kind: "jobs", Creator: config.User}
			if job != 0 {
				o.ID = strconv.FormatInt(job, 10)
			}
			return people.Begin(o, list)
		},
	})
	if err != nil {
		return err
	}
	t.services = append(t.services, runs)
	owners := lookup{user: config.User, files: files, jobs: runs, registry: registry, api: mux}
	people, err = access.New(t.Dir, access.User{Name: config.User, DisplayName: "Sandbox Admin"}, owners.find)
	if err != nil {
		return err
	}
	t.services = append(t.services, people)

	for _, s := range t.services {
		s.Routes(mux)
	}
	clusters(mux)
	t.jobs.Store(runs)
	var handler http.Handler = mux
	if config.Through != nil {
		handler = config.Through(t.Name, handler)
	}
	t.api.Store(&handler)
	return nil
}

// busy tells whether a notebook runs.
func (t *Twin) busy() bool {
	return slices.ContainsFunc(t.jobs.Load().Runs(), func(r jobs.Run) bool {
		return !slices.Contains([]string{"TERMINATED", "SKIPPED", "INTERNAL_ERROR"}, r.State)
	})
}

// lookup finds what permissions are asked for.
type lookup struct {
	user     string
	files    *workspace.Tree
	jobs     *jobs.Service
	registry *mlflow.Front
	api      http.Handler
}

func (l lookup) find(kind, id string) (access.Object, error) {
	o := access.Object{Kind: kind, ID: id}
	switch kind {
	case "directories", "notebooks", "files", "repos":
		return l.findFile(kind, id)
	case "jobs":
		o.Creator = l.jobs.JobCreator(id)
		if l.jobs.JobExists(id) {
			return o, nil
		}
		return o, wire.NotFound("Job %s does not exist.", id)
	case "registered-models":
		o.Creator = l.user
		if _, ok := l.registry.ModelName(id); ok {
			return o, nil
		}
		return o, wire.NotFound("Registered model with id %s does not exist.", id)
	case "experiments":
		o.Creator = l.user
		return o, l.experiment(id)
	}
	return o, wire.NotFound("No object of type %s with id %s exists.", kind, id)
}

// types are the objects that each kind of permissions is about.
var types = map[string]string{
	workspace.TypeDirectory: "directories", workspace.TypeNotebook: "notebooks", workspace.TypeFile: "files",
}

func (l lookup) findFile(kind, id string) (access.Object, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return access.Object{}, wire.Invalid("%s is not a valid object id", id)
	}
	o, err := l.files.ByID(n)
	if err != nil {
		return access.Object{}, err
	}
	if types[o.Type] != kind {
		return access.Object{}, wire.NotFound("Node ID %s is not of type %s.", id, kind)
	}
	return l.placed(o), nil
}

// placed gives an object with all the folders that it inherits from.
func (l lookup) placed(o workspace.Object) access.Object {
	placed := access.Object{Kind: types[o.Type], ID: strconv.FormatInt(o.ID, 10)}
	home := "/Users/" + l.user
	switch {
	case o.Path == home:
		placed.Creator = l.user
	case o.Path == "/Shared":
		placed.Creator = "group:users"
	case o.Path == "/", o.Path == "/Users", o.Path == "/Repos", strings.HasPrefix(o.Path, home+"/"):
	default:
		placed.Creator = l.user
	}
	if o.Path == "/" {
		return placed
	}
	if parent, err := l.files.Stat(path.Dir(o.Path)); err == nil {
		within := l.placed(parent)
		placed.Within = &within
	}
	return placed
}

// experiment asks MLflow, through the twin's own API.
func (l lookup) experiment(id string) error {
	r, err := http.NewRequest(http.MethodGet, "/api/2.0/mlflow/experiments/get?experiment_id="+url.QueryEscape(id), http.NoBody)
	if err != nil {
		return err
	}
	var got recorder
	l.api.ServeHTTP(&got, r)
	if got.status < http.StatusBadRequest {
		return nil
	}
	e := &wire.Error{Status: got.status}
	var body struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(got.body.Bytes(), &body); err != nil {
		return err
	}
	e.Code, e.Message = body.Code, body.Message
	return e
}
