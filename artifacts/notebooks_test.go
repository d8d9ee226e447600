package artifacts

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPrepare(t *testing.T) {
	for _, tc := range []struct {
		path, body     string
		kind           Kind
		language, want string // want: a part of the error
	}{
		{"a.py", "# Databricks notebook source\nprint(1)\n", Notebook, "python", ""},
		{"a.py", "# Databricks notebook source\r\nprint(1)\r\n", Notebook, "python", ""},
		{"a.py", "# Databricks notebook source", Notebook, "python", ""},
		{"a.py", "print(1)\n# Databricks notebook source\n", PlainFile, "", ""},
		{"a.py", "# Databricks notebook sources\n", PlainFile, "", ""},
		{"a.py", "", PlainFile, "", ""},
		{"a.sql", "-- Databricks notebook source\nSELECT 1\n", Notebook, "sql", ""},
		{"a.sql", "# Databricks notebook source\n", PlainFile, "", ""},
		{"a.scala", "// Databricks notebook source\n", Notebook, "scala", ""},
		{"a.R", "# Databricks notebook source\n", Notebook, "r", ""},
		{"a.yml", "# Databricks notebook source\n", PlainFile, "", ""},
		{"a.bin", "\xff\xfe", PlainFile, "", ""},
		{"a.py", "# Databricks notebook source\n\xff\n", "", "", "not UTF-8"},
		{"a.py", "x = '\xe4'\n", "", "", "not UTF-8"},
		{"a.py", "\ufeff# Databricks notebook source\n", "", "", "byte order mark"},
		{"a.ipynb", "\ufeff{}", "", "", "byte order mark"},
		{"a.py", "# Databricks notebook source\n" + strings.Repeat("x", 10<<20), "", "", "it has 10485789 bytes, and Databricks takes notebooks up to 10485760 (10 MiB)"},
		{"a.ipynb", `{"nbformat": 4, "cells": []}`, Notebook, "python", ""},
		{"a.ipynb", `{"nbformat": 4, "cells": [], "metadata": {"language_info": {"name": "SQL"}}}`, Notebook, "sql", ""},
		{"a.ipynb", `{"nbformat": 3, "worksheets": []}`, "", "", "nbformat 3: convert it to 4"},
		{"a.ipynb", `{"nbformat": 4}`, "", "", "no list of cells"},
		{"a.ipynb", `{"nbformat": 4, "cells": [7]}`, "", "", "cell 1 is no object"},
		{"a.ipynb", `[]`, "", "", "no Jupyter notebook"},
		{"a.ipynb", ``, "", "", "no Jupyter notebook"},
		{"a.ipynb", `{"nbformat": 4, "cells": []} {}`, "", "", "something follows"},
	} {
		c, err := prepare(tc.path, false, []byte(tc.body))
		if tc.want != "" {
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s %.40q: error %v, want %q", tc.path, tc.body, err, tc.want)
			}
			continue
		}
		if err != nil || c.Kind != tc.kind || c.Language != tc.language {
			t.Errorf("%s %.40q: %q %q, %v, want %q %q", tc.path, tc.body, c.Kind, c.Language, err, tc.kind, tc.language)
		}
		if c.Size != int64(len(c.Body)) || digestPrefix+c.SHA256 != digestOf(c.Body) {
			t.Errorf("%s %.40q: size or digest are not of what ships", tc.path, tc.body)
		}
	}
}

const ran = `{
 "cells": [
  {"cell_type": "markdown", "metadata": {}, "source": ["# A <title> & more\n"]},
  {"cell_type": "code", "execution_count": 7, "metadata": {"execution": {"at": 1}, "tags": ["x"]},
   "outputs": [{"output_type": "stream", "text": ["row 1: secret\n"]}], "source": "print(1.0)"}
 ],
 "nbformat_minor": 5, "nbformat": 4,
 "metadata": {"widgets": {"state": "secret"}, "kernelspec": {"language": "python", "name": "python3"}}
}`

// The bytes that ship of a notebook that was run are fixed by the artifact's format: this text may never change.
const stripped = `{
 "cells": [
  {
   "cell_type": "markdown",
   "metadata": {},
   "source": [
    "# A <title> & more\n"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": null,
   "metadata": {
    "tags": [
     "x"
    ]
   },
   "outputs": [],
   "source": "print(1.0)"
  }
 ],
 "metadata": {
  "kernelspec": {
   "language": "python",
   "name": "python3"
  }
 },
 "nbformat": 4,
 "nbformat_minor": 5
}
`

