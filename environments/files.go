package environments

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Files are the files of a project in dir by name: barge.hcl, and the *.barge.hcl beside it in order.
func Files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	var names []string
	for _, e := range entries {
		if IsFile(e.Name()) {
			names = append(names, e.Name())
		}
	}
	i := slices.Index(names, mainFile)
	if i < 0 {
		return nil, fmt.Errorf("there is no %s in %s", mainFile, dir)
	}
	return append([]string{mainFile}, slices.Delete(names, i, i+1)...), nil
}

// IsFile says whether a file of that name is read as part of a project.
func IsFile(name string) bool {
	return name == mainFile || strings.HasSuffix(name, moreFiles) && !strings.HasPrefix(name, ".")
}

func read(dir string) ([]source, Diagnostics) {
	names, err := Files(dir)
	if err != nil {
		hint := ""
		if !errors.As(err, new(*fs.PathError)) {
			hint = whereElse(dir)
		}
		return nil, broken(err.Error(), hint)
	}
	var sources []source
	for _, name := range names {
		text, err := ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, broken("reading "+name+": "+err.Error(), "")
		}
		sources = append(sources, source{name, text})
	}
	return sources, nil
}

// whereElse says how to go on from a folder without barge.hcl: from one above it, or with a first one.
func whereElse(dir string) string {
	at, err := filepath.Abs(dir)
	for up := filepath.Dir(at); err == nil && up != at; at, up = up, filepath.Dir(up) {
		if _, err := os.Stat(filepath.Join(up, mainFile)); err == nil {
			return "there is one in " + up + ": go there, or name that folder with -C"
		}
	}
	return "barge init looks at the repository and writes a first one"
}

// ReadFile reads one file of a project, and of one that is too large a byte too many. What is no file, a pipe say, is
// not waited for.
func ReadFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("it is no file")
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(name)
	}
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return nil, pathErr.Err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, largest+1))
}

// readText is what file() gives.
func readText(read func(string) ([]byte, error), name string) (string, error) {
	if err := repositoryPath(name); err != nil {
		return "", fmt.Errorf("path %q %w", name, err)
	}
	if read == nil {
		return "", errors.New("no file can be read here")
	}
	text, err := read(name)
	switch {
	case err != nil:
		return "", err
	case len(text) > largest:
		return "", fmt.Errorf("%s is larger than %d bytes", name, largest)
	case !utf8.Valid(text) || strings.Contains(string(text), quote):
		return "", fmt.Errorf("%s is no UTF-8 text", name)
	}
	return string(text), nil
}

// workingTree reads files of the repository that dir is in; without one, those below dir.
func workingTree(dir string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		dir, err := filepath.Abs(dir)
		if err == nil {
			dir, err = filepath.EvalSymlinks(dir)
		}
		if err != nil {
			return nil, err
		}
		top := repository(dir)
		below, err := filepath.Rel(top, dir)
		if err != nil {
			return nil, err
		}
		at := path.Join(filepath.ToSlash(below), name)
		if at == ".." || strings.HasPrefix(at, "../") {
			return nil, fmt.Errorf("%s is outside of the repository", name)
		}
		return readBelow(top, at, name)
	}
}

// repository is the folder of the git repository that dir is in, dir itself where there is none.
func repository(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return dir
		}
	}
}

// readBelow reads a file below top, and of one that is too large a byte too many. Symlinks lead nowhere else.
func readBelow(top, at, name string) ([]byte, error) {
	root, err := os.OpenRoot(top)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(filepath.FromSlash(at))
	switch pathErr := (*fs.PathError)(nil); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no file %s", name)
	case errors.As(err, &pathErr):
		return nil, fmt.Errorf("%s cannot be read within the repository: %w", name, pathErr.Err)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file", name)
	}
	f, err := root.Open(filepath.FromSlash(at))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, largest+1))
}
