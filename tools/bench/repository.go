package main

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	notebooks = 10_000
	jupyter   = 20  // every so many is in Jupyter's format, with outputs
	folder    = 100 // notebooks in each
	model     = 200 << 20
)

const projectFile = `project "bench" {
  store = "oci-layout:.barge/store"
}

artifact {
  notebooks { from = "notebooks" }
  model "big" { path = "models/model.bin" }
}

workspace "prod" {
  host = "https://adb-1234567890123456.7.azuredatabricks.net"
}

environment "prod" {
  workspace = workspace.prod
  path      = "/Barge/bench"
}
`

// makeRepository writes a git repository of notebooks and a model that does not compress, the same every time, with a
// history in which notebooks were edited, and checks it out. It is packed as git gc leaves it.
func makeRepository(dir string) error {
	if err := git(dir, "init", "-q", "-b", "main"); err != nil {
		return err
	}
	for _, setting := range [][2]string{{"user.name", "Bench"}, {"user.email", "bench@example.com"}, {"gc.auto", "0"}} {
		if err := git(dir, "config", setting[0], setting[1]); err != nil {
			return err
		}
	}
	read, write := io.Pipe()
	go func() { write.CloseWithError(history(write)) }()
	load := exec.Command("git", "-C", dir, "fast-import", "--quiet") //nolint:gosec // dir is ours
	load.Stdin, load.Stderr = read, os.Stderr
	if err := load.Run(); err != nil {
		return fmt.Errorf("making a repository: %w", err)
	}
	if err := git(dir, "gc", "-q"); err != nil {
		return err
	}
	return git(dir, "reset", "-q", "--hard")
}

// loosen puts every object of a repository into a file of its own, as they are until git packs them.
func loosen(dir string) error {
	packs, err := filepath.Glob(filepath.Join(dir, ".git", "objects", "pack", "*.pack"))
	if err != nil {
		return err
	}
	for _, pack := range packs {
		aside := filepath.Join(dir, ".git", "aside.pack")
		if err := os.Rename(pack, aside); err != nil {
			return err
		}
		base := strings.TrimSuffix(pack, ".pack")
		for _, beside := range []string{".idx", ".rev", ".bitmap"} {
			_ = os.Remove(base + beside)
		}
		f, err := os.Open(aside)
		if err != nil {
			return err
		}
		unpack := exec.Command("git", "-C", dir, "unpack-objects", "-q")
		unpack.Stdin, unpack.Stderr = f, os.Stderr
		err = unpack.Run()
		_ = f.Close()
		if err != nil {
			return fmt.Errorf("unpacking %s: %w", pack, err)
		}
		if err := os.Remove(aside); err != nil {
			return err
		}
	}
	return nil
}

func git(dir string, args ...string) error {
	c := exec.Command("git", append([]string{"-C", dir}, args...)...) //nolint:gosec // the words are ours
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("git %s: %w", args[0], err)
	}
	return nil
}

// history writes commits as git fast-import reads them: all files, then three times a twentieth of the notebooks edited.
func history(to io.Writer) error {
	w := bufio.NewWriterSize(to, 1<<16)
	made := newDice("notebooks")
	commit(w, 0)
	file(w, ".gitignore", []byte(".barge\n"))
	file(w, "barge.hcl", []byte(projectFile))
	fmt.Fprintf(w, "M 100644 inline models/model.bin\ndata %d\n", model)
	if _, err := io.CopyN(w, newDice("model").stream(), model); err != nil {
		return err
	}
	fmt.Fprintln(w)
	edited := map[int][]byte{}
	for i := range notebooks {
		body := notebook(made, i)
		file(w, notebookPath(i), body)
		if i%jupyter == 1 {
			edited[i] = body
		}
	}
	for n := range 3 {
		commit(w, n+1)
		for i := range notebooks {
			if body, ok := edited[i]; ok {
				edited[i] = fmt.Appendf(body, "\n# COMMAND ----------\n\nprint(%d)\n", n)
				file(w, notebookPath(i), edited[i])
			}
		}
	}
	return w.Flush()
}

func commit(w io.Writer, n int) {
	message := fmt.Sprintf("commit %d", n)
	fmt.Fprintf(w, "commit refs/heads/main\ncommitter Bench <bench@example.com> %d +0000\ndata %d\n%s\n", 1_750_000_000+n, len(message), message)
}

func file(w io.Writer, path string, body []byte) {
	fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n%s\n", path, len(body), body)
}

