package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/transport"
)

const api = "/api/2.0/mlflow/"

// rest is what all registries have in common: MLflow's API, below one prefix or another.
type rest struct {
	w        *databricks.Workspace
	prefix   string // of models and versions
	reserved string // characters that no key of a tag may have there; see spelt
}

// In is where it is kept.
func (r *rest) In() *databricks.Workspace { return r.w }

type pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func tagMap(pairs []pair, reserved string) map[string]string {
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		m[meant(reserved, p.Key)] = p.Value
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

func (i versionInfo) version(reserved string) Version {
	ms, _ := i.Created.Int64()
	status := i.Status
	if status == "" {
		status = Ready // a server that keeps no status has no other
	}
	return Version{
		Model: i.Name, Number: i.Version, RunID: i.RunID, Stage: i.CurrentStage, Status: status, Message: i.StatusMessage,
		Source: i.Source, Tags: tagMap(i.Tags, reserved), CreatedAt: time.UnixMilli(ms).UTC(),
	}
}

func (r *rest) get(ctx context.Context, model, number string) (Version, error) {
	var out struct {
		Version versionInfo `json:"model_version"`
	}
	err := r.w.Do(ctx, fmt.Sprintf("reading version %s of model %s", number, model), http.MethodGet, r.prefix+"model-versions/get",
		url.Values{"name": {model}, "version": {number}}, nil, &out)
	return out.Version.version(r.reserved), err
}

// versions lists all versions, newest first.
func (r *rest) versions(ctx context.Context, model string) ([]Version, error) {
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
		err := r.w.Do(ctx, "listing the versions of model "+model, http.MethodGet, r.prefix+"model-versions/search", query, nil, &page)
		if err != nil {
			return nil, err
		}
		for _, v := range page.Versions {
			if v.Name == model {
				all = append(all, v.version(r.reserved))
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

// Tag sets tags of a version.
func (r *rest) Tag(ctx context.Context, v Version, tags map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		in := map[string]string{"name": v.Model, "version": v.Number, "key": spelt(r.reserved, key), "value": tags[key]}
		doing := fmt.Sprintf("setting tag %s of %s", key, v)
		if err := r.w.Do(transport.Default(ctx, transport.Safe), doing, http.MethodPost, r.prefix+"model-versions/set-tag", nil, in, nil); err != nil {
			return err
		}
	}
	return nil
}

// TagModel sets tags of a model.
func (r *rest) TagModel(ctx context.Context, model string, tags map[string]string) error {
	ctx = transport.Default(ctx, transport.Safe)
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if tags[key] == "" {
			in := map[string]string{"name": model, "key": spelt(r.reserved, key)}
			err := r.w.Do(ctx, "removing tag "+key+" of model "+model, http.MethodDelete, r.prefix+"registered-models/delete-tag", nil, in, nil)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		in := map[string]string{"name": model, "key": spelt(r.reserved, key), "value": tags[key]}
		if err := r.w.Do(ctx, "setting tag "+key+" of model "+model, http.MethodPost, r.prefix+"registered-models/set-tag", nil, in, nil); err != nil {
			return err
		}
	}
	return nil
}

// modelTags reads the tags of a model.
func (r *rest) modelTags(ctx context.Context, model string) (map[string]string, error) {
	var out struct {
		Model struct {
			Tags []pair `json:"tags"`
		} `json:"registered_model"`
	}
	err := r.w.Do(ctx, "reading model "+model, http.MethodGet, r.prefix+"registered-models/get", url.Values{"name": {model}}, nil, &out)
	return tagMap(out.Model.Tags, r.reserved), err
}

// Metrics reads the metrics of the run that made a version; none when the version tells no run.
func (r *rest) Metrics(ctx context.Context, v Version) (map[string]float64, error) {
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

// Parameters reads the parameters of the run that made a version; none when the version tells no run.
func (r *rest) Parameters(ctx context.Context, v Version) (map[string]string, error) {
	parameters := map[string]string{}
	if v.RunID == "" {
		return parameters, nil
	}
	var out struct {
		Run struct {
			Data struct {
				Params []struct {
					Key   string `json:"key"`
					Value string `json:"value"`
				} `json:"params"`
			} `json:"data"`
		} `json:"run"`
	}
	err := r.w.Do(ctx, "reading the parameters of run "+v.RunID, http.MethodGet, api+"runs/get", url.Values{"run_id": {v.RunID}}, nil, &out)
	for _, p := range out.Run.Data.Params {
		parameters[p.Key] = p.Value
	}
	return parameters, err
}

// usable is a version that was found, if it is ready.
func (r *rest) usable(v Version) (Version, error) {
	switch v.Status {
	case Ready:
		return v, nil
	case "PENDING_REGISTRATION":
		return Version{}, fmt.Errorf("%s in %s is still being registered; wait and try again: %w", v, r.w.Title(), ErrNotReady)
	}
	why := ""
	if v.Message != "" {
		why = " (" + v.Message + ")"
	}
	return Version{}, fmt.Errorf("%s in %s is %s%s; register it anew: %w", v, r.w.Title(), v.Status, why, ErrNotReady)
}

// newest is the first of versions, the newest first, that fits and is ready; where none is, the first that fits.
func newest(all []Version, fits func(Version) bool) (Version, bool) {
	var unready *Version
	for _, v := range all {
		switch {
		case !fits(v):
		case v.Status == Ready:
			return v, true
		case unready == nil:
			unready = &v
		}
	}
	if unready == nil {
		return Version{}, false
	}
	return *unready, true
}

// spelt is a tag's key as a registry takes it that has reserved characters: "barge.project" is "barge_2eproject".
// Letters, digits and _ are what every registry takes.
func spelt(reserved, key string) string {
	if reserved == "" {
		return key
	}
	var b strings.Builder
	for _, c := range []byte(key) {
		if c == '_' || strings.IndexByte(reserved, c) >= 0 {
			fmt.Fprintf(&b, "_%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

var escapes = regexp.MustCompile(`_[0-9a-f]{2}`)

// meant is the key that is spelt so; one that is nobody's spelling is what it is.
func meant(reserved, key string) string {
	plain := escapes.ReplaceAllStringFunc(key, func(e string) string {
		c, _ := strconv.ParseUint(e[1:], 16, 8) // two hex digits
		return string([]byte{byte(c)})
	})
	if spelt(reserved, plain) != key {
		return key
	}
	return plain
}
