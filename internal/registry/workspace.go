package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/transport"
)

// Stages are the slots of a workspace registry, and None and Archived, where a version is put that leaves one.
var Stages = []string{"None", "Staging", "Production", "Archived"}

// Workspace is the model registry of a Databricks workspace (kind "workspace").
type Workspace struct{ rest }

var _ Registry = (*Workspace)(nil)

// NewWorkspace is the registry of w. Nothing is dialled.
func NewWorkspace(w *databricks.Workspace) *Workspace { return &Workspace{rest{w: w, prefix: api}} }

// Resolve finds the version that a selector names.
func (r *Workspace) Resolve(ctx context.Context, model, selector string) (Version, error) {
	v, err := r.find(ctx, model, selector)
	if err != nil {
		return Version{}, err
	}
	return r.usable(v)
}

func (r *Workspace) find(ctx context.Context, model, selector string) (Version, error) {
	if _, err := strconv.ParseUint(selector, 10, 63); err == nil {
		return r.get(ctx, model, selector)
	}
	if strings.HasPrefix(selector, "@") {
		return Version{}, fmt.Errorf("model %s: the registry of workspace %s has stages, no aliases such as %s", model, r.w.Name(), selector)
	}
	fits := func(v Version) bool { return v.Stage == selector }
	if key, value, ok := strings.Cut(strings.TrimPrefix(selector, "tag:"), "="); ok && strings.HasPrefix(selector, "tag:") {
		fits = func(v Version) bool { got, has := v.Tags[key]; return has && got == value }
	} else if selector == "latest" {
		fits = func(Version) bool { return true }
	} else if !slices.Contains(Stages, selector) {
		return Version{}, fmt.Errorf("model %s: %q names no version: write a number, latest, a stage (%s) or tag:KEY=VALUE",
			model, selector, strings.Join(Stages, ", "))
	}
	all, err := r.versions(ctx, model)
	if err != nil {
		return Version{}, err
	}
	if v, ok := newest(all, fits); ok {
		return v, nil
	}
	if len(all) == 0 { // says whether there is the model at all
		if _, err := r.model(ctx, model); err != nil {
			return Version{}, err
		}
	}
	return Version{}, fmt.Errorf("model %s in workspace %s has no version that is %s: %w", model, r.w.Name(), selector, fs.ErrNotExist)
}

// Holders lists the versions that stand in a stage, newest first.
func (r *Workspace) Holders(ctx context.Context, model, stage string) ([]Version, error) {
	all, err := r.versions(ctx, model)
	return slices.DeleteFunc(all, func(v Version) bool { return v.Stage != stage }), err
}

// Assign moves a version to a stage.
func (r *Workspace) Assign(ctx context.Context, a Assignment) error {
	in := map[string]any{"name": a.Model, "version": a.Version, "stage": a.Slot, "archive_existing_versions": a.Archive}
	if a.Comment != "" {
		in["comment"] = a.Comment
	}
	doing := fmt.Sprintf("setting version %s of model %s to stage %s", a.Version, a.Model, a.Slot)
	return r.w.Do(transport.Default(ctx, transport.Safe), doing, http.MethodPost, api+"databricks/model-versions/transition-stage", nil, in, nil)
}

type modelInfo struct {
	ID   string `json:"id"`
	Tags []pair `json:"tags"`
}

func (r *Workspace) model(ctx context.Context, model string) (modelInfo, error) {
	var out struct {
		Model modelInfo `json:"registered_model_databricks"`
	}
	err := r.w.Do(ctx, "reading model "+model, http.MethodGet, api+"databricks/registered-models/get", url.Values{"name": {model}}, nil, &out)
	return out.Model, err
}

// ModelTags reads the tags of a model.
func (r *Workspace) ModelTags(ctx context.Context, model string) (map[string]string, error) {
	m, err := r.model(ctx, model)
	return tagMap(m.Tags, r.reserved), err
}

// ModelID is the id of a model that its permissions are asked by (kind registered-models).
func (r *Workspace) ModelID(ctx context.Context, model string) (string, error) {
	m, err := r.model(ctx, model)
	return m.ID, err
}

// Files yields the files of a version.
func (r *Workspace) Files(ctx context.Context, v Version) iter.Seq2[File, error] {
	return tree{
		version: v,
		list:    func(ctx context.Context, folder string) ([]listed, error) { return r.folder(ctx, v, folder) },
		open:    func(ctx context.Context, file string) (io.ReadCloser, error) { return r.open(ctx, v, file) },
	}.files(ctx)
}

// folder lists a folder of a version.
func (r *Workspace) folder(ctx context.Context, v Version, folder string) ([]listed, error) {
	query := url.Values{"name": {v.Model}, "version": {v.Number}}
	if folder != "" {
		query.Set("path", folder)
	}
	var out struct {
		Files []struct {
			Path  string       `json:"path"`
			IsDir bool         `json:"is_dir"`
			Size  *json.Number `json:"file_size"`
		} `json:"files"`
	}
	err := r.w.Do(ctx, fmt.Sprintf("listing the files of %s", v), http.MethodGet, api+"model-versions/list-artifacts", query, nil, &out)
	var all []listed
	for _, f := range out.Files {
		all = append(all, listed{f.Path, f.IsDir, f.Size})
	}
	return all, err
}

func (r *Workspace) open(ctx context.Context, v Version, path string) (io.ReadCloser, error) {
	var out struct {
		URI     string `json:"signed_uri"`
		Headers []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"headers"`
	}
	err := r.w.Do(ctx, fmt.Sprintf("asking for %s of %s", path, v), http.MethodGet, api+"model-versions/get-signed-download-uri",
		url.Values{"name": {v.Model}, "version": {v.Number}, "path": {path}}, nil, &out)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	for _, h := range out.Headers {
		header.Set(h.Name, h.Value)
	}
	body, _, err := r.w.Download(ctx, out.URI, header)
	if err != nil {
		return nil, fmt.Errorf("reading %s of %s: %w", path, v, err)
	}
	return body, nil
}
