package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bargeml/barge/internal/sandbox/disk"
)

// Status says what is known of a sandbox from outside.
type Status struct {
	Dir     string       `json:"dir"`
	Running bool         `json:"running"`
	PID     int          `json:"pid,omitempty"`
	Log     string       `json:"log"`    // of the detached server; may not exist
	MLflow  string       `json:"mlflow"` // the folder of MLflow's database and artifacts; may not exist
	Twins   []TwinStatus `json:"twins"`
}

// TwinStatus is one workspace of a sandbox. The token itself is never in it.
type TwinStatus struct {
	Name        string `json:"name"`
	URL         string `json:"url"`
	WorkspaceID int64  `json:"workspace_id"`
	TokenFile   string `json:"token_file"`
	Dir         string `json:"dir"`
	DBFS        string `json:"dbfs"`      // the folder that is dbfs:/ and /dbfs
	Volumes     string `json:"volumes"`   // the folder that is /Volumes
	Workspace   string `json:"workspace"` // the folder of notebooks and workspace files
}

// at fills in the folders of a twin below Dir.
func (t TwinStatus) at(dir string) TwinStatus {
	t.Dir, t.TokenFile = dir, filepath.Join(dir, "token")
	t.DBFS, t.Volumes, t.Workspace = filepath.Join(dir, "dbfs"), filepath.Join(dir, "Volumes"), filepath.Join(dir, "workspace")
	return t
}

// Token reads the twin's token.
func (t TwinStatus) Token() (string, error) {
	b, err := os.ReadFile(t.TokenFile)
	if err != nil {
		return "", fmt.Errorf("reading the token of workspace %s: %w", t.Name, err)
	}
	return string(trimmed(b)), nil
}

// Twin is the twin of a workspace; false when there is none of that name.
func (s Status) Twin(name string) (TwinStatus, bool) {
	for _, t := range s.Twins {
		if t.Name == name {
			return t, true
		}
	}
	return TwinStatus{}, false
}

// record is what a serving sandbox leaves in sandbox.json. Started tells its process from a later one of that pid.
type record struct {
	PID     int          `json:"pid"`
	Started string       `json:"started"`
	Twins   []TwinStatus `json:"twins"`
}

func stateFile(dir string) string { return filepath.Join(dir, "sandbox.json") }
func lockFile(dir string) string  { return filepath.Join(dir, "sandbox.lock") }
func logFile(dir string) string   { return filepath.Join(dir, "sandbox.log") }

// serverDir is a folder of what the twins share; no workspace may have its name.
func serverDir(dir, name string) string { return filepath.Join(dir, "_server", name) }

func mlflowDir(dir string) string { return serverDir(dir, "mlflow") }
func metastore(dir string) string { return serverDir(dir, "metastore") }

// record writes the state file. The caller holds mu.
func (s *Sandbox) record() error {
	started, err := startTime(os.Getpid())
	if err != nil {
		return err
	}
	r := record{PID: os.Getpid(), Started: started}
	for _, t := range s.sorted() {
		r.Twins = append(r.Twins, t.status())
	}
	return disk.Save(stateFile(s.config.Dir), r)
}

func (t *Twin) status() TwinStatus {
	return TwinStatus{Name: t.Name, URL: t.URL, WorkspaceID: t.WorkspaceID}.at(t.Dir)
}

func (s *Sandbox) state() Status {
	st := Status{Dir: s.config.Dir, Running: true, PID: os.Getpid(), Log: logFile(s.config.Dir), MLflow: mlflowDir(s.config.Dir), Twins: []TwinStatus{}}
	for _, t := range s.Twins() {
		st.Twins = append(st.Twins, t.status())
	}
	return st
}

func forget(dir string) error {
	if err := os.Remove(stateFile(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the sandbox's state file: %w", err)
	}
	return nil
}

// Look says what runs in a folder. A state file whose process is gone counts as nothing.
func Look(dir string) (Status, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Status{}, fmt.Errorf("finding the sandbox's folder: %w", err)
	}
	st := Status{Dir: dir, Log: logFile(dir), MLflow: mlflowDir(dir), Twins: []TwinStatus{}}
	var r record
	if err := disk.Load(stateFile(dir), &r); err != nil {
		return st, fmt.Errorf("%w; remove that file to go on without it", err)
	}
	if r.PID != 0 && alive(r.PID, r.Started) {
		st.Running, st.PID, st.Twins = true, r.PID, r.Twins
		return st, nil
	}
	names, err := knownTwins(dir)
	if err != nil {
		return st, err
	}
	for _, name := range names {
		var id identity
		home := twinDir(dir, name)
		if err := disk.Load(filepath.Join(home, "twin.json"), &id); err != nil {
			return st, err
		}
		st.Twins = append(st.Twins, TwinStatus{
			Name: name, URL: fmt.Sprintf("http://127.0.0.1:%d", id.Port), WorkspaceID: id.WorkspaceID,
		}.at(home))
	}
	return st, nil
}

func loadRecord(dir string, r *record) error { return disk.Load(stateFile(dir), r) }

// resetAtRest wipes twins that no server has. The caller holds the folder's lock.
func resetAtRest(st Status, names []string) error {
	all := len(names) == 0
	if all {
		for _, t := range st.Twins {
			names = append(names, t.Name)
		}
	}
	for _, name := range names {
		t, ok := st.Twin(name)
		if !ok {
			return fmt.Errorf("resetting workspace %s: there is no such workspace", name)
		}
		var id identity
		file := filepath.Join(t.Dir, "twin.json")
		if err := disk.Load(file, &id); err != nil {
			return err
		}
		id.Era++
		if err := errors.Join(disk.Save(file, id), wipe(t.Dir)); err != nil {
			return err
		}
	}
	if all {
		return errors.Join(os.RemoveAll(mlflowDir(st.Dir)), os.RemoveAll(metastore(st.Dir)))
	}
	return nil
}
