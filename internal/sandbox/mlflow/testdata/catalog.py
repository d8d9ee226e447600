"""Registers in Unity Catalog, moves aliases, copies between catalogs. Prints what it saw as JSON."""

import json
import sys

import mlflow
from mlflow.models import infer_signature
from mlflow.tracking import MlflowClient
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

mlflow.set_tracking_uri("databricks")
mlflow.set_registry_uri("databricks-uc")
client = MlflowClient()
mlflow.set_experiment("/Shared/unity")
x, y = make_classification(200, 4, random_state=7)
name = "dev.ml.diabetes"
for c in (0.1, 1.0):
    with mlflow.start_run() as run:
        model = LogisticRegression(C=c).fit(x, y)
        mlflow.sklearn.log_model(
            model, name="model", pip_requirements=["scikit-learn"], signature=infer_signature(x, model.predict(x)),
            registered_model_name=name,
        )
client.set_registered_model_alias(name, "champion", 1)
client.set_registered_model_alias(name, "champion", 2)
client.set_model_version_tag(name, 2, "release", "1.0.0")
copied = client.copy_model_version(f"models:/{name}/2", "prod.ml.diabetes")
version = client.get_model_version_by_alias(name, "champion")
mlflow.artifacts.download_artifacts(f"models:/{name}/2", dst_path=sys.argv[1] + "/two")
mlflow.artifacts.download_artifacts("models:/prod.ml.diabetes/1", dst_path=sys.argv[1] + "/copy")
json.dump({
    "version": version.version, "status": version.status, "run": version.run_id == run.info.run_id, "tags": version.tags,
    "aliases": client.get_registered_model(name).aliases, "copied": f"{copied.name}/{copied.version}",
    "versions": sorted(v.version for v in client.search_model_versions(f"name='{name}'")),
    "same": (mlflow.pyfunc.load_model(f"models:/{name}@champion").predict(x) == model.predict(x)).all().item(),
}, open(sys.argv[2], "w"))
