package console

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOneTone(t *testing.T) {
	var out, err bytes.Buffer
	c := New(&out, &err)
	c.Error("reading %s: no such file\n", "barge.hcl")
	c.Hint("barge validate\nsays more")
	c.Warn("left out: a.py")
	c.Note("  set %s", "job:nightly")
	want := "barge: error: reading barge.hcl: no such file\nbarge: hint: barge validate\n  says more\nbarge: warning: left out: a.py\n  set job:nightly\n"
	if diff := cmp.Diff(want, err.String()); diff != "" {
		t.Error(diff)
	}
	if out.Len() > 0 {
		t.Errorf("stdout has %q", out.String())
	}
}

func TestEncode(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
	}{
		{map[string]string{"live": "a<b"}, "{\n  \"format_version\": 1,\n  \"live\": \"a<b\"\n}\n"},
		{struct{}{}, "{\n  \"format_version\": 1\n}\n"},
		{[]int{1}, ""},
		{math.NaN(), ""},
	} {
		got, err := Encode(c.v)
		if diff := cmp.Diff(c.want, string(got)); diff != "" || (err != nil) != (c.want == "") {
			t.Errorf("%v: %v %s", c.v, err, diff)
		}
	}
}

// A disk takes so many bytes, and then no more.
type disk struct {
	left int
	got  bytes.Buffer
}

var errFull = errors.New("no space left")

func (d *disk) Write(p []byte) (int, error) {
	n := min(d.left, len(p))
	d.got.Write(p[:n])
	if d.left -= n; n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestOutputTellsOnceThatSomethingIsLost(t *testing.T) {
	d := &disk{left: 4}
	out := NewOutput(d)
	for i, lost := range []error{nil, errFull, errFull} {
		if n, err := io.WriteString(out, "abc"); n != 3 || err != nil {
			t.Fatalf("write %d: %d bytes, %v", i+1, n, err)
		}
		if got := out.Lost(); !errors.Is(got, lost) {
			t.Errorf("after write %d lost is %v, not %v", i+1, got, lost)
		}
		d.left += 3 * i // space again after the second: what came before is lost all the same, and nothing may look whole
	}
	if got := d.got.String(); got != "abca" {
		t.Errorf("written is %q", got)
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	Table(&out, []string{"ENVIRONMENT", "CHAMPION"}, [][]string{{"test", "1.4.0"}, {"prod", "-"}})
	want := "ENVIRONMENT  CHAMPION\ntest         1.4.0\nprod         -\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestTimeOnATerminalAndInAPipe(t *testing.T) {
	now := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		ago            time.Duration
		terminal, pipe string
	}{
		{30 * time.Second, "just now", "2026-03-03T11:59:30Z"},
		{5 * time.Minute, "5 min ago", "2026-03-03T11:55:00Z"},
		{47 * time.Hour, "47 h ago", "2026-03-01T13:00:00Z"},
		{72 * time.Hour, "3 days ago", "2026-02-28T12:00:00Z"},
	} {
		got := []string{(&Console{Terminal: true}).Time(now.Add(-c.ago), now), (&Console{}).Time(now.Add(-c.ago), now)}
		if diff := cmp.Diff([]string{c.terminal, c.pipe}, got); diff != "" {
			t.Errorf("%s ago: %s", c.ago, diff)
		}
	}
	if got := (&Console{}).Time(time.Time{}, now); got != "-" {
		t.Errorf("the zero time is %q", got)
	}
}
