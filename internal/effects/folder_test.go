package effects_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bargeml/barge/internal/effects"
	"github.com/bargeml/barge/internal/sandbox"
)

var shipped = files{
	"score.py": "# Databricks notebook source\nread('/mnt/a/b/x')\n", "deep/check.py": "# Databricks notebook source\n",
	"conf/prod.yml": "path: /mnt/a/\n",
}

func TestBindingsAreExactText(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, c := range map[string]struct {
		bind  map[string]string
		text  string
		want  string
		bound map[string]int
	}{
		"none":                             {nil, "a /mnt/a/ b", "a /mnt/a/ b", map[string]int{}},
		"every one":                        {map[string]string{"/a/": "/b/"}, "/a/x /a/y", "/b/x /b/y", map[string]int{"/a/": 2}},
		"the longest":                      {map[string]string{"/a/": "1", "/a/b/": "2"}, "/a/b/ /a/c/", "2 1c/", map[string]int{"/a/": 1, "/a/b/": 1}},
		"what replaced one is not another": {map[string]string{"test": "preprod", "prod": "live"}, "test prod", "preprod live", map[string]int{"test": 1, "prod": 1}},
		"no pattern":                       {map[string]string{"a.c": "$1"}, "abc a.c", "abc $1", map[string]int{"a.c": 1}},
		"one that does not occur":          {map[string]string{"/x/": "y"}, "text", "text", map[string]int{"/x/": 0}},
	} {
		f, err := b.site.Folder(t.Context(), files{"conf/c": c.text}, effects.Deployment{Bind: c.bind})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := b.site.Deploy(t.Context(), f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := b.site.Workspace.ReadFile(t.Context(), f.Path+"/conf/c")
		if string(got) != c.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
		if diff := cmp.Diff(c.bound, f.Bound); diff != "" {
			t.Errorf("%s: bound (-want +got):\n%s", name, diff)
		}
		if unbound := f.Unbound(); (len(unbound) > 0) != (name == "one that does not occur") {
			t.Errorf("%s: unbound %v", name, unbound)
		}
	}
}

// In Jupyter's format a text stands with JSON's escapes, and so does what replaces it.
func TestBindingsInJupyterNotebooks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const notebook = `{
 "cells": [{"cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [], "source": ["path = \"/mnt/a\"\n", "pattern = '\\\\d'"]}],
 "metadata": {}, "nbformat": 4, "nbformat_minor": 5
}`
	f, err := b.site.Folder(t.Context(), files{"n.ipynb": notebook}, effects.Deployment{Bind: map[string]string{
		`"/mnt/a"`: `"/mnt/b" + "\c"`, `'\\d'`: "'é\n'",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{`"/mnt/a"`: 1, `'\\d'`: 1}, f.Bound); diff != "" {
		t.Errorf("bound (-want +got):\n%s", diff)
	}
	if _, err := b.site.Deploy(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	got, err := b.site.Workspace.ReadFile(t.Context(), f.Path+"/n")
	if want := "path = \"/mnt/b\" + \"\\c\"\npattern = 'é\n'"; err != nil || !strings.Contains(string(got), want) {
		t.Errorf("deployed as %s, %v", got, err)
	}
}

func TestAFolderIsNamedByWhatIsInIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	folder := func(f files, d effects.Deployment) *effects.Folder {
		t.Helper()
		made, err := b.site.Folder(t.Context(), f, d)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	one := folder(shipped, effects.Deployment{})
	for range 3 { // the files come in any order
		if again := folder(shipped, effects.Deployment{}); again.Path != one.Path {
			t.Errorf("%s and %s", again.Path, one.Path)
		}
	}
	if bound := folder(shipped, effects.Deployment{Bind: map[string]string{"/mnt/": "/dbfs/"}}); bound.Path == one.Path {
		t.Error("bound otherwise it has the same name")
	}
	if at, err := one.Notebook("deep/check"); at != one.Path+"/deep/check" || err != nil {
		t.Errorf("%s, %v", at, err)
	}
	if at, err := one.Config("prod.yml"); at != "/Workspace"+one.Path+"/conf/prod.yml" || err != nil {
		t.Errorf("%s, %v", at, err)
	}
	if _, err := one.Notebook("chekc"); err == nil || !strings.Contains(err.Error(), "deep/check") {
		t.Errorf("a notebook that is not there: %v", err)
	}
	_, err := b.site.Folder(t.Context(), files{"conf.py": "", "conf/x": "", "conf": ""}, effects.Deployment{})
	if err == nil || !strings.Contains(err.Error(), "two files would stand at conf") {
		t.Errorf("two at one path: %v", err)
	}
}

func TestNothingIsSentTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f, err := b.site.Folder(t.Context(), shipped, effects.Deployment{})
	if err != nil {
		t.Fatal(err)
	}
	// The first deployment is cut: half a folder is there, and is no release.
	cut := sandbox.Fault{Path: "/api/2.0/workspace-files/import-file/**/.barge.json", Action: sandbox.FaultStatus, Status: 403}
	if err := b.twins.Twin("w").Fault(cut); err != nil {
		t.Fatal(err)
	}
	if _, err := b.site.Deploy(t.Context(), f); err == nil || !strings.Contains(err.Error(), "deploying to "+f.Path) {
		t.Errorf("%v", err)
	}
	if there, err := b.site.Deployed(t.Context(), f.Path); there || err != nil {
		t.Errorf("half a folder counts: %t, %v", there, err)
	}
	b.sent("w")
	sent, err := b.site.Deploy(t.Context(), f)
	if sent != 3 || err != nil {
		t.Errorf("%d files sent, %v", sent, err)
	}
	calls := b.sent("w")
	if last := calls[len(calls)-1]; !strings.HasSuffix(last, "/.barge.json") {
		t.Errorf("the marker is not the last: %v", calls)
	}
	sent, err = b.site.Deploy(t.Context(), f)
	if calls := b.sent("w"); sent != 0 || err != nil || len(calls) > 0 {
		t.Errorf("again: %d files sent, %v, %v", sent, err, calls)
	}
}

func TestTwoDeployAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f, err := b.site.Folder(t.Context(), shipped, effects.Deployment{})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := b.site.Deploy(t.Context(), f); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if there, err := b.site.Deployed(t.Context(), f.Path); !there || err != nil {
		t.Errorf("%t, %v", there, err)
	}
	got, err := b.site.Workspace.ExportNotebook(t.Context(), f.Path+"/score", "SOURCE")
	if !strings.Contains(string(got), "/mnt/a/b/x") || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
