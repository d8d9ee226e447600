package registry

import (
	"context"
	"net/http"
	"net/url"
)

// Parameters reads the parameters of the run that made a version; none when the version tells no run.
func (r *Workspace) Parameters(ctx context.Context, v Version) (map[string]string, error) {
	parameters := map[string]string{}
	if v.RunID == "" {
		return parameters, nil
	}
	var out struct {
		Run struct {
			Data struct {
				Params []struct {
					Key   string `json:"key"`
					Value string `json:"value"`
				} `json:"params"`
			} `json:"data"`
		} `json:"run"`
	}
	err := r.w.Do(ctx, "reading the parameters of run "+v.RunID, http.MethodGet, api+"runs/get", url.Values{"run_id": {v.RunID}}, nil, &out)
	for _, p := range out.Run.Data.Params {
		parameters[p.Key] = p.Value
	}
	return parameters, err
}
