package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/transport"
)

const api = "/api/2.0/mlflow/"

// Stages are the slots of a workspace registry, and None and Archived, where a version is put that leaves one.
var Stages = []string{"None", "Staging", "Production", "Archived"}

// Workspace is the model registry of a Databricks workspace (kind "workspace").
type Workspace struct{ w *databricks.Workspace }

var _ Registry = (*Workspace)(nil)

// NewWorkspace is the registry of w. Nothing is dialled.
func NewWorkspace(w *databricks.Workspace) *Workspace { return &Workspace{w} }

// In is the workspace whose registry it is.
func (r *Workspace) In() *databricks.Workspace { return r.w }

type pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func tagMap(pairs []pair) map[string]string {
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		m[p.Key] = p.Value
	}
	return m
}

type versionInfo struct {
	Name          string      `json:"name"`
	Version       string      `json:"version"`
	RunID         string      `json:"run_id"`
	CurrentStage  string      `json:"current_stage"`
	Status        string      `json:"status"`
	StatusMessage string      `json:"status_message"`
	Source        string      `json:"source"`
	Created       json.Number `json:"creation_timestamp"`
	Tags          []pair      `json:"tags"`
}

func (i versionInfo) version() Version {
	ms, _ := i.Created.Int64()
	status := i.Status
	if status == "" {
		status = Ready // a server that keeps no status has no other
	}
	return Version{
		Model: i.Name, Number: i.Version, RunID: i.RunID, Stage: i.CurrentStage, Status: status, Message: i.StatusMessage,
		Source: i.Source, Tags: tagMap(i.Tags), CreatedAt: time.UnixMilli(ms).UTC(),
	}
}

// Resolve finds the version that a selector names.
func (r *Workspace) Resolve(ctx context.Context, model, selector string) (Version, error) {
	v, err := r.find(ctx, model, selector)
	if err != nil {
		return Version{}, err
	}
	switch v.Status {
	case Ready:
		return v, nil
	case "PENDING_REGISTRATION":
		return Version{}, fmt.Errorf("%s in workspace %s is still being registered; wait and try again: %w", v, r.w.Name(), ErrNotReady)
	}
	why := ""
	if v.Message != "" {
		why = " (" + v.Message + ")"
	}
	return Version{}, fmt.Errorf("%s in workspace %s is %s%s; register it anew: %w", v, r.w.Name(), v.Status, why, ErrNotReady)
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
	var unready *Version
	for _, v := range all {
		switch {
		case !fits(v):
		case v.Status == Ready:
			return v, nil
		case unready == nil:
			unready = &v
		}
	}
	if unready != nil {
		return *unready, nil
	}
	if len(all) == 0 { // says whether there is the model at all
		if _, err := r.model(ctx, model); err != nil {
			return Version{}, err
		}
	}
	return Version{}, fmt.Errorf("model %s in workspace %s has no version that is %s: %w", model, r.w.Name(), selector, fs.ErrNotExist)
}

func (r *Workspace) get(ctx context.Context, model, number string) (Version, error) {
	var out struct {
		Version versionInfo `json:"model_version"`
	}
	err := r.w.Do(ctx, fmt.Sprintf("reading version %s of model %s", number, model), http.MethodGet, api+"model-versions/get",
		url.Values{"name": {model}, "version": {number}}, nil, &out)
	return out.Version.version(), err
}

// versions lists all versions, newest first.
func (r *Workspace) versions(ctx context.Context, model string) ([]Version, error) {
	var all []Version
	quote := "'"
	if strings.Contains(model, quote) {
		quote = `"`
	}
	query := url.Values{"filter": {"name=" + quote + model + quote}, "max_results": {"10000"}}
	for {
		var page struct {
			Versions []versionInfo `json:"model_versions"`
			Next     string        `json:"next_page_token"`
		}
		err := r.w.Do(ctx, "listing the versions of model "+model, http.MethodGet, api+"model-versions/search", query, nil, &page)
		if err != nil {
			return nil, err
		}
		for _, v := range page.Versions {
			if v.Name == model {
				all = append(all, v.version())
			}
		}
		if page.Next == "" {
			break
		}
		query.Set("page_token", page.Next)
	}
	slices.SortFunc(all, func(a, b Version) int { return number(b) - number(a) })
	return all, nil
}