func TestStripOutputs(t *testing.T) {
	got, _, err := stripOutputs([]byte(ran))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stripped, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again, _, err := stripOutputs(got)
	if err != nil || !bytes.Equal(again, got) {
		t.Errorf("stripping twice is not stripping once: %v\n%s", err, again)
	}
}

func FuzzStripOutputs(f *testing.F) {
	f.Add([]byte(ran))
	f.Add([]byte(`{"nbformat":4,"cells":[{"cell_type":"code","source":null}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, _, err := stripOutputs(body)
		if err != nil {
			return
		}
		again, _, err := stripOutputs(got)
		if err != nil || !bytes.Equal(again, got) {
			t.Errorf("stripping twice is not stripping once: %v", err)
		}
		_, _ = references(Content{File: File{Path: "a.ipynb", Kind: Notebook}, Body: got}) // must not panic
	})
}

func TestCells(t *testing.T) {
	source := strings.ReplaceAll(`# Databricks notebook source
# DBTITLE 1,Read the data
x = 1

# COMMAND ----------

# MAGIC %md
# MAGIC # Head
# MAGIC
# MAGIC text

# COMMAND ----------

# MAGIC %run ./shared/prep $day="1"

# COMMAND ----------

# MAGIC %sql select 1
`, "\n", "\r\n")
	want := []Cell{
		{Title: "Read the data", Source: "x = 1"},
		{Magic: "md", Source: "%md\n# Head\n\ntext"},
		{Magic: "run", Source: `%run ./shared/prep $day="1"`},
		{Magic: "sql", Source: "%sql select 1"},
	}
	got, err := Cells(Content{File: File{Path: "a.py", Kind: Notebook}, Body: []byte(source)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got, err = Cells(Content{File: File{Path: "a.ipynb", Kind: Notebook}, Body: []byte(ran)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Cell{{Magic: "md", Source: "# A <title> & more\n"}, {Source: "print(1.0)"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func graphOf(t *testing.T, files map[string]string, external ...string) (Graph, []*referenceError) {
	t.Helper()
	refs := map[string][]reference{}
	var all []File
	for p, body := range files {
		c, err := prepare(p, false, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if refs[p], err = references(c); err != nil {
			t.Fatal(err)
		}
		all = append(all, c.File)
	}
	slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return graph(all, refs, external)
}

func TestReaches(t *testing.T) {
	g, problems := graphOf(t, map[string]string{
		"train.py": notebook("# MAGIC %run ./shared/prep\n\n# COMMAND ----------\n\n" +
			"import helpers, os\nfrom shared import tools\n# dbutils.notebook.run('./nowhere', 60)\n" +
			"out = dbutils.notebook.run(\n  './child', 60, {'a': 'b'})\ndbutils.notebook.run(name, 60)\ndbutils.notebook.run('/Shared/theirs', 60)"),
		"texts.py":           notebook("\"\"\"\nfrom .nowhere import x\n\"\"\"\nurl = '''\ndbutils.notebook.run('./nowhere')'''\ntry:\n    from .nowhere import y\nexcept ImportError:\n    pass\nmark = \"'\"  # it's\nfrom shared import (\n    gone,  # a name of the package\n    tools,\n)"),
		"shared/prep.py":     notebook(`# MAGIC %run "../deep/a b"`),
		"deep/a b.sql":       "-- Databricks notebook source\n-- MAGIC %run ../train\n",
		"child.ipynb":        `{"nbformat": 4, "cells": [{"cell_type": "code", "source": ["%run ./shared/prep"]}]}`,
		"helpers.py":         "from .more import x\n",
		"more.py":            "x = 1\n",
		"shared/tools.py":    "import json\n",
		"shared/__init__.py": "import shared\n",
		"alone.py":           notebook("# MAGIC %md\n# MAGIC dbutils.notebook.run('./nowhere')"),
	}, "/Shared/*")
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	all := []string{"child.ipynb", "deep/a b.sql", "helpers.py", "more.py", "shared/__init__.py", "shared/prep.py", "shared/tools.py", "train.py"}
	for start, want := range map[string][]string{
		"train":       all,
		"train.py":    all,
		"shared/prep": all,
		"./alone":     {"alone.py"},
		"texts":       {"shared/__init__.py", "shared/tools.py", "texts.py"},
		"nowhere":     nil,
	} {
		if diff := cmp.Diff(want, g.Reaches(start)); diff != "" {
			t.Errorf("from %s (-want +got):\n%s", start, diff)
		}
	}
}

