package workspace

import (
	"encoding/base64"
	"errors"
	"net/http"
	"path"
	"strings"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// maxVolumeFile is how many bytes one upload to a volume may have.
const maxVolumeFile = 5 << 30

func (t *Tree) volumeRoutes(m *wire.Mux) {
	files, folders := "/api/2.0/fs/files/Volumes/{path...}", "/api/2.0/fs/directories/Volumes/{path...}"
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request, string) error{
		"PUT " + files:      t.volumePut,
		"POST " + files:     t.volumePost,
		"GET " + files:      t.volumeGet, // and HEAD
		"DELETE " + files:   t.volumeDelete,
		"PUT " + folders:    t.volumeMkdirs,
		"HEAD " + folders:   t.volumeHeadFolder,
		"GET " + folders:    t.volumeList,
		"DELETE " + folders: t.volumeDeleteFolder,
	} {
		m.Handle(pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, err := volumePath(r.PathValue("path"))
			if err == nil {
				err = serve(w, r, p)
			}
			if err != nil {
				wire.Fail(w, err)
			}
		}))
	}
}

// volumePath is the path below /Volumes of something in a volume: /catalog/schema/volume, and what follows.
func volumePath(p string) (string, error) {
	p = strings.Trim(path.Clean("/"+p), "/")
	if err := plain(p); err != nil {
		return "", err
	}
	if strings.Count(p, "/") < 2 {
		return "", wire.Invalid("Invalid path: /Volumes/%s. A path in a volume is /Volumes/<catalog>/<schema>/<volume>/<path>.", p)
	}
	return "/" + p, nil
}

func fileAbsent() error {
	return wire.Errorf(http.StatusNotFound, "NOT_FOUND", "The file being accessed is not found.")
}

func folderAbsent() error {
	return wire.Errorf(http.StatusNotFound, "NOT_FOUND", "The directory being accessed is not found.")
}

// volumePut overwrites unless overwrite=false is said: the API's own default.
func (t *Tree) volumePut(w http.ResponseWriter, r *http.Request, p string) error {
	overwrite, err := wire.Flag(r.URL.Query().Get("overwrite"), true)
	if err != nil {
		return err
	}
	if strings.Count(p, "/") < 4 {
		return wire.Invalid("Invalid path: /Volumes%s is a volume, not a file in it.", p)
	}
	if action := r.URL.Query().Get("action"); action != "" {
		return wire.Errorf(http.StatusNotFound, "FEATURE_DISABLED", "The action %s is not supported by the sandbox.", action)
	}
	s, err := t.volumes.spool(r.Body, maxVolumeFile)
	if e, ok := errors.AsType[errTooLarge](err); ok {
		return wire.Errorf(http.StatusRequestEntityTooLarge, "INVALID_PARAMETER_VALUE", "%s", e)
	}
	if err != nil {
		return err
	}
	defer s.drop()
	switch err := s.place(p, overwrite); {
	case errors.Is(err, errExists):
		return wire.Errorf(http.StatusConflict, "ALREADY_EXISTS", "The file being created already exists.")
	case errors.Is(err, errNotFolder):
		return wire.Errorf(http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "A parent of the path /Volumes%s is a file.", p)
	case err != nil:
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// volumePost begins an upload in parts, which the Python SDK wants for 50 MB and more. The twin has no addresses for
// parts: the SDK is told so when it asks for the first, and sends the file in one piece.
func (t *Tree) volumePost(w http.ResponseWriter, r *http.Request, p string) error {
	q := r.URL.Query()
	if q.Get("action") != "initiate-upload" {
		return wire.Errorf(http.StatusNotFound, "ENDPOINT_NOT_FOUND", "No API found for 'POST /fs/files/Volumes%s'", p)
	}
	overwrite, err := wire.Flag(q.Get("overwrite"), true)
	if err != nil {
		return err
	}
	if !overwrite && t.volumes.stat(p) != nil {
		return wire.Errorf(http.StatusConflict, "ALREADY_EXISTS", "The file being created already exists.")
	}
	wire.Write(w, http.StatusOK, map[string]any{"multipart_upload": map[string]string{"session_token": "in-one-piece"}})
	return nil
}

func (t *Tree) volumeGet(w http.ResponseWriter, r *http.Request, p string) error {
	if !t.volumes.send(w, r, p) {
		return fileAbsent()
	}
	return nil
}

func (t *Tree) volumeDelete(w http.ResponseWriter, _ *http.Request, p string) error {
	if info := t.volumes.stat(p); info == nil || info.IsDir() {
		return fileAbsent()
	}
	if err := t.volumes.removeAll(p); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (t *Tree) volumeMkdirs(w http.ResponseWriter, _ *http.Request, p string) error {
	if err := t.volumes.mkdirs(p); err != nil {
		return wire.Errorf(http.StatusConflict, "ALREADY_EXISTS", "A file stands at the path /Volumes%s or above it.", p)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (t *Tree) folder(p string) error {
	if info := t.volumes.stat(p); info == nil || !info.IsDir() {
		return folderAbsent()
	}
	return nil
}

func (t *Tree) volumeHeadFolder(w http.ResponseWriter, _ *http.Request, p string) error {
	if err := t.folder(p); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (t *Tree) volumeDeleteFolder(w http.ResponseWriter, _ *http.Request, p string) error {
	if err := t.folder(p); err != nil {
		return err
	}
	if held, err := t.volumes.list(p); err != nil || len(held) > 0 {
		return wire.Errorf(http.StatusBadRequest, "FILES_API_DIRECTORY_IS_NOT_EMPTY", "The directory being deleted is not empty.")
	}
	if err := t.volumes.removeAll(p); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// entry is one line of a folder's listing.
type entry struct {
	Path         string `json:"path"`
	Name         string `json:"name"`
	IsDirectory  bool   `json:"is_directory"`
	FileSize     *int64 `json:"file_size,omitempty"`
	LastModified int64  `json:"last_modified"`
}

// volumeList pages by name: a token holds the last name given.
func (t *Tree) volumeList(w http.ResponseWriter, r *http.Request, p string) error {
	if err := t.folder(p); err != nil {
		return err
	}
	q := r.URL.Query()
	size, err := wire.Number("page_size", q.Get("page_size"), 1000)
	if err != nil {
		return err
	}
	if size <= 0 || size > 1000 {
		size = 1000
	}
	after, err := base64.RawURLEncoding.DecodeString(q.Get("page_token"))
	if err != nil {
		return wire.Invalid("Invalid page token: %s", q.Get("page_token"))
	}
	infos, err := t.volumes.list(p)
	if err != nil {
		return err
	}
	var page struct {
		Contents []entry `json:"contents,omitempty"`
		Next     string  `json:"next_page_token,omitempty"`
	}
	for _, info := range infos {
		if len(after) > 0 && info.Name() <= string(after) {
			continue
		}
		if int64(len(page.Contents)) == size {
			page.Next = base64.RawURLEncoding.EncodeToString([]byte(page.Contents[size-1].Name))
			break
		}
		e := entry{Path: "/Volumes" + path.Join(p, info.Name()), Name: info.Name(), IsDirectory: info.IsDir(), LastModified: info.ModTime().UnixMilli()}
		if !info.IsDir() {
			e.FileSize = new(info.Size())
		}
		page.Contents = append(page.Contents, e)
	}
	wire.Write(w, http.StatusOK, page)
	return nil
}
