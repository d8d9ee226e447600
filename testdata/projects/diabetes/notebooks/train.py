# Databricks notebook source
# MAGIC %md
# MAGIC # Train
# MAGIC A logistic regression on the training share. Hyper-parameters and features are widgets; metrics are logged as metrics.

# COMMAND ----------

# MAGIC %run ./preprocess

# COMMAND ----------

import json

import mlflow
import mlflow.sklearn
import sklearn
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

dbutils.widgets.text("features", ",".join(FEATURES))
dbutils.widgets.text("c", "1.0")
dbutils.widgets.text("shuffle_labels", "false")

features = dbutils.widgets.get("features").split(",")
c = float(dbutils.widgets.get("c"))
name = dbutils.widgets.get("barge_model_diabetes_name")
mlflow.set_registry_uri(dbutils.widgets.get("barge_model_diabetes_registry"))

# COMMAND ----------

training = pd.read_csv(TRAINING)
x, y = training[features].astype("float64"), training[LABEL]
if dbutils.widgets.get("shuffle_labels") == "true":
    y = y.sample(frac=1, random_state=3).reset_index(drop=True)

model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))

# COMMAND ----------

with mlflow.start_run(run_name="train") as run:
    cross_validated = cross_val_score(model, x, y, cv=5)
    model.fit(x, y)
    metrics = {
        "training_accuracy": float(model.score(x, y)),
        "cv_accuracy": float(cross_validated.mean()),
        "cv_accuracy_std": float(cross_validated.std()),
    }
    mlflow.log_params({"features": ",".join(features), "c": c, "rows": len(training)})
    mlflow.log_metrics(metrics)
    mlflow.set_tag("data.training.sha256", lake_digest(TRAINING))
    logged = mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(x, model.predict(x)),
        pip_requirements=[f"mlflow=={mlflow.__version__}", f"scikit-learn=={sklearn.__version__}"],
    )

version = mlflow.register_model(f"runs:/{run.info.run_id}/model", name)
print(f"registered {name} version {version.version} from run {run.info.run_id}")

# COMMAND ----------

dbutils.notebook.exit(json.dumps({
    "models": {"diabetes": {"version": str(version.version)}},
    "metrics": metrics,
    "output": {"run_id": run.info.run_id, "rows": len(training)},
}))
