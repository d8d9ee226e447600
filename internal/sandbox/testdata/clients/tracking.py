"""Runs and their artifacts, through mlflow: what every training notebook does."""

import mlflow
from mlflow.exceptions import RestException

from checks import Sharp, same


def rows(w):
    mlflow.set_tracking_uri("databricks")
    client = mlflow.MlflowClient(tracking_uri="databricks", registry_uri="databricks")
    experiment = client.create_experiment("/Shared/py-experiment")
    yield (
        "experiment twice",
        RestException,
        "RESOURCE_ALREADY_EXISTS: Experiment(name=/Shared/py-experiment) already exists.",
        Sharp("RESOURCE_ALREADY_EXISTS", lambda: client.create_experiment("/Shared/py-experiment")),
    )
    yield "experiments", None, None, lambda: same([e.name for e in w.experiments.list_experiments()], ["/Shared/py-experiment"])
    yield "run of a missing id", RestException, "RESOURCE_DOES_NOT_EXIST: Run with id=no not found", lambda: client.get_run("no")

    def train():
        with mlflow.start_run(experiment_id=experiment, run_name="train") as run:
            mlflow.log_param("c", 1)
            mlflow.log_metric("auc", 0.7)
            mlflow.set_tag("release", "1.0")
            mlflow.log_text("hello", "sub/a b.txt")
            mlflow.log_text("", "empty.txt")
        got = client.get_run(run.info.run_id)
        same((got.info.status, got.data.params, got.data.metrics, got.data.tags["release"]), ("FINISHED", {"c": "1"}, {"auc": 0.7}, "1.0"))
        same([(a.path, a.file_size) for a in client.list_artifacts(run.info.run_id)], [("empty.txt", 0), ("sub", None)])
        same(mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/sub/a b.txt"), "hello")
        same([r.info.run_id for r in client.search_runs([experiment])], [run.info.run_id])
        same(got.info.artifact_uri, f"dbfs:/databricks/mlflow-tracking/{experiment}/{run.info.run_id}/artifacts")

    yield "train", None, None, train
