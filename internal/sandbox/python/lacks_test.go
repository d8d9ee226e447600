//go:build !windows

package python

import (
	"testing"

	"github.com/bargeml/barge/internal/sandbox/jobs"
)

// A notebook that needs what the sandbox has not is told so in a sentence: which notebook and cell, what, and a way out.
func TestWhatTheSandboxHasNot(t *testing.T) {
	const elsewhere = "leave this notebook to a workspace on Databricks"
	spark := func(what string) string {
		return "the sandbox has no Spark, and the cell " + what + ": read the files below /dbfs or /Volumes with pandas, or " + elsewhere
	}
	scala := "the sandbox has no Scala, and the cell is written in it: it runs Python alone; " + elsewhere
	r := "the sandbox has no R, and the cell is written in it: it runs Python alone; " + elsewhere
	gpu := "there is no GPU here that the cell could use: let it fall back to the CPU, or " + elsewhere
	for _, c := range []struct{ name, notebook, language, where, want string }{
		{name: "a SQL cell", notebook: notebook("x = 1", "# DBTITLE 1,Counting\n"+magic("%sql", "select 1")), where: "cell 2 (Counting)", want: spark("is written in SQL")},
		{name: "%sql in a line", notebook: notebook("x = 1\n%sql select 1"), want: spark("is written in SQL")},
		{name: "a SQL notebook", notebook: "-- Databricks notebook source\nselect 1", want: spark("is written in SQL")},
		{name: "spark", notebook: notebook("frame = spark.table('x')"), want: spark("uses spark")},
		{name: "sc", notebook: notebook("def f():\n    return sc.parallelize([1])", "f()"), where: "cell 2", want: spark("uses sc")},
		{name: "pyspark", notebook: notebook("from pyspark.sql import functions as F"), want: spark("imports pyspark")},
		{name: "a Scala cell", notebook: notebook(magic("%scala", "val x = 1")), want: scala},
		{name: "a Scala notebook", notebook: "// Databricks notebook source\nval x = 1", want: scala},
		{name: "an R cell", notebook: notebook(magic("%r", "x <- 1")), want: r},
		{name: "an R notebook", notebook: "# Databricks notebook source\nx <- 1", language: "R", want: r},
		{name: "a GPU, of torch", notebook: notebook("raise AssertionError('Torch not compiled with CUDA enabled')"), want: gpu},
		{name: "a GPU, without a driver", notebook: notebook("raise RuntimeError('Found no NVIDIA driver on your system. Please check')"), want: gpu},
		{name: "a module", notebook: notebook("import lightgbm.sklearn"), want: "the sandbox has no module lightgbm: name its package in the libraries of the compute, as pypi:lightgbm==VERSION, or in a line of %pip install"},
		{name: "a module of Databricks'", notebook: notebook("import databricks.automl"), want: "the sandbox has no module databricks.automl: it may be on PyPI, for a line of %pip install; else " + elsewhere},
		{name: "a notebook", notebook: notebook("import main"), want: "main is a notebook, and Databricks imports no notebooks: run it with %run ./main, or take its first line away, which makes it a module"},
		{name: "a magic", notebook: notebook("%tensorboard --logdir x"), want: "the sandbox has no %tensorboard: it knows %run, %pip, %sh, %fs, %md and those of IPython"},
		{name: "%conda", notebook: notebook(magic("%conda install x")), want: "the sandbox has no conda; use %pip install"},
		{name: "%pip uninstall", notebook: notebook(magic("%pip uninstall -y six")), want: "%pip uninstall: the sandbox only installs; its environments are shared and never changed"},
		{name: "dbutils", notebook: notebook("print(hasattr(dbutils, 'data'))\ndbutils.credentials.assumeRole('x')"), want: "the sandbox has no dbutils.credentials: dbutils.help() lists what there is; or " + elsewhere},
		{name: "the context", notebook: notebook("dbutils.notebook.getContext().clusterId()"), want: "the sandbox's context of a notebook has no clusterId, only apiToken, apiUrl, browserHostName, currentRunId, jobId, notebookPath, tags, toJson, userName, workspaceId: tell the notebook what it needs by its parameters"},
		{name: "the entry point", notebook: notebook("dbutils.notebook.entry_point.getLogger()"), want: "the sandbox's dbutils.notebook.entry_point has no getLogger, only getDbutils().notebook().getContext() and getCurrentBindings(): tell the notebook what it needs by its parameters"},
		{name: "dbutils.fs", notebook: notebook("dbutils.fs.cacheTable('x')"), want: "the sandbox has no dbutils.fs.cacheTable: dbutils.fs.help() lists what there is; or " + elsewhere},
		{name: "%fs", notebook: notebook(magic("%fs cacheTable x")), want: "the sandbox has no dbutils.fs.cacheTable: dbutils.fs.help() lists what there is; or " + elsewhere},
		{name: "a mount", notebook: notebook("dbutils.fs.mount(source='wasbs://c@a', mount_point='/mnt/data')"), want: "the sandbox mounts nothing: put the data there by barge sandbox up --data dbfs:/mnt/data=FOLDER"},
		{name: "a lake", notebook: notebook("dbutils.fs.ls('abfss://c@a.dfs.core.windows.net/x')"), want: "the sandbox cannot reach abfss://c@a.dfs.core.windows.net/x: it knows dbfs:, file:, /Volumes and /Workspace; copy the data there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStub(t, map[string]string{"/Shared/main": c.notebook})
			s.Language = func(string) string { return c.language }
			where := c.where
			if where == "" {
				where = "cell 1"
			}
			o := s.run(t, warmRuntime(t), jobs.Attempt{NotebookPath: "/Shared/main"})
			want := "Unsupported: /Shared/main, " + where + ": " + c.want
			if o.Result != jobs.Failed || o.Error != want {
				t.Errorf("got  %s\nwant %s\n%s", o.Error, want, o.Trace)
			}
			if last := o.Cells[len(o.Cells)-1]; last.Error != want {
				t.Errorf("the cell says %q", last.Error)
			}
		})
	}
}

// What is caught, or is the notebook's own, is none of the sandbox's business.
func TestNotOfTheSandbox(t *testing.T) {
	t.Parallel()
	s := newStub(t, map[string]string{
		"/n": notebook("try:\n    spark\nexcept NameError:\n    print('without Spark')\ntry:\n    import pyspark\nexcept ImportError:\n    print('nor pyspark')\nprint(hasattr(dbutils, 'data'))\nsparks"),
	})
	o := s.run(t, warmRuntime(t), jobs.Attempt{NotebookPath: "/n"})
	if o.Error != "NameError: name 'sparks' is not defined" || stdout(o) != "without Spark\nnor pyspark\nFalse\n" {
		t.Errorf("%q\n%s\n%s", stdout(o), o.Error, o.Trace)
	}
}