func TestMissingTargets(t *testing.T) {
	for code, want := range map[string]string{
		"# MAGIC %run\n# MAGIC ./prepp":                                             "a.py:2: %run ./prepp finds no notebook prepp",
		"# MAGIC %run ./prep\n# MAGIC %run ./prepp":                                 "a.py:3: %run ./prepp finds no notebook prepp",
		"# MAGIC # first\n# MAGIC %run ./prepp":                                     "a.py:3: %run ./prepp finds no notebook prepp",
		"dbutils.notebook.run(timeout_seconds=9, path=r'x')":                        "a.py:2: dbutils.notebook.run x finds no notebook x",
		"import pkg.gone":                                                           "a.py:2: import of pkg.gone finds no module pkg/gone.py in the artifact",
		"from pkg import gone; from . import prepp":                                 "a.py:2: import of .prepp finds no module prepp.py in the artifact",
		"from .pkg.gone import x":                                                   "a.py:2: import of .pkg.gone finds no module pkg/gone.py",
		"from .lib import a, gone":                                                  "a.py:2: import of .lib.gone finds no module lib/gone.py",
		"from .prep import x":                                                       "a.py:2: import of .prep finds the notebook prep, and Databricks imports no notebooks: run it with %run",
		"# MAGIC %pip install -U -r '../requirements.txt'":                          "a.py:2: %pip install -r ../requirements.txt finds no file ../requirements.txt in the artifact: widen notebooks.include",
		"%pip install --requirement=lib/aa.py":                                      "a.py:2: %pip install -r lib/aa.py finds no file lib/aa.py in the artifact: did you mean lib/a.py?",
		"# MAGIC %run ./prepp":                                                      "a.py:2: %run ./prepp finds no notebook prepp in the artifact: did you mean prep?",
		"x = 1\n\n# COMMAND ----------\n\n\n# MAGIC %run ./prep.py":                 "a.py:7: %run ./prep.py names the file: on Databricks a notebook has no extension: write ./prep",
		"# MAGIC %run /Shared/prep":                                                 "a.py:2: %run /Shared/prep leaves the artifact",
		"# MAGIC %run ../prep":                                                      "a.py:2: %run ../prep finds no notebook ../prep",
		"# DBTITLE 1,Run\n\ndbutils.notebook.run(\"nowhere\", 60)":                  "a.py:4: dbutils.notebook.run nowhere finds no notebook nowhere",
		"dbutils.notebook.run(path='x/prep', 1)":                                    "a.py:2: dbutils.notebook.run x/prep finds no notebook x/prep",
		"x\n\n# COMMAND ----------\n'''\n'''\ndbutils.notebook.run('/Shared/prep')": "a.py:7: dbutils.notebook.run /Shared/prep leaves the artifact",
		"from .prepped import x":                                                    "a.py:2: import of .prepped finds no module prepped.py in the artifact: did you mean preppe.py?",
		"def f():\n    from .lib.b import (\n        c,\n    )":                     "a.py:3: import of .lib.b finds no module lib/b.py in the artifact",
	} {
		files := map[string]string{"a.py": notebook(code), "prep.py": notebook("1"), "preppe.py": "x = 1\n", "lib/a.py": "1\n", "pkg/__init__.py": ""}
		_, problems := graphOf(t, files)
		if len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), want) {
			t.Errorf("%s: %v, want %q", code, problems, want)
		}
		if _, problems := graphOf(t, files, "**", "../*", "/**"); len(problems) != 0 {
			t.Errorf("%s, declared external: %v", code, problems)
		}
		if _, problems := graphOf(t, files, "/Shared/other", "prep/*"); len(problems) != 1 {
			t.Errorf("%s, another declared external: %v", code, problems)
		}
	}
	_, problems := graphOf(t, map[string]string{
		"a.ipynb": `{"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "%run ./no"}, {"cell_type": "code", "source": ["%run ./prepp"]}]}`,
	})
	if want := "a.ipynb, cell 2: %run ./prepp finds no notebook prepp"; len(problems) != 1 || !strings.Contains(problems[0].Error(), want) {
		t.Errorf("%v, want %q", problems, want)
	}
}

