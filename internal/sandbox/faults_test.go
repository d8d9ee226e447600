package sandbox_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/bargeml/barge/internal/sandbox"
)

const (
	mkdirs = "POST /api/2.0/workspace/mkdirs"
	folder = `{"path":"/Shared/x"}`
	status = "GET /api/2.0/workspace/get-status?path=/Shared/x"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	const reset = "connection reset by peer"
	for _, row := range []struct {
		name, fault string
		first       string // what the first mkdirs is answered
		effect      bool   // whether it was made all the same
	}{
		{"status", `{"action":"status","status":429,"headers":{"Retry-After":"1"}}`, `429 {"error_code":"REQUEST_LIMIT_EXCEEDED","message":"The sandbox was told to answer 429."}`, false},
		{"status with its own words", `{"action":"status","error_code":"ODD","message":"no"}`, `500 {"error_code":"ODD","message":"no"}`, false},
		{"status after the effect", `{"action":"status_after","status":504}`, `504 {"error_code":"DEADLINE_EXCEEDED","message":"The sandbox was told to answer 504."}`, true},
		{"reset before", `{"action":"reset_before"}`, reset, false},
		{"reset after", `{"action":"reset_after"}`, reset, true},
		{"ignore", `{"action":"ignore"}`, `200 {}`, false},
		{"by method", `{"action":"status","method":"GET"}`, `200 {}`, true},
		{"by prefix", `{"action":"ignore","path":"/api/2.0/workspace/"}`, `200 {}`, false},
		{"by another prefix", `{"action":"status","path":"/api/2.0/secrets"}`, `200 {}`, true},
		{"by pattern", `{"action":"ignore","path":"/api/*/workspace/mk*"}`, `200 {}`, false},
		{"by deep pattern", `{"action":"ignore","path":"/**/mkdirs"}`, `200 {}`, false},
		{"by body", `{"action":"ignore","body_contains":"/Shared/x"}`, `200 {}`, false},
		{"by another body", `{"action":"status","body_contains":"/Shared/y"}`, `200 {}`, true},
		{"skip", `{"action":"status","skip":1}`, `200 {}`, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			twin := start(t, "dev").Twin("dev")
			same(t, "fault", call(t, twin, "POST /_sandbox/faults", row.fault), `200 {}`)
			if got := call(t, twin, mkdirs, folder); !strings.HasSuffix(got, row.first) {
				t.Errorf("got %s, want %s", got, row.first)
			}
			same(t, "clear", call(t, twin, "DELETE /_sandbox/faults", ""), `200 {}`)
			same(t, "effect", strings.HasPrefix(call(t, twin, status, ""), "200 "), row.effect)
			same(t, "second", call(t, twin, mkdirs, folder), `200 {}`)
		})
	}
}

func TestFaultsAreUsedUp(t *testing.T) {
	t.Parallel()
	twin := start(t, "dev").Twin("dev")
	for _, f := range []sandbox.Fault{{Action: sandbox.FaultStatus, Status: 503, Skip: 1, Times: 2}, {Action: sandbox.FaultStatus, Status: 500, Path: "/api/2.0/secrets", Times: -1}} {
		if err := twin.Fault(f); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for range 5 {
		got = append(got, call(t, twin, "GET /api/2.0/secrets/scopes/list", "")[:3])
	}
	same(t, "answers", got, []string{"500", "503", "503", "500", "500"})
	same(t, "left", call(t, twin, "GET /_sandbox/faults", ""), `200 [{"path":"/api/2.0/secrets","times":-1,"action":"status","status":500}]`)
}

func TestStaleAnswers(t *testing.T) {
	t.Parallel()
	twin := start(t, "dev").Twin("dev")
	const list = "GET /api/2.0/secrets/scopes/list"
	same(t, "before", call(t, twin, list, ""), `200 {}`)
	same(t, "create", call(t, twin, "POST /api/2.0/secrets/scopes/create", `{"scope":"s"}`), `200 {}`)
	same(t, "fault", call(t, twin, "POST /_sandbox/faults", `{"action":"stale","method":"GET"}`), `200 {}`)
	same(t, "stale", call(t, twin, list, ""), `200 {}`)
	same(t, "fresh", call(t, twin, list, ""), `200 {"scopes":[{"backend_type":"DATABRICKS","name":"s"}]}`)
}

func TestArrivesLateWhenItIsLet(t *testing.T) {
	t.Parallel()
	twin := start(t, "dev").Twin("dev")
	same(t, "fault", call(t, twin, "POST /_sandbox/faults", `{"action":"late"}`), `200 {}`)
	ctx, giveUp := context.WithCancel(t.Context())
	gone := send(ctx, t, twin, folder)
	for call(t, twin, "GET /_sandbox/late", "") != `200 {"late":1}` {
		runtime.Gosched()
	}
	giveUp()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	same(t, "before", call(t, twin, status, "")[:4], "404 ")
	same(t, "let", call(t, twin, "POST /_sandbox/late/arrive", ""), `200 {"arrived":1}`)
	same(t, "after", call(t, twin, status, "")[:4], "200 ")
	same(t, "nothing is left", call(t, twin, "POST /_sandbox/late/arrive", ""), `200 {"arrived":0}`)
}

func TestArrivesLateByItself(t *testing.T) {
	t.Parallel()
	twin := start(t, "dev").Twin("dev")
	same(t, "fault", call(t, twin, "POST /_sandbox/faults", `{"action":"late","seconds":0.2}`), `200 {}`)
	if err := <-send(t.Context(), t, twin, folder); err == nil || !strings.HasSuffix(err.Error(), "connection reset by peer") {
		t.Error(err)
	}
	same(t, "after", call(t, twin, status, "")[:4], "200 ")
}

// send makes a folder; the channel gets what became of the call.
func send(ctx context.Context, t *testing.T, twin *sandbox.Twin, folder string) <-chan error {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, twin.URL+"/api/2.0/workspace/mkdirs", strings.NewReader(folder))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+twin.Token)
	done := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			err = errors.Join(errors.New("it was answered"), resp.Body.Close())
		}
		done <- err
	}()
	return done
}

func TestHangsUntilTheClientIsGone(t *testing.T) {
	t.Parallel()
	s := start(t, "dev")
	twin := s.Twin("dev")
	if err := twin.Fault(sandbox.Fault{Action: sandbox.FaultHang}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := send(ctx, t, twin, folder)
	for len(twin.Log()) == 0 { // the call has arrived
		same(t, "status", call(t, twin, "GET /_sandbox/status", "")[:4], "200 ")
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestWrongFaults(t *testing.T) {
	t.Parallel()
	twin := start(t, "dev").Twin("dev")
	for body, want := range map[string]string{
		`{"action":"explode"}`:              `action must be one of status, status_after, reset_before, reset_after, ignore, hang, late, stale, got \"explode\"`,
		`{"action":"status","status":99}`:   `status must be one of HTTP, got 99`,
		`{"action":"status","path":"/a/["}`: `path is not a valid pattern: \"/a/[\"`,
	} {
		same(t, body, call(t, twin, "POST /_sandbox/faults", body), `400 {"error_code":"INVALID_PARAMETER_VALUE","message":"`+want+`"}`)
	}
}
