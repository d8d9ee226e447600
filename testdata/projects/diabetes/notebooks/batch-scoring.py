# Databricks notebook source
# MAGIC %md
# MAGIC # Batch scoring
# MAGIC Scores the scoring share with the model of the release and writes one file per run; each row says which model
# MAGIC version and which release it comes from. Repeating a run replaces its own file and nothing else.

# COMMAND ----------

# MAGIC %run ./lake

# COMMAND ----------

# MAGIC %run ./model_files

# COMMAND ----------

import json

version = dbutils.widgets.get("barge_model_diabetes_version")
release = dbutils.widgets.get("barge_release")
run = dbutils.widgets.get("barge_run")

rows = pd.read_csv(lake_file("/dbfs/mnt/modelData/score/", "scoring"))
model, digest = model_load(dbutils.widgets.get("barge_model_diabetes_uri"))
inputs = model.metadata.get_input_schema().input_names()

# COMMAND ----------

scores = rows[FEATURES].copy()
scores["prediction"] = model.predict(rows[inputs].astype("float64"))
scores["model_version"] = version
scores["barge_release"] = release
scores["barge_run"] = run

folder = "/dbfs/mnt/modelData/scores"
os.makedirs(folder, exist_ok=True)
table = os.path.join(folder, f"{run}.csv")
scores.to_csv(table + ".part", index=False)
os.replace(table + ".part", table)
written = len(pd.read_csv(table))
print(f"{len(rows)} rows in, {written} rows out: {table}")

# COMMAND ----------

dbutils.notebook.exit(json.dumps({
    "models": {"diabetes": {"version": version}},
    "output": {"rows_in": len(rows), "rows_out": written, "table": table, "model_digest": digest},
}))
