package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var earlierBarge = flag.String("earlier", "", "a barge of an earlier commit, which TestSame lets build too")

// TestSame builds the repositories below testdata/same, the strangers' among them, in processes that have nothing in common
// but the commit, and holds them to the ids and digests that stand in the scripts. A barge of an earlier commit made these:
// they may never change, for a release that was proven would be another one. The barge.hcl of the strangers is what init
// once wrote for them. Scripts have other verbs:
//
//	repository DIR [FOLDER]       all of DIR in a commit; the script goes on in there; the sandbox of the project in FOLDER
//	registered MODEL DIGEST       a version in the registry, tagged as the training with that digest leaves it
//	same FOLDER ID DIGEST         builds the project there in every way, and demands this id and this OCI digest
func TestSame(t *testing.T) {
	t.Parallel()
	p := scripts("same")
	p.Cmds["repository"] = verb(sameRepository)
	p.Cmds["registered"] = verb(registered)
	p.Cmds["same"] = verb(sameArtifact)
	testscript.Run(t, p)
}

func sameRepository(ts *testscript.TestScript, b *bench, args []string) error {
	if len(args) == 0 || len(args) > 2 {
		return errors.New("repository DIR [FOLDER]")
	}
	if err := ts.Chdir(args[0]); err != nil {
		return err
	}
	for _, line := range [][]string{{"init", "-q", "-b", "main"}, {"add", "--all", "."}, {"commit", "-qm", "One"}, {"commit", "-qm", "Two", "--allow-empty"}} {
		if err := ts.Exec("git", line...); err != nil {
			return err
		}
	}
	ts.Setenv("BARGE_SANDBOX_DIR", ts.MkAbs(filepath.Join("..", "twins")))
	root := ts.MkAbs(".")
	if len(args) == 2 {
		if err := ts.Chdir(args[1]); err != nil {
			return err
		}
	}
	return errors.Join(strangersTwins(ts, b, nil), ts.Chdir(root))
}

func registered(_ *testscript.TestScript, b *bench, args []string) error {
	if len(args) != 2 {
		return errors.New("registered MODEL DIGEST")
	}
	t, err := b.twin("prod")
	if err != nil {
		return err
	}
	folder := filepath.Join(t.Files().DBFS(), args[0])
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for name, content := range map[string]string{"MLmodel": "flavors: {}\n", "model.pkl": args[0]} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	_ = b.call("prod", http.MethodPost, mlflowAPI+"registered-models/create", map[string]any{"name": args[0]}, nil) // or it is there
	return b.call("prod", http.MethodPost, mlflowAPI+"model-versions/create", map[string]any{
		"name": args[0], "source": "dbfs:/" + args[0], "tags": []map[string]string{{"key": "barge.training", "value": args[1]}},
	}, nil)
}

// sameArtifact builds where all is one way and where all is another, by every barge there is.
func sameArtifact(ts *testscript.TestScript, _ *bench, args []string) error {
	if len(args) != 3 {
		return errors.New("same FOLDER ID DIGEST")
	}
	const (
		one     = "umask 022; cd %q && exec env HOME=/nowhere TZ=UTC LC_ALL=C GOMAXPROCS=1 %q build"
		another = "umask 077; cd %q && exec env HOME=$WORK TZ=Asia/Kathmandu LC_ALL=tr_TR.UTF-8 GOMAXPROCS=16 GOGC=5 %q build"
	)
	shallow := ts.MkAbs("../another place, for größe")
	if err := ts.Exec("git", "clone", "-q", "--depth", "1", "file://"+ts.MkAbs("."), shallow); err != nil {
		return err
	}
	defer os.RemoveAll(shallow)
	binaries := []string{"barge"}
	if *earlierBarge != "" {
		binaries = []string{*earlierBarge, "barge"}
	}
	for _, binary := range binaries {
		for way, root := range map[string]string{one: ts.MkAbs("."), another: shallow} {
			folder := filepath.Join(root, args[0])
			if err := ts.Exec("sh", "-c", fmt.Sprintf(way, folder, binary)); err != nil {
				return fmt.Errorf("%s: %w", binary, err)
			}
			id, digest, err := builtIn(filepath.Join(folder, ".barge", "store"))
			if err = errors.Join(err, os.RemoveAll(filepath.Join(folder, ".barge"))); err != nil {
				return err
			}
			if id != args[1] || digest != args[2] {
				return fmt.Errorf("%s in %s made of %s\n  %s %s, and it is to be\n  %s %s", binary, root, args[0], id, digest, args[1], args[2])
			}
		}
	}
	return nil
}

// builtIn finds the one artifact of a store, by no code of barge's own.
func builtIn(store string) (id, digest string, err error) {
	var index struct {
		Manifests []struct {
			Digest      string
			Annotations map[string]string
		}
	}
	b, err := os.ReadFile(filepath.Join(store, "index.json"))
	if err == nil {
		err = json.Unmarshal(b, &index)
	}
	for _, m := range index.Manifests {
		if hex, ok := strings.CutPrefix(m.Annotations["org.opencontainers.image.ref.name"], "id."); ok {
			return "sha256:" + hex, m.Digest, err
		}
	}
	return "", "", errors.Join(err, fmt.Errorf("%s holds no artifact", store))
}
