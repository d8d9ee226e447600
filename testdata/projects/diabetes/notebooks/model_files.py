# Databricks notebook source
# MAGIC %md
# MAGIC ## The model's files
# MAGIC Downloads exactly the version that the notebook was told, and says by digest which bytes came.

# COMMAND ----------

import hashlib
import os

import mlflow

# What a registry adds on registration; no part of the model.
ADDED_BY_REGISTRY = {"registered_model_meta"}


def model_digest(folder):
    """sha256 over sorted "mode SP path NUL sha256(file) LF" lines, as in the artifact's manifest."""
    lines = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.relpath(os.path.join(parent, name), folder).replace(os.sep, "/")
            if path in ADDED_BY_REGISTRY:
                continue
            with open(os.path.join(parent, name), "rb") as f:
                lines.append("100644 " + path + "\0" + hashlib.sha256(f.read()).hexdigest() + "\n")
    return "sha256:" + hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def model_load(uri):
    """The model behind an exact uri and the digest of the files that were loaded."""
    folder = mlflow.artifacts.download_artifacts(artifact_uri=uri)
    return mlflow.pyfunc.load_model(folder), model_digest(folder)