func number(v Version) int {
	n, _ := strconv.Atoi(v.Number)
	return n
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

// Tag sets tags of a version.
func (r *Workspace) Tag(ctx context.Context, v Version, tags map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		in := map[string]string{"name": v.Model, "version": v.Number, "key": key, "value": tags[key]}
		doing := fmt.Sprintf("setting tag %s of %s", key, v)
		if err := r.w.Do(transport.Default(ctx, transport.Safe), doing, http.MethodPost, api+"model-versions/set-tag", nil, in, nil); err != nil {
			return err
		}
	}
	return nil
}

// TagModel sets tags of a model.
func (r *Workspace) TagModel(ctx context.Context, model string, tags map[string]string) error {
	ctx = transport.Default(ctx, transport.Safe)
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if tags[key] == "" {
			in := map[string]string{"name": model, "key": key}
			err := r.w.Do(ctx, "removing tag "+key+" of model "+model, http.MethodDelete, api+"registered-models/delete-tag", nil, in, nil)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		in := map[string]string{"name": model, "key": key, "value": tags[key]}
		if err := r.w.Do(ctx, "setting tag "+key+" of model "+model, http.MethodPost, api+"registered-models/set-tag", nil, in, nil); err != nil {
			return err
		}
	}
	return nil
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
	return tagMap(m.Tags), err
}

// ModelID is the id of a model that its permissions are asked by (kind registered-models).
func (r *Workspace) ModelID(ctx context.Context, model string) (string, error) {
	m, err := r.model(ctx, model)
	return m.ID, err
}

// Metrics reads the metrics of the run that made a version; none when the version tells no run.
func (r *Workspace) Metrics(ctx context.Context, v Version) (map[string]float64, error) {
	metrics := map[string]float64{}
	if v.RunID == "" {
		return metrics, nil
	}
	var out struct {
		Run struct {
			Data struct {
				Metrics []struct {
					Key   string          `json:"key"`
					Value json.RawMessage `json:"value"`
				} `json:"metrics"`
			} `json:"data"`
		} `json:"run"`
	}
	err := r.w.Do(ctx, "reading the metrics of run "+v.RunID, http.MethodGet, api+"runs/get", url.Values{"run_id": {v.RunID}}, nil, &out)
	for _, m := range out.Run.Data.Metrics {
		metrics[m.Key] = parseMetric(string(m.Value))
	}
	return metrics, err
}

// parseMetric reads a number or, as the service writes what JSON has no number for, "NaN" and "Infinity".
func parseMetric(raw string) float64 {
	f, err := strconv.ParseFloat(strings.Trim(raw, `"`), 64)
	if err != nil && !math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

// Files yields the files of a version.
func (r *Workspace) Files(ctx context.Context, v Version) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) { r.walk(ctx, v, "", yield) }
}

// walk yields what is below a folder, and tells whether to go on.
func (r *Workspace) walk(ctx context.Context, v Version, folder string, yield func(File, error) bool) bool {
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
	if err := r.w.Do(ctx, fmt.Sprintf("listing the files of %s", v), http.MethodGet, api+"model-versions/list-artifacts", query, nil, &out); err != nil {
		yield(File{}, err)
		return false
	}
	for _, f := range out.Files {
		if !local(f.Path) || folder != "" && !strings.HasPrefix(f.Path, folder+"/") {
			yield(File{}, fmt.Errorf("listing the files of %s: path %q leads elsewhere", v, f.Path))
			return false
		}
		if f.IsDir {
			if !r.walk(ctx, v, f.Path, yield) {
				return false
			}
			continue
		}
		size := int64(-1)
		if f.Size != nil {
			if n, err := f.Size.Int64(); err == nil {
				size = n
			}
		}
		if !yield(File{f.Path, size, func(ctx context.Context) (io.ReadCloser, error) { return r.open(ctx, v, f.Path) }}, nil) {
			return false
		}
	}
	return true
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
