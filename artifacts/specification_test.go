package artifacts

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bargeml/barge/environments"
)

// reader reads a store in a folder by nothing but the words of docs/artifact.md: it shares no code with what wrote it.
type reader struct{ dir string }

type ociDescriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations"`
}

type ociManifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        ociDescriptor     `json:"config"`
	Layers        []ociDescriptor   `json:"layers"`
	Subject       *ociDescriptor    `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

func hexOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (r reader) blob(d ociDescriptor) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(r.dir, "blobs", "sha256", strings.TrimPrefix(d.Digest, "sha256:")))
	if err == nil && ("sha256:"+hexOf(b) != d.Digest || int64(len(b)) != d.Size) {
		err = fmt.Errorf("blob %s is another", d.Digest)
	}
	return b, err
}

func (r reader) index() (entries []ociDescriptor, err error) {
	var index struct{ Manifests []ociDescriptor }
	b, err := os.ReadFile(filepath.Join(r.dir, "index.json"))
	if err == nil {
		err = json.Unmarshal(b, &index)
	}
	return index.Manifests, err
}

func (r reader) manifest(d ociDescriptor) (m ociManifest, err error) {
	b, err := r.blob(d)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	return m, err
}

// verify does the page's five steps, and gives the id and what the files hold.
func (r reader) verify(name string) (id string, files map[string]string, err error) {
	entries, err := r.index()
	if err != nil {
		return "", nil, err
	}
	i := slices.IndexFunc(entries, func(d ociDescriptor) bool { return d.Annotations["org.opencontainers.image.ref.name"] == name })
	if i < 0 {
		return "", nil, fmt.Errorf("no tag %s", name)
	}
	m, err := r.manifest(entries[i])
	if err != nil {
		return "", nil, err
	}
	if m.SchemaVersion != 2 || m.MediaType != "application/vnd.oci.image.manifest.v1+json" || m.ArtifactType != "application/vnd.barge.artifact.v1" ||
		m.Config.MediaType != "application/vnd.barge.manifest.v1+json" || m.Annotations != nil {
		return "", nil, fmt.Errorf("the OCI manifest is %+v", m)
	}
	config, err := r.blob(m.Config)
	if err != nil {
		return "", nil, err
	}
	var tree map[string]any
	d := json.NewDecoder(bytes.NewReader(config))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return "", nil, err
	}
	if form := canonicalForm(tree); form != string(config) {
		return "", nil, fmt.Errorf("not canonical:\n%s\n%s", config, form)
	}
	if tree["format"] != "barge.artifact/v1" {
		return "", nil, fmt.Errorf("format %v", tree["format"])
	}
	files, err = r.files(m, tree)
	return m.Config.Digest, files, err
}

// files checks layers and models, in the order that the page gives them.
func (r reader) files(m ociManifest, tree map[string]any) (map[string]string, error) {
	files := map[string]string{}
	next := func(mediaType, title string) ([]byte, error) {
		if len(m.Layers) == 0 || m.Layers[0].MediaType != mediaType || len(m.Layers[0].Annotations) != 1 || m.Layers[0].Annotations["org.opencontainers.image.title"] != title {
			return nil, fmt.Errorf("no layer %s where it should be: %+v", title, m.Layers)
		}
		d := m.Layers[0]
		m.Layers = m.Layers[1:]
		return r.blob(d)
	}
	for _, kind := range []string{"notebooks", "config"} {
		listed := objects(tree[kind])
		if kind == "config" && len(listed) == 0 {
			continue
		}
		b, err := next("application/vnd.barge."+kind+".v1.tar", kind+".tar")
		if err == nil {
			err = untar(b, listed, kind, files)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, model := range objects(tree["models"]) {
		var lines string
		for _, f := range objects(model["files"]) {
			lines += "100" + modeOf(f)[1:] + " " + f["path"].(string) + "\x00" + f["sha256"].(string) + "\n"
			if model["registry"] != nil {
				continue
			}
			title := fmt.Sprintf("models/%s/%s", model["label"], f["path"])
			b, err := next("application/vnd.barge.model.file.v1", title)
			if err != nil || hexOf(b) != f["sha256"] || fmt.Sprint(len(b)) != fmt.Sprint(f["size"]) {
				return nil, fmt.Errorf("%s is another: %w", title, err)
			}
			files[title] = string(b)
		}
		if model["digest"] != "sha256:"+hexOf([]byte(lines)) {
			return nil, fmt.Errorf("the digest of model %s is another", model["label"])
		}
	}
	if len(m.Layers) > 0 {
		return nil, fmt.Errorf("more layers: %+v", m.Layers)
	}
	return files, nil
}

func objects(v any) (all []map[string]any) {
	for _, o := range v.([]any) {
		all = append(all, o.(map[string]any))
	}
	return all
}

func modeOf(file map[string]any) string {
	if file["executable"] == true {
		return "0755"
	}
	return "0644"
}

func untar(b []byte, listed []map[string]any, kind string, files map[string]string) error {
	t := tar.NewReader(bytes.NewReader(b))
	for _, f := range listed {
		h, err := t.Next()
		if err != nil {
			return err
		}
		body, err := io.ReadAll(t)
		if err != nil {
			return err
		}
		for record := range h.PAXRecords {
			if record != "path" {
				return fmt.Errorf("%s has the record %s", h.Name, record)
			}
		}
		if h.Name != f["path"] || hexOf(body) != f["sha256"] || fmt.Sprint(h.Size) != fmt.Sprint(f["size"]) || h.Typeflag != tar.TypeReg ||
			fmt.Sprintf("%04o", h.Mode) != modeOf(f) || h.Uid+h.Gid != 0 || h.Uname+h.Gname != "" || h.ModTime.Unix() != 0 {
			return fmt.Errorf("entry %+v is not %v", h, f)
		}
		files[kind+"/"+h.Name] = string(body)
	}
	if _, err := t.Next(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("more follows: %w", err)
	}
	return nil
}

// canonicalForm writes JSON as the page has it.
func canonicalForm(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var members []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			members = append(members, canonicalForm(key)+":"+canonicalForm(v[key]))
		}
		return "{" + strings.Join(members, ",") + "}"
	case []any:
		var all []string
		for _, e := range v {
			all = append(all, canonicalForm(e))
		}
		return "[" + strings.Join(all, ",") + "]"
	case string:
		short := map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`}
		var b strings.Builder
		for _, c := range v {
			switch {
			case short[c] != "":
				b.WriteString(short[c])
			case c < 0x20 || c == 0x2028 || c == 0x2029:
				fmt.Fprintf(&b, `\u%04x`, c)
			default:
				b.WriteRune(c)
			}
		}
		return `"` + b.String() + `"`
	case nil:
		return "null"
	}
	return fmt.Sprint(v)
}

