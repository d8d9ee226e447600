package workspace

import (
	"net/http"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

func (t *Tree) rawRoutes(m *wire.Mux) {
	m.Handle("GET /dbfs/{path...}", http.HandlerFunc(t.dbfsDownload))
	m.JSON("POST /dbfs/{path...}", t.dbfsUpload)
	m.JSON("PUT /dbfs/{path...}", t.dbfsUpload)
}

// dbfsUpload is what mlflow sends: the raw content to /dbfs/<path>, which it may send again.
func (t *Tree) dbfsUpload(r *http.Request) (any, error) {
	return nil, t.dbfsWrite("/"+r.PathValue("path"), r.Body, maxRawDBFS, true)
}

func (t *Tree) dbfsDownload(w http.ResponseWriter, r *http.Request) {
	p, err := cleanDBFS("/" + r.PathValue("path"))
	if err != nil {
		wire.Fail(w, err)
		return
	}
	if !t.dbfs.send(w, r, p) {
		wire.Fail(w, dbfsAbsent(p))
	}
}

// send answers with a file's bytes, honouring Range and the conditions on time; false means there is no such file.
func (a *area) send(w http.ResponseWriter, r *http.Request, name string) bool {
	info := a.stat(name)
	if info == nil || info.IsDir() {
		return false
	}
	f, err := a.open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(&refusing{ResponseWriter: w}, r, "", info.ModTime(), f)
	return true
}

// refusing puts what net/http says of a range or a condition into the API's shape.
type refusing struct {
	http.ResponseWriter
	refused bool
}

func (w *refusing) WriteHeader(status int) {
	switch status {
	case http.StatusPreconditionFailed:
		w.refused = true
		wire.Fail(w.ResponseWriter, wire.Errorf(status, "PRECONDITION_FAILED", "The file was modified after the time given."))
	case http.StatusRequestedRangeNotSatisfiable:
		w.refused = true
		w.Header().Del("Content-Length")
		wire.Fail(w.ResponseWriter, wire.Errorf(status, "REQUESTED_RANGE_NOT_SATISFIABLE", "The file has no such range."))
	default:
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *refusing) Write(b []byte) (int, error) {
	if w.refused {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}
