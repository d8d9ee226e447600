package mlflow_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// script runs one of testdata's against a twin, in a process of its own that knows the twin alone, and reads the
// JSON that it left.
func (w *twin) script(out any, name string, args ...string) {
	w.t.Helper()
	home, result := w.t.TempDir(), filepath.Join(w.t.TempDir(), "result.json")
	cmd := exec.Command(interpreter(w.t).Python, append([]string{filepath.Join("testdata", name)}, append(args, result)...)...)
	cmd.Env = []string{
		"DATABRICKS_HOST=" + w.URL, "DATABRICKS_TOKEN=" + token, "HOME=" + home, "PATH=" + os.Getenv("PATH"),
		"MLFLOW_DISABLE_TELEMETRY=true", "MPLBACKEND=agg", "PYTHONDONTWRITEBYTECODE=1",
	}
	if b, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %s\n%s", name, err, b)
	}
	b, err := os.ReadFile(result)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(b, out); err != nil {
		w.t.Fatal(err)
	}
}

// TestRemoteRegistry is the main job's path: a notebook in one workspace registers in the registry of another, and a
// third party finds there what was registered, to the byte.
func TestRemoteRegistry(t *testing.T) {
	t.Parallel()
	s := server(t)
	dev, registry := newTwin(t, s, "dev-remote", 6201), newTwin(t, s, "registry", 6202)
	for key, value := range map[string]string{"host": registry.URL, "token": token, "workspace-id": "6202"} {
		dev.secrets["rmr/rmr-"+key] = value
	}

	var trained struct {
		Made []struct {
			Version string `json:"version"`
			RunID   string `json:"run_id"`
			Status  string `json:"status"`
		} `json:"made"`
		Large       string            `json:"large"`
		Params      map[string]string `json:"params"`
		Accuracy    float64           `json:"accuracy"`
		Artifacts   []string          `json:"artifacts"`
		Text        string            `json:"text"`
		Predictions []int             `json:"predictions"`
		Variables   []string          `json:"variables"`
	}
	dev.script(&trained, "train.py")
	if len(trained.Made) != 3 || trained.Made[2].Version != "3" {
		t.Fatalf("registered %v, want versions 1 to 3", trained.Made)
	}
	if diff := cmp.Diff([]string{"notes/a b.txt", "notes/empty.txt"}, trained.Artifacts); diff != "" {
		t.Errorf("the run's artifacts (-want +got):\n%s", diff)
	}
	if trained.Text != "héllo" || trained.Params["C"] != "0.1" || trained.Accuracy <= 0.5 {
		t.Errorf("the run was read back as %+v", trained)
	}
	large := make([]byte, 60<<20)
	for i := range large {
		large[i] = byte(i >> 20)
	}
	if trained.Large != sum(large) {
		t.Error("60 MB came back otherwise than they went")
	}
	if len(trained.Variables) > 0 {
		t.Errorf("the notebook's process knows the server by %v", trained.Variables)
	}

	to := filepath.Join(t.TempDir(), "model")
	var seen struct {
		Versions map[string]struct {
			Stage  string            `json:"stage"`
			RunID  string            `json:"run_id"`
			Status string            `json:"status"`
			Tags   map[string]string `json:"tags"`
		} `json:"versions"`
		Models      []string          `json:"models"`
		Other       string            `json:"other"`
		Latest      map[string]string `json:"latest"`
		Predictions []int             `json:"predictions"`
	}
	registry.script(&seen, "look.py", "SparkModel", "2", to)
	for i, stage := range []string{"Archived", "Production", "Staging"} {
		v := seen.Versions[trained.Made[i].Version]
		if v.Stage != stage || v.RunID != trained.Made[i].RunID || v.Status != "READY" {
			t.Errorf("version %d is seen as %+v, want READY in %s of run %s", i+1, v, stage, trained.Made[i].RunID)
		}
	}
	if got := seen.Versions["1"].Tags["release"]; got != "1.0.0" {
		t.Errorf("version 1 is tagged %q", got)
	}
	if diff := cmp.Diff([]string{"SparkModel"}, seen.Models); diff != "" {
		t.Errorf("models in the shared registry (-want +got):\n%s", diff)
	}
	if want := "RESOURCE_DOES_NOT_EXIST: RESOURCE_DOES_NOT_EXIST: RegisteredModel 'OnlyInDev' does not exist. It might have been deleted."; seen.Other != want {
		t.Errorf("dev's own model in the shared registry: %s", seen.Other)
	}
	if diff := cmp.Diff(map[string]string{"Staging": "3", "Production": "2"}, seen.Latest); diff != "" {
		t.Errorf("latest versions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(trained.Predictions, seen.Predictions); diff != "" {
		t.Errorf("the downloaded model predicts otherwise (-want +got):\n%s", diff)
	}

	// What was uploaded is what the client downloads is what plain requests download.
	uploaded := hashes(t, filepath.Join(registry.dbfs, "databricks/mlflow/tmp-external-source", trained.Made[1].RunID))
	downloaded := hashes(t, to)
	if diff := cmp.Diff(uploaded, registry.download("SparkModel", "2", "")); diff != "" {
		t.Errorf("downloaded by plain requests (-uploaded +downloaded):\n%s", diff)
	}
	for _, files := range []map[string]string{uploaded, downloaded} {
		delete(files, "registered_model_meta") // the client writes its own at every download
	}
	if diff := cmp.Diff(uploaded, downloaded); diff != "" || len(uploaded) < 5 {
		t.Errorf("the client's download (-uploaded +downloaded):\n%s", diff)
	}
}

// hashes are the SHA-256 of all files below a folder.
func hashes(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		found[filepath.ToSlash(rel)] = sum(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// download lists and fetches a version's files as a tool without MLflow does.
func (w *twin) download(name, version, path string) map[string]string {
	w.t.Helper()
	found := map[string]string{}
	files, _ := w.must("GET model-versions/list-artifacts", "name="+name+"&version="+version+"&path="+path)["files"].([]any)
	for i := range files {
		p, _ := at(w.t, files, i, "path").(string)
		if at(w.t, files, i, "is_dir") == true {
			for k, v := range w.download(name, version, p) {
				found[k] = v
			}
			continue
		}
		found[p] = sum(fetch(w.t, w.must("GET model-versions/get-signed-download-uri", "name="+name+"&version="+version+"&path="+p)["signed_uri"]))
	}
	return found
}

// fetch reads a signed URL, without a token.
func fetch(t *testing.T, uri any) []byte {
	t.Helper()
	s, _ := uri.(string)
	resp, err := http.Get(s) //nolint:noctx,gosec // a test's own address
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d %s %v", s, resp.StatusCode, b, err)
	}
	return b
}
