"""Trains in one workspace and registers in another, as a notebook does. Prints what it made as JSON."""

import hashlib
import json
import os
import sys
import urllib.parse
import urllib.request

from IPython.core.interactiveshell import InteractiveShell


class Secrets:
    """dbutils.secrets of a notebook: MLflow passes scope and key by keyword."""

    def get(self, scope, key):
        query = urllib.parse.urlencode({"scope": scope, "key": key})
        request = urllib.request.Request(
            os.environ["DATABRICKS_HOST"] + "/api/2.0/secrets/get?" + query,
            headers={"Authorization": "Bearer " + os.environ["DATABRICKS_TOKEN"]},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["value"]


class Dbutils:
    secrets = Secrets()


shell = InteractiveShell.instance()
shell.user_ns["dbutils"] = Dbutils()

import mlflow
import mlflow.sklearn
from mlflow.tracking import MlflowClient
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

mlflow.set_tracking_uri("databricks")
mlflow.set_registry_uri("databricks")
mlflow.set_experiment("/Shared/diabetes")
x, y = make_classification(200, 4, random_state=7)

# Two versions in dev's own registry, the second through the run.
with mlflow.start_run(run_name="own") as own:
    model = LogisticRegression().fit(x, y)
    mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn"], registered_model_name="OnlyInDev")
mlflow.register_model(f"runs:/{own.info.run_id}/model", "OnlyInDev")

# More than the Files API takes in one piece: the client falls back to signed URLs, and reads in ranges.
large = os.path.join(os.environ["HOME"], "large.bin")
with open(large, "wb") as f:
    for i in range(60):
        f.write(bytes([i]) * (1 << 20))
with mlflow.start_run(run_name="large") as run:
    mlflow.log_artifact(large)
with open(mlflow.artifacts.download_artifacts(run.info.artifact_uri + "/large.bin", dst_path=sys.argv[1] + ".d"), "rb") as f:
    large = hashlib.file_digest(f, "sha256").hexdigest()

# Three in the shared one.
mlflow.set_registry_uri("databricks://rmr:rmr")
remote = MlflowClient(registry_uri="databricks://rmr:rmr")
made = []
for c in (0.01, 0.1, 1.0):
    with mlflow.start_run(run_name=f"c={c}") as run:
        model = LogisticRegression(C=c).fit(x, y)
        mlflow.log_param("C", c)
        mlflow.log_metric("accuracy", float(model.score(x, y)))
        mlflow.log_text("", "notes/empty.txt")
        mlflow.log_text("héllo", "notes/a b.txt")
        mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn"], input_example=x[:2])
    mlflow.register_model(f"runs:/{run.info.run_id}/model", "SparkModel")
    version = remote.search_model_versions("name='SparkModel'")[0]
    made.append({"version": version.version, "run_id": run.info.run_id, "status": version.status})

remote.set_model_version_tag("SparkModel", made[0]["version"], "release", "1.0.0")
remote.transition_model_version_stage("SparkModel", made[0]["version"], "Staging")
remote.transition_model_version_stage("SparkModel", made[0]["version"], "Production")
remote.transition_model_version_stage("SparkModel", made[1]["version"], "Production", archive_existing_versions=True)
remote.transition_model_version_stage("SparkModel", made[2]["version"], "Staging")

run = mlflow.get_run(made[1]["run_id"])
json.dump({
    "made": made,
    "large": large,
    "params": run.data.params,
    "accuracy": run.data.metrics["accuracy"],
    "artifacts": sorted(a.path for a in MlflowClient().list_artifacts(made[1]["run_id"], "notes")),
    "text": mlflow.artifacts.load_text(run.info.artifact_uri + "/notes/a b.txt"),
    "predictions": model.predict(x).tolist(),
    "variables": sorted(k for k, v in os.environ.items() if "mlflow.db" in v or "X-MLFLOW" in v or ".sock" in v),
}, open(sys.argv[1], "w"))
