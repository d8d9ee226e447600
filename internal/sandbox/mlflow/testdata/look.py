"""Looks at a registry as a third party does, and downloads one version's files. Prints what it saw as JSON."""

import json
import os
import sys

import mlflow
from mlflow.exceptions import RestException
from mlflow.tracking import MlflowClient
from sklearn.datasets import make_classification

name, version, to, out = sys.argv[1:5]
mlflow.set_tracking_uri("databricks")
mlflow.set_registry_uri("databricks")
client = MlflowClient()
seen = {
    v.version: {"stage": v.current_stage, "run_id": v.run_id, "status": v.status, "tags": v.tags}
    for v in client.search_model_versions(f"name='{name}'")
}
try:
    client.get_registered_model("OnlyInDev")
    other = "found"
except RestException as e:
    other = f"{e.error_code}: {e.message}"
mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=to)
x, _ = make_classification(200, 4, random_state=7)
json.dump({
    "versions": seen,
    "models": [m.name for m in client.search_registered_models()],
    "other": other,
    "latest": {v.current_stage: v.version for v in client.get_latest_versions(name, ["Staging", "Production"])},
    "predictions": mlflow.pyfunc.load_model(f"models:/{name}/Staging").predict(x).tolist(),
}, open(out, "w"))
