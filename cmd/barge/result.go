package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"github.com/bargeml/barge/environments"
	"github.com/bargeml/barge/internal/console"
	"github.com/bargeml/barge/release"
)

// result is what a command has to give.
type result struct {
	document []byte          // as JSON, where that is asked for
	human    func(io.Writer) // writes it as text
}

// print gives the command's result. As text it is written at once; as JSON when the command ends, since one document
// tells both what came of it and how it ended.
func (h *house) print(v any, human func(io.Writer)) error {
	if !h.console.JSON {
		h.result = &result{human: human}
		human(h.console.Out)
		return nil
	}
	document, err := console.Encode(v)
	if err != nil {
		return fmt.Errorf("writing the result as JSON: %w", err)
	}
	h.result = &result{document, human}
	return nil
}

// tell prints a result that there is, and then gives the error: a refusal has a result, too.
func (h *house) tell(there bool, err error, v any, human func(io.Writer)) error {
	if !there {
		return err
	}
	return errors.Join(err, h.print(v, human))
}

// printDocument ends a command under -o json: with its result, and where it failed beside it with one error that has the
// same shape for every verb.
func (h *house) printDocument(err error, hint string, stop *release.Stop) {
	if err == nil {
		if h.result != nil {
			_, _ = h.console.Out.Write(h.result.document)
		}
		return
	}
	document := map[string]any{}
	if h.result != nil {
		var fields map[string]json.RawMessage // numbers stay as they are written
		_ = json.Unmarshal(h.result.document, &fields)
		delete(fields, "format_version")
		for key, value := range fields {
			document[key] = value
		}
	}
	code, name := exit(err)
	document["error"], document["hint"] = h.secrets.String(err.Error()), hint
	document["exit"] = map[string]any{"code": code, "name": name}
	var diagnostics environments.Diagnostics
	if errors.As(err, &diagnostics) {
		document["diagnostics"] = diagnostics
	}
	if len(stop.Obstacles) > 0 {
		document["obstacles"] = stop.Obstacles
	}
	if len(stop.Do) > 0 {
		document["left"], document["do"] = append([]string{}, stop.Left...), stop.Do
		document["by_hand"] = append([]release.Deed{}, stop.ByHand...)
	}
	b, _ := console.Encode(document) // of what was encoded before, and of text
	_, _ = h.console.Out.Write(b)
}

// delivered gives the exit code of a command that ends with code, once all of its result is written. What could not be
// is an error, and stands on stderr instead, since a deed that nobody heard of is done all the same. A reader that went
// away has what it wanted: then, as with git, the code alone tells.
func (h *house) delivered(code int) int {
	_ = h.out.Close() // what is left of the last line
	lost := h.output.Lost()
	gone := errors.Is(lost, syscall.EPIPE)
	if lost != nil && !gone {
		var at *fs.PathError
		if errors.As(lost, &at) {
			lost = at.Err
		}
		h.console.Error("cannot write the result to standard output: %s", lost)
		var text strings.Builder
		if h.result != nil {
			h.result.human(&text)
		}
		if text.Len() > 0 {
			h.console.Note("the result:\n%s", strings.TrimSuffix(text.String(), "\n"))
		}
	}
	changes, _ := exit(errChanges)
	switch {
	case lost == nil, code != 0 && code != changes:
		return code
	case gone:
		return 128 + number(syscall.SIGPIPE)
	}
	return 1
}
