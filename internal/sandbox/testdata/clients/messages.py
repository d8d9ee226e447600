"""What was recorded of the real service, where another section does not have it, and who may not come in."""

import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, NotFound, ResourceDoesNotExist, Unauthenticated

from checks import Sharp, same


def rows(w):
    host = w.config.host
    nobody = WorkspaceClient(host=host, token="dapi00000000000000000000000000000000")

    def refused():
        try:
            nobody.current_user.me()
        except Unauthenticated as e:  # the SDK appends its configuration
            raise Unauthenticated(str(e).split(" Config: ")[0], error_code=e.error_code) from e

    yield "a wrong token", Unauthenticated, "Invalid access token.", Sharp("UNAUTHENTICATED", refused)
    yield "clusters get", ResourceDoesNotExist, "Cluster 1-2-x does not exist", lambda: w.clusters.get("1-2-x")
    yield "an API that there is not", NotFound, "No API found for 'GET /kettles'", Sharp("ENDPOINT_NOT_FOUND", lambda: w.api_client.do("GET", "/api/2.0/kettles"))
    yield "another verb", NotFound, "No API found for 'DELETE /workspace/list'", lambda: w.api_client.do("DELETE", "/api/2.0/workspace/list")
    yield "a missing field", InvalidParameterValue, "Missing required field: path", lambda: w.api_client.do("POST", "/api/2.0/workspace/mkdirs", body={})
    yield "a success without content is {}", None, None, lambda: same(w.api_client.do("POST", "/api/2.0/workspace/mkdirs", body={"path": "/Shared"}), {})
    yield "whose workspace", None, None, lambda: same(str(w.get_workspace_id()), requests.get(host + "/.well-known/databricks-config", timeout=30).json()["workspace_id"])
