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
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bargeml/barge/internal/databricks"
	"github.com/bargeml/barge/internal/transport"
)

const (
	unityModels = "/api/2.1/unity-catalog/models/"
	// unityReserved are the characters that Unity Catalog has in no key of a tag.
	unityReserved = ".,-=/:"
)

// Unity is Unity Catalog's registry (kind "unity_catalog"): models are called catalog.schema.model, slots are aliases.
// Every workspace of one metastore sees the same.
type Unity struct{ rest }

var _ Aliases = (*Unity)(nil)

// NewUnity is the registry of the metastore that w belongs to. Nothing is dialled.
func NewUnity(w *databricks.Workspace) *Unity {
	return &Unity{rest{w: w, prefix: api + "unity-catalog/", reserved: unityReserved}}
}

// Resolve finds the version that a selector names. A tag is looked for version by version: a list has none.
func (r *Unity) Resolve(ctx context.Context, model, selector string) (Version, error) {
	v, err := find(ctx, r, model, selector)
	if err != nil {
		return Version{}, err
	}
	return r.usable(v)
}

func (r *Unity) title() string { return "Unity Catalog of " + r.w.Title() }

func (r *Unity) at(model string, rest ...string) string {
	p := unityModels + url.PathEscape(model)
	for _, s := range rest {
		p += "/" + url.PathEscape(s)
	}
	return p
}

func (r *Unity) holder(ctx context.Context, model, alias string) (Version, error) {
	var out struct {
		Version json64 `json:"version"`
	}
	err := r.w.Do(ctx, fmt.Sprintf("reading alias %s of model %s", alias, model), http.MethodGet, r.at(model, "aliases", alias), nil, nil, &out)
	if err != nil {
		return Version{}, err
	}
	return r.get(ctx, model, out.Version.String())
}

func (r *Unity) newestOf(ctx context.Context, model string) (Version, bool, error) {
	all, err := r.listed(ctx, model)
	if err != nil {
		return Version{}, false, err
	}
	v, found := newest(all, func(Version) bool { return true })
	if !found {
		return Version{}, false, nil
	}
	v, err = r.get(ctx, model, v.Number)
	return v, true, err
}

// pageOfTags is how many versions are asked for their tags at once.
const pageOfTags = 8

