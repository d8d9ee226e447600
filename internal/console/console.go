// Package console is how barge talks: results on stdout, all else on stderr, in one tone.
//
// Errors, warnings and hints are lower case without a full stop; a hint says what to type next. On a terminal times are
// relative and colour is used; in a pipe times are RFC 3339, in UTC, and nothing is cut short.
package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"golang.org/x/term"
)

// Console writes for one command.
type Console struct {
	Out, Err io.Writer
	JSON     bool // -o json: Out carries one JSON document and nothing else
	Terminal bool // Err is a terminal
}

// New says for out and err whether they are terminals. NO_COLOR and TERM=dumb count as none.
func New(out, err io.Writer) *Console {
	f, ok := err.(*os.File)
	terminal := ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return &Console{Out: out, Err: err, Terminal: terminal}
}

// Note reports progress: one line on stderr.
func (c *Console) Note(format string, args ...any) {
	fmt.Fprintf(c.Err, format+"\n", args...)
}

// Warn says what the user should know though the command goes on.
func (c *Console) Warn(format string, args ...any) { c.say("warning", "33", format, args...) }

// Error says why the command ends.
func (c *Console) Error(format string, args ...any) { c.say("error", "31", format, args...) }

// Hint says what to type next.
func (c *Console) Hint(format string, args ...any) { c.say("hint", "36", format, args...) }

func (c *Console) say(kind, colour, format string, args ...any) {
	label := kind + ":"
	if c.Terminal {
		label = "\x1b[1;" + colour + "m" + label + "\x1b[0m"
	}
	text := strings.TrimRight(fmt.Sprintf(format, args...), "\n")
	fmt.Fprintf(c.Err, "barge: %s %s\n", label, strings.ReplaceAll(text, "\n", "\n  "))
}

// FormatVersion is that of every result's shape; it grows with incompatible change.
const FormatVersion = 1

// Encode is a result as -o json has it: one object that begins with the version of its shape, and ends its line. What v
// encodes to must be an object.
func Encode(v any) ([]byte, error) {
	var fields, document bytes.Buffer
	enc := json.NewEncoder(&fields)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	rest, ok := strings.CutPrefix(fields.String(), "{")
	if !ok {
		return nil, fmt.Errorf("a result is an object, and this is %.20s", fields.String())
	}
	if !strings.HasPrefix(rest, "}") {
		rest = "," + rest
	}
	err := json.Indent(&document, []byte(fmt.Sprintf(`{"format_version":%d%s`, FormatVersion, rest)), "", "  ")
	return document.Bytes(), err
}

// Output is where a result goes. No Write to it fails: who prints line by line asks once, at the end, what Lost says.
type Output struct {
	to   io.Writer
	mu   sync.Mutex
	lost error
}

// NewOutput passes on to w what is written.
func NewOutput(w io.Writer) *Output { return &Output{to: w} }

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost == nil {
		_, o.lost = o.to.Write(p)
	}
	return len(p), nil
}

// Lost is why not all of it could be written: nothing has been since. Nil: it is all there.
func (o *Output) Lost() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost
}

// Table writes rows under a heading, columns aligned by spaces.
func Table(w io.Writer, heading []string, rows [][]string) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(heading, "\t"))
	for _, row := range rows {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	_ = tw.Flush() // w is the console's: see Output
}

// Time is t as the reader wants it: "3 h ago" on a terminal, RFC 3339 in a pipe. The zero time is "-".
func (c *Console) Time(t, now time.Time) string {
	switch {
	case t.IsZero():
		return "-"
	case !c.Terminal:
		return t.UTC().Format(time.RFC3339)
	}
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}