// TestSpecification: whoever reads docs/artifact.md can read and verify what a build makes, and tell what it does not
// describe.
func TestSpecification(t *testing.T) {
	y := newYard(t)
	dir := t.TempDir()
	var err error
	if y.store, err = OpenStore(dir, "oci-layout:store"); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("a long folder/", 12) + "x.py"
	y.write(map[string]string{"notebooks/" + long: "x = 1\n", "notebooks/tool.py": "y = 1\n", "models/m/b.bin": "b", "models/m/a.bin": "a", "models/one.pkl": "one"})
	if err := os.Chmod(filepath.Join(y.dir, "notebooks/tool.py"), 0o755); err != nil {
		t.Fatal(err)
	}
	y.commit("more")
	y.git("tag", "v1.4.0")
	y.project.Artifact.Models = append(y.project.Artifact.Models, environments.Model{Label: "one", Path: "models/one.pkl"}, environments.Model{Label: "m", Path: "models/m"})
	y.project.Environments[0].Deploy.Bind = map[string]string{"<a & \"b\" \\ \u2028 \x01\t": "ä"}
	built := y.build("")
	r := reader{filepath.Join(dir, "store")}
	for _, name := range []string{"1.4.0", "id." + strings.TrimPrefix(built.ID, "sha256:")} {
		id, files, err := r.verify(name)
		if err != nil || id != built.ID {
			t.Errorf("%s is read as %s, %v, want %s", name, id, err, built.ID)
		}
		for name, want := range map[string]string{
			"models/one/one.pkl": "one", "models/m/b.bin": "b", "config/prod.yml": "table: prod\n", "notebooks/" + long: "x = 1\n", "notebooks/score.ipynb": stripped,
		} {
			if files[name] != want {
				t.Errorf("%s holds %q", name, files[name])
			}
		}
	}
	r.provenance(t, built)

	config := filepath.Join(dir, "store", "blobs", "sha256", strings.TrimPrefix(built.ID, "sha256:"))
	if err := errors.Join(os.Chmod(config, 0o600), os.WriteFile(config, []byte("{}"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.verify("1.4.0"); err == nil {
		t.Error("an artifact that was changed is read as whole")
	}
}

// provenance finds what is attached, as the page says.
func (r reader) provenance(t *testing.T, built Release) {
	t.Helper()
	entries, err := r.index()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, d := range entries {
		m, err := r.manifest(d)
		if err != nil {
			t.Fatal(err)
		}
		if m.Subject == nil || m.Annotations["in-toto.io/predicate-type"] != "https://slsa.dev/provenance/v1" {
			continue
		}
		b, err := r.blob(m.Layers[0])
		if err != nil || len(m.Layers) != 1 || m.ArtifactType != "application/vnd.in-toto+json" || m.Layers[0].MediaType != m.ArtifactType {
			t.Fatalf("attached is %+v, %v", m, err)
		}
		var s struct {
			Type          string                               `json:"_type"`
			Subject       []struct{ Digest map[string]string } `json:"subject"`
			PredicateType string                               `json:"predicateType"`
			Predicate     struct {
				BuildDefinition struct {
					BuildType          string            `json:"buildType"`
					ExternalParameters map[string]string `json:"externalParameters"`
				} `json:"buildDefinition"`
			} `json:"predicate"`
		}
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
		given := s.Predicate.BuildDefinition.ExternalParameters
		if s.Type != "https://in-toto.io/Statement/v1" || "sha256:"+s.Subject[0].Digest["sha256"] != built.ID || given["release"] != "1.4.0" || given["commit"] != built.Commit ||
			given["folder"] != "." || given["time"] == "" || s.Predicate.BuildDefinition.BuildType != "https://github.com/bargeml/barge/build/v1" {
			t.Errorf("its provenance is %s", b)
		}
		found++
	}
	if found != 1 {
		t.Errorf("%d provenances, want 1", found)
	}
}
