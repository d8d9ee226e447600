package mlflow

import (
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"

	"github.com/bargeml/barge/internal/sandbox/wire"
)

// comment is a remark on a model version.
type comment struct {
	ID      string   `json:"id"`
	User    string   `json:"user_id"`
	Text    string   `json:"comment"`
	Created int64    `json:"creation_timestamp"`
	Updated int64    `json:"last_updated_timestamp"`
	Actions []string `json:"available_actions"`
}

// activity is what was asked or done about a version's stage.
type activity struct {
	ID      string   `json:"id"`
	Type    string   `json:"activity_type"`
	User    string   `json:"user_id"`
	Text    string   `json:"comment,omitempty"`
	From    string   `json:"from_stage"`
	To      string   `json:"to_stage"`
	Created int64    `json:"creation_timestamp"`
	Updated int64    `json:"last_updated_timestamp"`
	Actions []string `json:"available_actions,omitempty"`
}

func (f *Front) requestRoutes(m *wire.Mux) {
	const api = "/api/2.0/mlflow/"
	f.json(m, "POST "+api+"comments/create", f.createComment)
	f.json(m, "PATCH "+api+"comments/update", f.updateComment)
	f.json(m, "DELETE "+api+"comments/delete", f.deleteComment)
	f.json(m, "POST "+api+"transition-requests/create", f.createRequest)
	f.json(m, "POST "+api+"transition-requests/approve", func(r *http.Request) (any, error) { return f.closeRequest(r, "APPROVED_REQUEST") })
	f.json(m, "POST "+api+"transition-requests/reject", func(r *http.Request) (any, error) { return f.closeRequest(r, "REJECTED_REQUEST") })
	f.json(m, "DELETE "+api+"transition-requests/delete", func(r *http.Request) (any, error) { return f.closeRequest(r, "CANCELLED_REQUEST") })
	f.json(m, "GET "+api+"transition-requests/list", f.listRequests)
}

// remark is a request about one version; parameters may stand in the query as well.
type remark struct {
	Name, Version, Stage, Text, Creator string
	Archive                             bool
	current                             string // stage that the version is in now
}

// remark reads a request and makes sure that its version exists.
func (f *Front) remark(r *http.Request) (remark, error) {
	in, err := fields(r)
	if err != nil {
		return remark{}, err
	}
	for key, values := range r.URL.Query() {
		in[key] = values[0]
	}
	m := remark{Name: text(in, "name"), Version: text(in, "version"), Stage: text(in, "stage"), Text: text(in, "comment"), Creator: text(in, "creator")}
	m.Archive, _ = in["archive_existing_versions"].(bool)
	if err := checkComment(m.Text); err != nil {
		return m, err
	}
	var out struct {
		Version struct {
			Stage string `json:"current_stage"`
		} `json:"model_version"`
	}
	err = f.get(r.Context(), "model-versions/get", url.Values{"name": {m.Name}, "version": {m.Version}}, &out)
	m.current = out.Version.Stage
	return m, err
}

func checkComment(text string) error {
	if n := utf8.RuneCountInString(text); n > 65535 {
		return wire.Invalid("A comment may have at most 65535 characters, this one has %d.", n)
	}
	return nil
}

func (f *Front) edit(m remark, edit func(*versionNote) error) error {
	return f.notes.change(func(models map[string]*modelNote) error {
		return edit(noted(models, m.Name, f.User).version(m.Version))
	})
}

func (f *Front) createComment(r *http.Request) (any, error) {
	m, err := f.remark(r)
	if err != nil {
		return nil, err
	}
	if m.Text == "" {
		return nil, wire.Invalid("Comments cannot be empty.")
	}
	now := f.Now().UnixMilli()
	c := comment{newID(), f.User, m.Text, now, now, []string{"EDIT_COMMENT", "DELETE_COMMENT"}}
	err = f.edit(m, func(v *versionNote) error {
		v.Comments = append(v.Comments, c)
		return nil
	})
	return map[string]any{"comment": c}, err
}

