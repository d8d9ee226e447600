package databricks

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/bargeml/barge/internal/transport"
)

// Job is a job and its settings: canonical JSON with whatever the service holds, its defaults too.
type Job struct {
	ID        int64
	Name      string
	Tags      map[string]string
	Creator   string
	RunAs     string // a user's name or a service principal's application id
	CreatedAt time.Time
	Settings  json.RawMessage
}

type jobInfo struct {
	JobID       int64           `json:"job_id"`
	Creator     string          `json:"creator_user_name"`
	RunAs       string          `json:"run_as_user_name"`
	CreatedTime int64           `json:"created_time"`
	Settings    json.RawMessage `json:"settings"`
}

func (i jobInfo) job() (Job, error) {
	j := Job{ID: i.JobID, Creator: i.Creator, RunAs: i.RunAs, CreatedAt: millis(i.CreatedTime)}
	var named struct {
		Name string            `json:"name"`
		Tags map[string]string `json:"tags"`
	}
	var err error
	if j.Settings, err = canonical(i.Settings); err == nil {
		err = json.Unmarshal(i.Settings, &named)
	}
	if err != nil {
		return j, fmt.Errorf("reading the settings of job %d: %w", i.JobID, err)
	}
	j.Name, j.Tags = named.Name, named.Tags
	return j, nil
}

// CreateJob makes a job and returns its id. Each call makes another one.
func (w *Workspace) CreateJob(ctx context.Context, settings json.RawMessage) (int64, error) {
	var out struct {
		JobID int64 `json:"job_id"`
	}
	err := w.do(ctx, call{doing: "creating a job", method: http.MethodPost, path: "/api/2.2/jobs/create", in: settings, out: &out})
	return out.JobID, err
}

// ResetJob replaces a job's settings by these; who it runs as is kept where they do not say. Safe to repeat.
func (w *Workspace) ResetJob(ctx context.Context, id int64, settings json.RawMessage) error {
	return w.do(transport.Default(ctx, transport.Safe), call{
		doing: fmt.Sprintf("setting job %d", id), method: http.MethodPost, path: "/api/2.2/jobs/reset",
		in: map[string]any{"job_id": id, "new_settings": settings},
	})
}

// GetJob reads a job; fs.ErrNotExist when there is none of that id.
func (w *Workspace) GetJob(ctx context.Context, id int64) (Job, error) {
	query := url.Values{"job_id": {strconv.FormatInt(id, 10)}}
	var info jobInfo
	err := w.do(ctx, call{
		doing: fmt.Sprintf("reading job %d", id), method: http.MethodGet, path: "/api/2.2/jobs/get", query: query, out: &info,
	})
	if err != nil {
		return Job{}, err
	}
	return info.job()
}

// FindJobs lists the jobs that carry a tag with this value, oldest first. Of a job that a list tells of, the settings
// lack its tasks: GetJob has them. A list may be old.
func (w *Workspace) FindJobs(ctx context.Context, tag, value string) ([]Job, error) {
	return w.listJobs(ctx, url.Values{}, tag, value)
}

// FindNamedJobs is FindJobs among the jobs of one name: where a workspace has thousands of jobs, one call does.
func (w *Workspace) FindNamedJobs(ctx context.Context, name, tag, value string) ([]Job, error) {
	return w.listJobs(ctx, url.Values{"name": {name}}, tag, value)
}

func (w *Workspace) listJobs(ctx context.Context, query url.Values, tag, value string) ([]Job, error) {
	var jobs []Job
	for query.Set("limit", "100"); ; {
		var page struct {
			Jobs          []jobInfo `json:"jobs"`
			NextPageToken string    `json:"next_page_token"`
		}
		err := w.do(ctx, call{doing: "listing jobs", method: http.MethodGet, path: "/api/2.2/jobs/list", query: query, out: &page})
		if err != nil {
			return nil, err
		}
		for _, i := range page.Jobs {
			j, err := i.job()
			if err != nil {
				return nil, err
			}
			if v, has := j.Tags[tag]; has && v == value {
				jobs = append(jobs, j)
			}
		}
		if page.NextPageToken == "" {
			break
		}
		query.Set("page_token", page.NextPageToken)
	}
	slices.SortFunc(jobs, func(a, b Job) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return jobs, nil
}

// DeleteJob removes a job; its runs stay readable. fs.ErrNotExist when it is gone already.
func (w *Workspace) DeleteJob(ctx context.Context, id int64) error {
	return w.do(transport.Default(ctx, transport.Observable), call{
		doing: fmt.Sprintf("deleting job %d", id), method: http.MethodPost, path: "/api/2.2/jobs/delete",
		in: map[string]any{"job_id": id},
	})
}
