package python

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// answerMark stands before what the program that makes layers answers, behind what pip says.
const answerMark = "\x1e"

// layer returns the environment that has these libraries, lines of a requirements file: the base itself when there are
// none. say, which may be nil, hears what pip does. Where pip refuses them the error is an *installError.
func (i Interpreter) layer(ctx context.Context, t Twin, lines []string, say func(string)) (string, error) {
	if len(lines) == 0 {
		return i.Dir, nil
	}
	if say == nil {
		say = func(string) {}
	}
	say("installing libraries: " + withoutPasswords(strings.Join(lines, ", ")))
	defer say("")
	list, err := os.CreateTemp("", "barge-libraries-")
	if err != nil {
		return "", err
	}
	defer os.Remove(list.Name())
	err = json.NewEncoder(list).Encode(map[string]any{"lines": lines, "mounts": t.mounts()})
	if err := errors.Join(err, list.Close()); err != nil {
		return "", err
	}
	out := &listener{say: say}
	argv := append(i.boot(i.Dir), "layer", filepath.Join(i.cache, "layers"), i.Dir, list.Name())
	process, err := i.start(ctx, command{argv: argv, environ: i.pipEnviron(), out: out})
	if err != nil {
		return "", err
	}
	err = process.Wait()
	said, answer, answered := strings.Cut(out.all.String(), answerMark)
	answer = strings.TrimSpace(answer)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil && answered:
		return "", &installError{said: withoutPasswords(answer), cause: err}
	case err != nil:
		return "", errors.New(death(err) + "\n" + withoutPasswords(tail(said, 20)))
	}
	return answer, nil
}

// mounts are the folders of a twin by the names that notebooks know them by.
func (t Twin) mounts() map[string]string {
	return map[string]string{"dbfs": t.DBFS, "Volumes": t.Volumes, "Workspace": t.Workspace}
}

// listener keeps all that is written, and passes on the lines that tell how far pip has come.
type listener struct {
	all  bytes.Buffer
	line []byte
	say  func(string)
}

func (l *listener) Write(p []byte) (int, error) {
	l.all.Write(p)
	l.line = append(l.line, p...)
	for {
		line, rest, ended := bytes.Cut(l.line, []byte("\n"))
		if !ended {
			return len(p), nil
		}
		l.line = rest
		text := strings.TrimSpace(string(line))
		for _, step := range []string{"Collecting ", "Downloading ", "Building ", "Installing "} {
			if strings.HasPrefix(text, step) {
				l.say("installing libraries: " + withoutPasswords(text))
			}
		}
	}
}