func (f *Front) updateComment(r *http.Request) (any, error) {
	var in struct {
		ID   string `json:"id"`
		Text string `json:"comment"`
	}
	if err := wire.Decode(r, &in); err != nil {
		return nil, err
	}
	if in.Text == "" {
		return nil, wire.Invalid("Comments cannot be empty.")
	}
	var changed comment
	err := f.notes.change(func(models map[string]*modelNote) error {
		v, i := findComment(models, in.ID)
		if v == nil {
			return noComment(in.ID)
		}
		v.Comments[i].Text, v.Comments[i].Updated = in.Text, f.Now().UnixMilli()
		changed = v.Comments[i]
		return nil
	})
	return map[string]any{"comment": changed}, err
}

func (f *Front) deleteComment(r *http.Request) (any, error) {
	in, err := fields(r)
	if err != nil {
		return nil, err
	}
	id := text(in, "id")
	if id == "" {
		id = r.URL.Query().Get("id")
	}
	return nil, f.notes.change(func(models map[string]*modelNote) error {
		v, i := findComment(models, id)
		if v == nil {
			return noComment(id)
		}
		v.Comments = slices.Delete(v.Comments, i, i+1)
		return nil
	})
}

func findComment(models map[string]*modelNote, id string) (*versionNote, int) {
	for _, m := range models {
		for _, v := range m.Versions {
			if i := slices.IndexFunc(v.Comments, func(c comment) bool { return c.ID == id }); i >= 0 {
				return v, i
			}
		}
	}
	return nil, 0
}

func noComment(id string) error { return wire.NotFound("Comment %s does not exist.", id) }

// stageName is a stage as MLflow writes it, whatever its case.
func stageName(s string) (string, error) {
	for _, stage := range stages {
		if equalFold(s, stage) {
			return stage, nil
		}
	}
	return "", badStage(s)
}

func (f *Front) createRequest(r *http.Request) (any, error) {
	m, err := f.remark(r)
	if err != nil {
		return nil, err
	}
	stage, err := stageName(m.Stage)
	if err != nil {
		return nil, err
	}
	now := f.Now().UnixMilli()
	a := activity{
		ID: newID(), Type: "REQUESTED_TRANSITION", User: f.User, Text: m.Text, From: m.current, To: stage, Created: now, Updated: now,
		Actions: []string{"APPROVE_TRANSITION_REQUEST", "REJECT_TRANSITION_REQUEST", "CANCEL_TRANSITION_REQUEST"},
	}
	err = f.edit(m, func(v *versionNote) error {
		if slices.ContainsFunc(v.Requests, func(o activity) bool { return o.To == stage && o.User == f.User }) {
			return wire.Errorf(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "A request to transition this model version to stage %s already exists.", stage)
		}
		v.Requests = append(v.Requests, a)
		return nil
	})
	return map[string]any{"request": a}, err
}

// closeRequest ends the open request for a stage; an approved one moves the version there first.
func (f *Front) closeRequest(r *http.Request, how string) (any, error) {
	m, err := f.remark(r)
	if err != nil {
		return nil, err
	}
	stage, err := stageName(m.Stage)
	if err != nil {
		return nil, err
	}
	wanted := func(o activity) bool { return o.To == stage && (m.Creator == "" || o.User == m.Creator) }
	if !slices.ContainsFunc(f.notes.version(m.Name, m.Version).Requests, wanted) {
		return nil, wire.NotFound("There is no open request to transition model version %s of %s to stage %s.", m.Version, m.Name, stage)
	}
	if how == "APPROVED_REQUEST" {
		in := map[string]any{"name": m.Name, "version": m.Version, "stage": stage, "archive_existing_versions": m.Archive}
		if _, err := f.moveTo(r.Context(), in); err != nil {
			return nil, err
		}
	}
	now := f.Now().UnixMilli()
	a := activity{ID: newID(), Type: how, User: f.User, Text: m.Text, From: m.current, To: stage, Created: now, Updated: now}
	err = f.edit(m, func(v *versionNote) error {
		v.Requests = slices.DeleteFunc(v.Requests, wanted)
		return nil
	})
	return map[string]any{"activity": a}, err
}

func (f *Front) listRequests(r *http.Request) (any, error) {
	m, err := f.remark(r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"requests": append([]activity{}, f.notes.version(m.Name, m.Version).Requests...)}, nil
}
