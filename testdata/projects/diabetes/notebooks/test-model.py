# Databricks notebook source
# MAGIC %md
# MAGIC # Test the model
# MAGIC Loads exactly the version it is told, scores the evaluation share and answers with what it measured. It does
# MAGIC not judge: the gate's expectations in `barge.hcl` do.

# COMMAND ----------

# MAGIC %run ./lake

# COMMAND ----------

# MAGIC %run ./model_files

# COMMAND ----------

import json

from sklearn.metrics import accuracy_score, roc_auc_score

EVALUATION = lake_file("/dbfs/mnt/modelData/test/", "evaluation")
evaluation = pd.read_csv(EVALUATION)

# A test on rows that the model was trained on says nothing.
training = lake_share("training")
shared = evaluation.merge(training, how="inner", on=FEATURES)
assert len(shared) == 0, f"{len(shared)} evaluation rows are training rows"

# COMMAND ----------

model, digest = model_load(dbutils.widgets.get("barge_model_diabetes_uri"))
inputs = model.metadata.get_input_schema().input_names()
predicted = model.predict(evaluation[inputs].astype("float64"))

metrics = {
    "accuracy": float(accuracy_score(evaluation[LABEL], predicted)),
    "auc": float(roc_auc_score(evaluation[LABEL], predicted)),
    "commoner_class": float(max(evaluation[LABEL].mean(), 1 - evaluation[LABEL].mean())),
}
print(metrics)

# COMMAND ----------

dbutils.notebook.exit(json.dumps({
    "models": {"diabetes": {"version": dbutils.widgets.get("barge_model_diabetes_version")}},
    "metrics": metrics,
    "output": {"rows": len(evaluation), "data_sha256": lake_digest(EVALUATION), "model_digest": digest},
}))