func notebookPath(i int) string {
	extension := "py"
	if i%jupyter == 0 {
		extension = "ipynb"
	}
	return fmt.Sprintf("notebooks/team_%02d/step_%05d.%s", i/folder, i, extension)
}

// notebook is text as notebooks have it: 2 to 14 KB of code, every twentieth in Jupyter's format with a picture of 20 KB.
func notebook(d *dice, i int) []byte {
	cells := make([]string, 4+d.below(24))
	for c := range cells {
		cells[c] = cell(d)
	}
	cells[0] = "import datetime\nimport mlflow\nimport pandas as pd\nfrom pyspark.sql import functions as F\n" + cells[0]
	if i%jupyter == 0 {
		return jupyterNotebook(d, cells)
	}
	var b bytes.Buffer
	b.WriteString("# Databricks notebook source\n# MAGIC %md # Step\n")
	if i%10 == 3 {
		fmt.Fprintf(&b, "\n# COMMAND ----------\n\n# MAGIC %%run ./step_%05d\n", i/folder*folder+1)
	}
	for _, c := range cells {
		b.WriteString("\n# COMMAND ----------\n\n" + c)
	}
	return b.Bytes()
}

func jupyterNotebook(d *dice, cells []string) []byte {
	type object = map[string]any
	var list []object
	for n, c := range cells {
		picture := []object{}
		if n == 0 {
			pixels := make([]byte, 15<<10)
			_, _ = io.ReadFull(d.stream(), pixels)
			picture = []object{{"output_type": "display_data", "metadata": object{}, "data": object{"image/png": base64.StdEncoding.EncodeToString(pixels)}}}
		}
		list = append(list, object{"cell_type": "code", "execution_count": n, "metadata": object{}, "outputs": picture, "source": strings.SplitAfter(c, "\n")})
	}
	b, err := json.MarshalIndent(object{
		"nbformat": 4, "nbformat_minor": 5, "cells": list,
		"metadata": object{"language_info": object{"name": "python"}},
	}, "", " ")
	if err != nil {
		panic(err)
	}
	return append(b, '\n')
}

// cell is a few lines of code.
func cell(d *dice) string {
	names := []string{"orders", "customers", "churn", "features", "returns", "weather", "stock", "scores", "prices", "visits"}
	lines := []string{
		"%[1]s = spark.read.table(\"main.%[2]s.%[1]s_%[3]d\")\n",
		"%[1]s = %[1]s.filter(F.col(\"%[2]s_id\") > %[3]d).withColumn(\"%[2]s_rate\", F.col(\"%[2]s\") / F.lit(%[3]d))\n",
		"for row in %[1]s.limit(%[3]d).collect():\n    print(row[\"%[2]s\"], row[\"%[1]s_%[3]d\"])\n",
		"# %[1]s of %[2]s are taken as they were in week %[3]d\n",
		"assert %[1]s.count() >= %[3]d, \"%[2]s has too few rows\"\n",
		"display(%[1]s.groupBy(\"%[2]s\").agg(F.avg(\"%[1]s_%[3]d\")))\n",
		"def clean_%[1]s_%[3]d(df):\n    \"\"\"Cleans %[2]s.\"\"\"\n    return df.dropna(subset=[\"%[2]s\"]).drop_duplicates()\n",
	}
	var b strings.Builder
	for range 3 + d.below(8) {
		line := lines[d.below(len(lines))]
		if strings.Contains(line, "%") {
			line = fmt.Sprintf(line, names[d.below(len(names))], names[d.below(len(names))], d.below(10_000))
		}
		b.WriteString(line)
	}
	return b.String()
}

// dice gives numbers and bytes that look random and are the same every time.
type dice struct{ cipher.Stream }

func newDice(name string) *dice {
	block, err := aes.NewCipher(fmt.Appendf(make([]byte, 0, 16), "%-16.16s", name))
	if err != nil {
		panic(err)
	}
	return &dice{cipher.NewCTR(block, make([]byte, aes.BlockSize))} //nolint:gosec // the same every time, and no secret
}

func (d *dice) stream() io.Reader { return cipher.StreamReader{S: d, R: zeros{}} }

func (d *dice) below(n int) int {
	var b [8]byte
	d.XORKeyStream(b[:], b[:])
	return int(binary.LittleEndian.Uint32(b[:]) % uint32(n)) //nolint:gosec // n is small
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
