"""Tells as JSON what MLflow's own client sees in one Databricks workspace: models, versions, files, and the runs named.

usage: registry_client.py [--register MODEL] [RUN ...]
"""

import hashlib
import json
import os
import sys
import tempfile

import mlflow
from mlflow import MlflowClient

mlflow.set_tracking_uri("databricks")
mlflow.set_registry_uri("databricks")
client = MlflowClient()

args = sys.argv[1:]
if args[:1] == ["--register"]:
    client.create_registered_model(args[1])
    args = args[2:]


def files(name, version):
    folder = mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=tempfile.mkdtemp())
    found = {}
    for parent, _, names in os.walk(folder):
        for file in names:
            path = os.path.join(parent, file)
            with open(path, "rb") as f:
                found[os.path.relpath(path, folder)] = hashlib.sha256(f.read()).hexdigest()
    return found


models = {}
for model in client.search_registered_models():
    models[model.name] = {
        v.version: {"stage": v.current_stage, "run_id": v.run_id, "files": files(model.name, v.version)}
        for v in client.search_model_versions(f"name='{model.name}'")
    }
runs = {}
for run_id in args:
    run = client.get_run(run_id)
    runs[run_id] = {"status": run.info.status, "metrics": run.data.metrics}
print(json.dumps({"models": models, "runs": runs}))
