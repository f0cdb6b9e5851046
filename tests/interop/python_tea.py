"""One call by the Python SDK of today (alibabacloud_ram20150501, tea): typed where RAM has it, generic else.

Takes a call as JSON on standard input, prints what came of it as JSON.
"""

import json
import sys

from alibabacloud_ram20150501 import models
from alibabacloud_ram20150501.client import Client
from alibabacloud_tea_openapi import models as open_api
from alibabacloud_tea_openapi.client import Client as OpenApiClient
from alibabacloud_tea_util import models as util

TYPED = {
    "CreateUser": ("create_user", models.CreateUserRequest),
    "ListUsers": ("list_users", models.ListUsersRequest),
    "CreateAccessKey": ("create_access_key", models.CreateAccessKeyRequest),
    "CreateRole": ("create_role", models.CreateRoleRequest),
}


def call(asked):
    config = open_api.Config(
        access_key_id=asked["id"],
        access_key_secret=asked["secret"],
        security_token=asked.get("token"),
        endpoint=asked["endpoint"],
        protocol="http",
    )
    if asked["version"] == "2015-05-01" and asked["action"] in TYPED:
        method, request = TYPED[asked["action"]]
        return getattr(Client(config), method)(request().from_map(asked["parameters"])).body.to_map()
    parameters = open_api.Params(
        action=asked["action"],
        version=asked["version"],
        protocol="HTTP",
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    request = open_api.OpenApiRequest(query=asked["parameters"])
    return OpenApiClient(config).call_api(parameters, request, util.RuntimeOptions())["body"]


asked = json.load(sys.stdin)
try:
    print(json.dumps({"ok": True, "body": call(asked)}))
except Exception as raised:
    told = {"code": getattr(raised, "code", None), "message": str(getattr(raised, "message", raised))}
    print(json.dumps({"ok": False, "raised": type(raised).__name__, **told}))