func (r *Unity) tagged(ctx context.Context, model, key, value string) (Version, bool, error) {
	all, err := r.listed(ctx, model)
	if err != nil {
		return Version{}, false, err
	}
	var unready *Version
	for page := range slices.Chunk(all, pageOfTags) {
		group, ctx := errgroup.WithContext(ctx)
		for i := range page {
			group.Go(func() (err error) {
				page[i], err = r.get(ctx, model, page[i].Number)
				if errors.Is(err, fs.ErrNotExist) { // deleted since it was listed
					page[i], err = Version{}, nil
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return Version{}, false, err
		}
		v, found := newest(page, func(v Version) bool { got, has := v.Tags[key]; return has && got == value })
		switch {
		case found && v.Status == Ready:
			return v, true, nil
		case found && unready == nil:
			unready = &v
		}
	}
	if unready != nil {
		return *unready, true, nil
	}
	return Version{}, false, nil
}

// listed are all versions, the newest first, without their tags.
func (r *Unity) listed(ctx context.Context, model string) ([]Version, error) {
	var all []Version
	query := url.Values{}
	for {
		var page struct {
			Versions []struct {
				Version json64 `json:"version"`
				RunID   string `json:"run_id"`
				Status  string `json:"status"`
				Created int64  `json:"created_at"`
			} `json:"model_versions"`
			Next string `json:"next_page_token"`
		}
		err := r.w.Do(ctx, "listing the versions of model "+model, http.MethodGet, r.at(model, "versions"), query, nil, &page)
		if err != nil {
			return nil, err
		}
		for _, v := range page.Versions {
			all = append(all, Version{Model: model, Number: v.Version.String(), RunID: v.RunID, Status: v.Status, CreatedAt: time.UnixMilli(v.Created).UTC()})
		}
		if page.Next == "" { // a page may be empty and have a next one
			break
		}
		query.Set("page_token", page.Next)
	}
	slices.SortFunc(all, func(a, b Version) int { return number(b) - number(a) })
	return all, nil
}

// json64 is a number that some answers write as text.
type json64 string

func (n json64) String() string { return string(n) }

// UnmarshalJSON takes 3 and "3".
func (n *json64) UnmarshalJSON(b []byte) error {
	*n = json64(strings.Trim(string(b), `"`))
	_, err := strconv.ParseUint(string(*n), 10, 63)
	return err
}

// Holders is the version that an alias names.
func (r *Unity) Holders(ctx context.Context, model, slot string) ([]Version, error) {
	return holders(ctx, r, model, slot)
}

// Assign moves an alias to a version.
func (r *Unity) Assign(ctx context.Context, a Assignment) error {
	name, err := alias(a.Model, a.Slot)
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(a.Version, 10, 64)
	if err != nil {
		return fmt.Errorf("setting alias %s of model %s: %q is no version", name, a.Model, a.Version)
	}
	doing := fmt.Sprintf("setting alias %s of model %s to version %s", name, a.Model, a.Version)
	return r.w.Do(transport.Default(ctx, transport.Safe), doing, http.MethodPut, r.at(a.Model, "aliases", name), nil, map[string]any{"version_num": n}, nil)
}

// Unassign takes an alias away.
func (r *Unity) Unassign(ctx context.Context, model, slot string) error {
	name, err := alias(model, slot)
	if err != nil {
		return err
	}
	doing := fmt.Sprintf("removing alias %s of model %s", name, model)
	err = r.w.Do(transport.Default(ctx, transport.Safe), doing, http.MethodDelete, r.at(model, "aliases", name), nil, nil, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// ModelTags reads the tags of a model.
func (r *Unity) ModelTags(ctx context.Context, model string) (map[string]string, error) {
	return r.modelTags(ctx, model)
}

// Owner is who owns a model. Only an owner sets its aliases, beside the metastore's admins.
func (r *Unity) Owner(ctx context.Context, model string) (string, error) {
	var out struct {
		Owner string `json:"owner"`
	}
	err := r.w.Do(ctx, "reading model "+model, http.MethodGet, r.at(model), nil, nil, &out)
	return out.Owner, err
}

// filesAPI is the Files API, where Databricks has the files of Unity Catalog's models.
const filesAPI = "/api/2.0/fs/"

// Files yields the files of a version, through the Files API.
func (r *Unity) Files(ctx context.Context, v Version) iter.Seq2[File, error] {
	root := path.Join("/Models", strings.ReplaceAll(v.Model, ".", "/"), v.Number)
	return tree{
		version: v,
		list:    func(ctx context.Context, folder string) ([]listed, error) { return r.folder(ctx, v, root, folder) },
		open: func(ctx context.Context, file string) (io.ReadCloser, error) {
			return r.w.Stream(ctx, fmt.Sprintf("reading %s of %s", file, v), filesAPI+"files"+escaped(path.Join(root, file)))
		},
	}.files(ctx)
}

// folder lists a folder of a version.
func (r *Unity) folder(ctx context.Context, v Version, root, folder string) ([]listed, error) {
	var all []listed
	query := url.Values{}
	for {
		var page struct {
			Contents []struct {
				Name  string       `json:"name"`
				IsDir bool         `json:"is_directory"`
				Size  *json.Number `json:"file_size"`
			} `json:"contents"`
			Next string `json:"next_page_token"`
		}
		at := filesAPI + "directories" + escaped(path.Join(root, folder))
		if err := r.w.Do(ctx, fmt.Sprintf("listing the files of %s", v), http.MethodGet, at, query, nil, &page); err != nil {
			return nil, err
		}
		for _, f := range page.Contents {
			all = append(all, listed{under(folder, f.Name), f.IsDir, f.Size})
		}
		if page.Next == "" {
			return all, nil
		}
		query.Set("page_token", page.Next)
	}
}

// escaped is a path as it stands in a URL.
func escaped(p string) string { return (&url.URL{Path: p}).EscapedPath() }
