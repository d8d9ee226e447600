package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/transport"
)

// MLflow is the registry of an MLflow server (kind "mlflow"). Its slots are aliases; of its stages, which MLflow means to
// remove, nothing is asked.
type MLflow struct{ rest }

var _ Aliases = (*MLflow)(nil)

// NewMLflow is the registry of an MLflow server, which w says the address of, and the token. Nothing is dialled.
func NewMLflow(w *databricks.Workspace) *MLflow { return &MLflow{rest{w: w, prefix: api}} }

// Resolve finds the version that a selector names.
func (r *MLflow) Resolve(ctx context.Context, model, selector string) (Version, error) {
	v, err := find(ctx, r, model, selector)
	if err != nil {
		return Version{}, err
	}
	return r.usable(v)
}

func (r *MLflow) title() string { return r.w.Title() }

func (r *MLflow) holder(ctx context.Context, model, alias string) (Version, error) {
	var out struct {
		Version versionInfo `json:"model_version"`
	}
	err := r.w.Do(ctx, fmt.Sprintf("reading alias %s of model %s", alias, model), http.MethodGet, r.prefix+"registered-models/alias",
		url.Values{"name": {model}, "alias": {alias}}, nil, &out)
	var said *databricks.Error
	if errors.As(err, &said) && said.Code == "INVALID_PARAMETER_VALUE" && strings.HasPrefix(said.Message, "Registered model alias ") {
		err = fmt.Errorf("%w: %w", err, fs.ErrNotExist) // 400 is how the server says that there is none
	}
	return out.Version.version(""), err
}

func (r *MLflow) newestOf(ctx context.Context, model string) (Version, bool, error) {
	return r.fitting(ctx, model, func(Version) bool { return true })
}

func (r *MLflow) tagged(ctx context.Context, model, key, value string) (Version, bool, error) {
	return r.fitting(ctx, model, func(v Version) bool { got, has := v.Tags[key]; return has && got == value })
}

func (r *MLflow) fitting(ctx context.Context, model string, fits func(Version) bool) (Version, bool, error) {
	all, err := r.versions(ctx, model)
	if err == nil && len(all) == 0 { // says whether there is the model at all
		_, err = r.modelTags(ctx, model)
	}
	if err != nil {
		return Version{}, false, err
	}
	v, found := newest(all, fits)
	return v, found, nil
}

// Holders is the version that an alias names.
func (r *MLflow) Holders(ctx context.Context, model, slot string) ([]Version, error) {
	return holders(ctx, r, model, slot)
}

// Assign moves an alias to a version.
func (r *MLflow) Assign(ctx context.Context, a Assignment) error {
	name, err := alias(a.Model, a.Slot)
	if err != nil {
		return err
	}
	in := map[string]string{"name": a.Model, "alias": name, "version": a.Version}
	doing := fmt.Sprintf("setting alias %s of model %s to version %s", name, a.Model, a.Version)
	return r.w.Do(transport.Default(ctx, transport.Safe), doing, http.MethodPost, r.prefix+"registered-models/alias", nil, in, nil)
}

// Unassign takes an alias away.
func (r *MLflow) Unassign(ctx context.Context, model, slot string) error {
	name, err := alias(model, slot)
	if err != nil {
		return err
	}
	in := map[string]string{"name": model, "alias": name}
	err = r.w.Do(transport.Default(ctx, transport.Safe), fmt.Sprintf("removing alias %s of model %s", name, model), http.MethodDelete,
		r.prefix+"registered-models/alias", nil, in, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// ModelTags reads the tags of a model.
func (r *MLflow) ModelTags(ctx context.Context, model string) (map[string]string, error) {
	return r.modelTags(ctx, model)
}

// proxied is where an MLflow server serves artifacts that it keeps itself.
const proxied = "/api/2.0/mlflow-artifacts/artifacts"

// Files yields the files of a version. The server must serve them itself, as it does by default: barge does not go to
// the storage behind it.
func (r *MLflow) Files(ctx context.Context, v Version) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		root, err := r.root(ctx, v)
		if err != nil {
			yield(File{}, err)
			return
		}
		t := tree{
			version: v,
			list:    func(ctx context.Context, folder string) ([]listed, error) { return r.served(ctx, v, root, folder) },
			open: func(ctx context.Context, file string) (io.ReadCloser, error) {
				return r.w.Stream(ctx, fmt.Sprintf("reading %s of %s", file, v), proxied+"/"+escaped(path.Join(root, file)))
			},
		}
		t.walk(ctx, "", yield)
	}
}

// root is the folder of a version among the artifacts that the server serves.
func (r *MLflow) root(ctx context.Context, v Version) (string, error) {
	var out struct {
		URI string `json:"artifact_uri"`
	}
	err := r.w.Do(ctx, fmt.Sprintf("asking where the files of %s are", v), http.MethodGet, r.prefix+"model-versions/get-download-uri",
		url.Values{"name": {v.Model}, "version": {v.Number}}, nil, &out)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(out.URI)
	if err != nil || u.Scheme != "mlflow-artifacts" {
		return "", fmt.Errorf("reading the files of %s in %s: they are at %s, which the server does not serve itself; "+
			"start it with --serve-artifacts and register the model anew", v, r.w.Title(), out.URI)
	}
	return strings.Trim(u.Path, "/"), nil
}

// served lists a folder of a version.
func (r *MLflow) served(ctx context.Context, v Version, root, folder string) ([]listed, error) {
	var out struct {
		Files []struct {
			Path  string       `json:"path"`
			IsDir bool         `json:"is_dir"`
			Size  *json.Number `json:"file_size"`
		} `json:"files"`
	}
	query := url.Values{"path": {path.Join(root, folder)}}
	err := r.w.Do(ctx, fmt.Sprintf("listing the files of %s", v), http.MethodGet, proxied, query, nil, &out)
	var all []listed
	for _, f := range out.Files {
		all = append(all, listed{under(folder, f.Path), f.IsDir, f.Size})
	}
	return all, err
}
