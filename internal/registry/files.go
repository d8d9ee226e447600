package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"path"
)

// tree is how a registry shows the files of one version. Paths are relative to the version's folder; "" is that itself.
type tree struct {
	version Version
	list    func(ctx context.Context, folder string) ([]listed, error) // what is directly in a folder
	open    func(ctx context.Context, file string) (io.ReadCloser, error)
}

// listed is a file or a folder as a listing told it.
type listed struct {
	path   string
	folder bool
	size   *json.Number // nil where it is not told
}

// under is a name that a listing gave of what is in a folder, with nothing made of it yet.
func under(folder, name string) string {
	if folder == "" {
		return name
	}
	return folder + "/" + name
}

// files yields all files, in the listings' order.
func (t tree) files(ctx context.Context) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) { t.walk(ctx, "", yield) }
}

// walk yields what is below a folder, and tells whether to go on.
func (t tree) walk(ctx context.Context, folder string, yield func(File, error) bool) bool {
	all, err := t.list(ctx, folder)
	if err != nil {
		yield(File{}, err)
		return false
	}
	for _, f := range all {
		if dir := path.Dir(f.path); !local(f.path) || dir != folder && (folder != "" || dir != ".") {
			yield(File{}, fmt.Errorf("listing the files of %s: path %q leads elsewhere", t.version, f.path))
			return false
		}
		if f.folder {
			if !t.walk(ctx, f.path, yield) {
				return false
			}
			continue
		}
		size := int64(-1)
		if f.size != nil {
			if n, err := f.size.Int64(); err == nil {
				size = n
			}
		}
		if !yield(File{f.path, size, func(ctx context.Context) (io.ReadCloser, error) { return t.open(ctx, f.path) }}, nil) {
			return false
		}
	}
	return true
}
