package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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

// databricksCLI stands for the Databricks CLI, as far as barge and its handbook name it.
func databricksCLI() {
	if err := commandOf(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func commandOf(args []string) error {
	switch {
	case len(args) == 5 && args[0] == "api" && (args[1] == "post" || args[1] == "put") && args[3] == "--json" && json.Valid([]byte(args[4])):
		_, err := send(strings.ToUpper(args[1]), args[2], []byte(args[4]))
		return err
	case len(args) == 3 && args[0] == "api" && args[1] == "delete":
		_, err := send(http.MethodDelete, args[2], nil)
		return err
	case len(args) == 4 && args[0] == "workspace" && args[1] == "export-dir":
		return exportDir(args[2], args[3])
	case len(args) >= 4 && args[0] == "workspace" && args[1] == "import-dir":
		return importDir(args[2], args[3], strconv.FormatBool(slices.Contains(args[4:], "--overwrite")))
	}
	return fmt.Errorf("databricks %q", args)
}

func exportDir(from, to string) error {
	body, err := send(http.MethodGet, "/api/2.0/workspace/list?path="+url.QueryEscape(from), nil)
	if err != nil {
		return err
	}
	var listed struct {
		Objects []struct {
			Path string `json:"path"`
			Type string `json:"object_type"`
		} `json:"objects"`
	}
	if err := json.Unmarshal(body, &listed); err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, o := range listed.Objects {
		at := filepath.Join(to, path.Base(o.Path))
		if o.Type == "DIRECTORY" {
			if err := exportDir(o.Path, at); err != nil {
				return err
			}
			continue
		}
		content, err := send(http.MethodGet, "/api/2.0/workspace/export?direct_download=true&path="+url.QueryEscape(o.Path), nil)
		if err != nil {
			return err
		}
		if err := os.WriteFile(at, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func importDir(from, to, overwrite string) error {
	return filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		at := path.Join(to, filepath.ToSlash(below))
		if d.IsDir() {
			_, err := send(http.MethodPost, "/api/2.0/workspace/mkdirs", []byte(fmt.Sprintf(`{"path": %q}`, at)))
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		_, err = send(http.MethodPost, "/api/2.0/workspace-files/import-file"+at+"?overwrite="+overwrite, content)
		return err
	})
}

// send makes a call to the workspace that the environment names, as its own token.
func send(method, at string, body []byte) ([]byte, error) {
	token := os.Getenv("DATABRICKS_TOKEN")
	if file := os.Getenv("DATABRICKS_TOKEN_FILE"); token == "" && file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		token = strings.TrimSpace(string(b))
	}
	r, err := http.NewRequest(method, os.Getenv("DATABRICKS_HOST")+at, bytes.NewReader(body)) //nolint:noctx // a command of its own
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, at, answer.Status, got)
	}
	return got, err
}
