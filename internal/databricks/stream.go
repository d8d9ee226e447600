package databricks

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/databricks/databricks-sdk-go/apierr"
)

// Stream reads what a path of the API answers as it comes, for what need not fit into memory. The caller closes it.
// Doing opens the message of an error, as in Do.
func (w *Workspace) Stream(ctx context.Context, doing, path string) (io.ReadCloser, error) {
	c := call{doing: doing, method: http.MethodGet, path: path}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.o.Host+path, nil)
	if err != nil {
		return nil, w.explain(c, err)
	}
	if err := w.authorise(r); err != nil {
		return nil, w.explain(c, err)
	}
	// The token is this host's: it follows no redirect.
	resp, err := w.o.Transport.RoundTrip(r)
	if err != nil {
		return nil, w.explain(c, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return nil, w.explain(c, redirected(resp))
	}
	said := struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}{Message: resp.Status}
	_ = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said) // else the status says it
	return nil, w.explain(c, &apierr.APIError{StatusCode: resp.StatusCode, ErrorCode: said.Code, Message: said.Message})
}
