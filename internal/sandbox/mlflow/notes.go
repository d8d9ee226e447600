package mlflow

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// notes are what Databricks knows of registered models and MLflow does not. Models that the front never saw being
// made are noted when first asked for.
type notes struct {
	mu     sync.Mutex
	file   string
	Models map[string]*modelNote `json:"models"` // by name
}

type modelNote struct {
	ID       string                  `json:"id"` // 32 hex digits, the same for the model's whole life
	User     string                  `json:"user,omitempty"`
	Versions map[string]*versionNote `json:"versions,omitempty"` // by number
}

type versionNote struct {
	Files    string     `json:"files,omitempty"`  // folder of the copied files
	Status   string     `json:"status,omitempty"` // when it is not READY
	Message  string     `json:"status_message,omitempty"`
	Comments []comment  `json:"comments,omitempty"`
	Requests []activity `json:"requests,omitempty"` // open ones
}

func loadNotes(file string) (*notes, error) {
	n := &notes{file: file, Models: map[string]*modelNote{}}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, n); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return n, nil
}

// change runs edit on the notes and keeps what it did. An error of edit keeps nothing on disk; it must not have
// changed anything then.
func (n *notes) change(edit func(map[string]*modelNote) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := edit(n.Models); err != nil {
		return err
	}
	b, err := json.MarshalIndent(n, "", " ")
	if err != nil {
		return err
	}
	tmp := n.file + ".new"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, n.file)
}

// model notes a model by name, as made by user when it was not noted before.
func (n *notes) model(name, user string) (note modelNote, err error) {
	err = n.change(func(models map[string]*modelNote) error {
		note = *noted(models, name, user)
		return nil
	})
	return note, err
}

// version is what is noted of a model version; the zero note when nothing is.
func (n *notes) version(name, version string) versionNote {
	n.mu.Lock()
	defer n.mu.Unlock()
	if m := n.Models[name]; m != nil && m.Versions[version] != nil {
		v := *m.Versions[version]
		v.Comments, v.Requests = slices.Clone(v.Comments), slices.Clone(v.Requests)
		return v
	}
	return versionNote{}
}

// byID finds a model by its id.
func (n *notes) byID(id string) (name string, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, m := range n.Models {
		if m.ID == id {
			return name, true
		}
	}
	return "", false
}

func noted(models map[string]*modelNote, name, user string) *modelNote {
	if models[name] == nil {
		models[name] = &modelNote{ID: newID(), User: user}
	}
	return models[name]
}

func (m *modelNote) version(number string) *versionNote {
	if m.Versions == nil {
		m.Versions = map[string]*versionNote{}
	}
	if m.Versions[number] == nil {
		m.Versions[number] = &versionNote{}
	}
	return m.Versions[number]
}

func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// overlay writes the noted states of versions over MLflow's, for which every version is READY.
func (n *notes) overlay(body json.RawMessage) (json.RawMessage, error) {
	if !bytes.Contains(body, []byte(`"current_stage"`)) || !n.anyUnready() {
		return body, nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("reading MLflow's answer: %w", err)
	}
	n.overlayAll(doc)
	return json.Marshal(doc)
}

func (n *notes) anyUnready() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.Models {
		for _, v := range m.Versions {
			if v.Status != "" {
				return true
			}
		}
	}
	return false
}

func (n *notes) overlayAll(doc any) {
	switch d := doc.(type) {
	case []any:
		for _, e := range d {
			n.overlayAll(e)
		}
	case map[string]any:
		if _, ok := d["current_stage"]; ok {
			name, _ := d["name"].(string)
			number, _ := d["version"].(string)
			if v := n.version(name, number); v.Status != "" {
				d["status"], d["status_message"] = v.Status, v.Message
			}
		}
		for _, e := range d {
			n.overlayAll(e)
		}
	}
}
