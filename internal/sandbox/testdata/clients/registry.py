"""The workspace registry, through databricks-sdk and mlflow alike."""

import os
import tempfile

import mlflow
from databricks.sdk.errors import InvalidParameterValue, ResourceAlreadyExists, ResourceDoesNotExist
from mlflow.exceptions import MlflowException, RestException

from checks import Sharp, same
from workspace import b64


def rows(w):
    r = w.model_registry
    client = mlflow.MlflowClient(tracking_uri="databricks", registry_uri="databricks")
    for path, content in {"MLmodel": "flavors: {}\n", "data/a b.txt": "1,2,3"}.items():
        w.dbfs.put("/py-model/" + path, contents=b64(content))
    source, name = "dbfs:/py-model", "py"
    r.create_model(name)
    client.create_model_version(name, source)
    absent, wrong = ResourceDoesNotExist, InvalidParameterValue
    gone, version = "RegisteredModel 'no' does not exist. It might have been deleted.", "Model Version (name=py, version=9) not found"
    stage = "Invalid Model Version stage: Live. Value must be one of None, Staging, Production, Archived."
    yield "create twice", ResourceAlreadyExists, "Registered Model (name=py) already exists.", lambda: r.create_model(name)
    yield "create without a name", wrong, "Got an invalid name ''. Registered Model names cannot be empty strings.", lambda: r.create_model("")
    yield "get of a missing model", absent, gone, lambda: r.get_model("no")
    yield "get of a missing version", absent, version, lambda: r.get_model_version(name, "9")
    yield "an unknown stage", wrong, stage, lambda: r.transition_stage(name, "1", "Live", False)
    yield "tag of a missing version", absent, version, lambda: r.set_model_version_tag(name, "9", "k", "v")

    def coded(code, message):
        return RestException, f"{code}: {message}"

    yield "mlflow: create twice", *coded("RESOURCE_ALREADY_EXISTS", "Registered Model (name=py) already exists."), Sharp("RESOURCE_ALREADY_EXISTS", lambda: client.create_registered_model(name))
    yield "mlflow: get of a missing model", *coded("RESOURCE_DOES_NOT_EXIST", gone), Sharp("RESOURCE_DOES_NOT_EXIST", lambda: client.get_registered_model("no"))
    yield "mlflow: get of a missing version", *coded("RESOURCE_DOES_NOT_EXIST", version), lambda: client.get_model_version(name, "9")
    yield "mlflow: an unknown stage", *coded("INVALID_PARAMETER_VALUE", stage), lambda: client.transition_model_version_stage(name, "1", "Live")

    def alias():
        try:
            client.set_registered_model_alias(name, "champion", "1")
        except MlflowException as e:
            same(isinstance(e, RestException), False)  # refused by the client: no call is made
            return
        raise AssertionError("an alias in the workspace registry")

    yield "mlflow: an alias", None, None, alias

    def stages():
        for _ in range(2):
            client.create_model_version(name, source)
        r.transition_stage(name, "1", "Production", False)
        client.transition_model_version_stage(name, "2", "Production")
        client.transition_model_version_stage(name, "3", "Production", archive_existing_versions=True)
        same(sorted((v.version, v.current_stage) for v in client.search_model_versions("name='py'")), [("1", "Archived"), ("2", "Archived"), ("3", "Production")])
        same([v.version for v in client.get_latest_versions(name, ["Production"])], ["3"])
        same([v.version for v in r.get_latest_versions(name, stages=["Production"])], ["3"])
        client.set_model_version_tag(name, "3", "release", "1.0")
        same(client.get_model_version(name, "3").tags, {"release": "1.0"})
        same(len(r.get_model(name).registered_model_databricks.id), 32)

    yield "stages", None, None, stages

    def files():
        with tempfile.TemporaryDirectory() as here:
            mlflow.set_registry_uri("databricks")
            at = mlflow.artifacts.download_artifacts("models:/py/Production", dst_path=here)
            found = {}
            for folder, _, names in os.walk(at):
                for each in names:
                    with open(os.path.join(folder, each), encoding="utf8") as f:
                        found[os.path.relpath(os.path.join(folder, each), at)] = f.read()
            found.pop("registered_model_meta", None)  # the client's own
            same(found, {"MLmodel": "flavors: {}\n", "data/a b.txt": "1,2,3"})

    yield "files", None, None, files

    def deleted():
        client.delete_model_version(name, "1")
        client.delete_registered_model(name)
        client.get_registered_model(name)

    yield "delete", *coded("RESOURCE_DOES_NOT_EXIST", "RegisteredModel 'py' does not exist. It might have been deleted."), deleted
