package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

var (
	step   = regexp.MustCompile(`(?m)^  \d+\. (.*)$`)
	handed = regexp.MustCompile(`(?m)^  - (.*)$`)
)

// follow is the verb: it types what FILE, or the last command's stderr, says to type, in that order, as it stands there.
func follow(ts *testscript.TestScript, _ *bench, args []string) error {
	steps := step.FindAllStringSubmatch(ts.ReadFile(append(args, "stderr")[0]), -1)
	if len(steps) == 0 {
		return errors.New("nothing says what to type")
	}
	for _, s := range steps {
		if err := ts.Exec("sh", "-c", s[1]); err != nil {
			return fmt.Errorf("%s: %w", s[1], err)
		}
	}
	return nil
}

// byHand is the verb: it sends the calls that FILE, or the last command's stderr, gives for a person to send.
func byHand(ts *testscript.TestScript, b *bench, args []string) error {
	calls := handed.FindAllStringSubmatch(ts.ReadFile(append(args, "stderr")[0]), -1)
	if len(calls) == 0 {
		return errors.New("nothing says what to do by hand")
	}
	for _, c := range calls {
		for _, t := range b.sandbox.Twins() {
			if strings.Contains(c[1], t.URL) {
				ts.Setenv("DATABRICKS_TOKEN", t.Token)
			}
		}
		if err := ts.Exec("sh", "-c", c[1]); err != nil {
			return fmt.Errorf("%s: %w", c[1], err)
		}
	}
	return nil
}

// databricksCLI stands for the Databricks CLI: databricks api post PATH --json BODY.
func databricksCLI() {
	if err := post(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func post(args []string) error {
	if len(args) != 5 || args[0] != "api" || args[1] != "post" || args[3] != "--json" || !json.Valid([]byte(args[4])) {
		return fmt.Errorf("databricks %q", args)
	}
	r, err := http.NewRequest(http.MethodPost, os.Getenv("DATABRICKS_HOST")+args[2], bytes.NewReader([]byte(args[4]))) //nolint:noctx // a command of its own
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+os.Getenv("DATABRICKS_TOKEN"))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, body)
	}
	return err
}