// TestNoTargets: what is made as it runs, is a comment, or may be a library's is not looked for.
func TestNoTargets(t *testing.T) {
	for _, code := range []string{
		"dbutils.notebook.run('./' + name, 60)", "dbutils.notebook.run('./train_{}'.format(m), 60)", "dbutils.notebook.run('./a_%s' % m)",
		"dbutils.notebook.run(f'./{name}')", "x = 1  # dbutils.notebook.run('./gone', 60)", "x = 1  # import .gone",
		"dbutils.notebook.run(name, 60, dict(path='gone'))", "import lib.gone", "from lib import gone", "from pkg import gone",
		"try:\n    import pkg.gone\nexcept ImportError: pass", "from . import lib; lib.a", "from .lib import *",
		"%pip install pandas -r /Workspace/Shared/r.txt", "%pip install -r $REQUIREMENTS", "%pip install -r conf/r.txt", "%sh pip install -r r.txt",
		"from .pkg import VERSION, \\\n    more", "print('%run ./gone')", "'''\n%run ./gone\n'''",
	} {
		if _, problems := graphOf(t, map[string]string{"a.py": notebook(code), "lib/a.py": "1\n", "pkg/__init__.py": "VERSION = 1"}); len(problems) != 0 {
			t.Errorf("%s: %v", code, problems)
		}
	}
}

// TestPackages: what a package's folder has need be no module of its own.
func TestPackages(t *testing.T) {
	g, problems := graphOf(t, map[string]string{
		"pkg/a.py": "from . import b, VERSION\nfrom .deep import c\nfrom ..top import x\nfrom .. import pkg\n",
		"pkg/b.py": "1\n", "pkg/__init__.py": "VERSION = 1\n", "pkg/deep/c.py": "1\n", "top.py": "x = 1\n",
	})
	if len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	want := []string{"pkg/__init__.py", "pkg/a.py", "pkg/b.py", "pkg/deep/c.py", "top.py"}
	if diff := cmp.Diff(want, g.Reaches("pkg/a.py")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWholeRepository: with the repository's own layout, packages below src and requirements files are reached.
func TestWholeRepository(t *testing.T) {
	g, problems := graphOf(t, map[string]string{
		"notebooks/train.ipynb":  `{"nbformat": 4, "cells": [{"cell_type": "code", "source": ["%pip install -r ../requirements.txt"]}, {"cell_type": "code", "source": "import sys\nsys.path.append('../src')\nfrom wine.features import columns"}]}`,
		"notebooks/score.py":     notebook("# MAGIC %run ./lib/setup\n\n# COMMAND ----------\n\nimport sys, os\nsys.path.insert(0, os.path.abspath('../src'))\nimport wine"),
		"notebooks/lib/setup.py": notebook("# MAGIC %pip install -r ../requirements.txt"),
		"src/wine/__init__.py":   "from wine import names\n", "src/wine/names.py": "1\n", "src/wine/features.py": "import pandas\n",
		"src/other.py": "1\n", "notebooks/src/near.py": "1\n", "requirements.txt": "pandas\n",
	})
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	for start, want := range map[string][]string{
		"notebooks/train": {"notebooks/train.ipynb", "requirements.txt", "src/wine/__init__.py", "src/wine/features.py", "src/wine/names.py"},
		"notebooks/score": {"notebooks/lib/setup.py", "notebooks/score.py", "requirements.txt", "src/wine/__init__.py", "src/wine/names.py"},
	} {
		if diff := cmp.Diff(want, g.Reaches(start)); diff != "" {
			t.Errorf("from %s (-want +got):\n%s", start, diff)
		}
	}
}

func FuzzReferences(f *testing.F) {
	f.Add("import a\nfrom . import (b,\n c)\ndbutils.notebook.run('./x')\n", false)
	f.Add(`{"nbformat": 4, "cells": [{"cell_type": "code", "source": "%run ./x"}]}`, true)
	f.Add("'''\n\\", false)
	f.Fuzz(func(t *testing.T, body string, jupyter bool) {
		c := Content{File: File{Path: "dir/a.py", Kind: Notebook, Language: "python"}, Body: []byte(body)}
		if jupyter {
			c.Path = "dir/a.ipynb"
		}
		refs, err := references(c)
		if err != nil {
			return
		}
		if n := strings.Count(withoutProse(body), "\n"); n != strings.Count(body, "\n") {
			t.Errorf("%d lines of %d are left", n, strings.Count(body, "\n"))
		}
		graph([]File{c.File}, map[string][]reference{c.Path: refs}, []string{"**"})
	})
}
