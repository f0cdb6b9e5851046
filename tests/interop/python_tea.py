"""Calls by the typed Python SDKs (alibabacloud_ram20150501, alibabacloud_ims20190815, alibabacloud_sts20150401 on tea).

Takes calls on standard input, one JSON object per line, and prints what came of each as JSON. With `role`, the call is
signed by what alibabacloud_credentials gets for that role (RamRoleArn).
"""

import importlib
import json
import os
import re
import sys

if os.environ.get("INTEROP_CA"):
    # The SDKs trust what certifi holds: this machine's test CA has to be part of it.
    import certifi

    certifi.where = lambda: os.environ["INTEROP_CA"]

from alibabacloud_credentials.client import Client as CredentialsClient
from alibabacloud_credentials.models import Config as CredentialsConfig
from alibabacloud_tea_openapi import models as open_api

PACKAGES = {
    "2015-05-01": "alibabacloud_ram20150501",
    "2019-08-15": "alibabacloud_ims20190815",
    "2015-04-01": "alibabacloud_sts20150401",
}
providers = {}


def provider(asked):
    """One per name: a provider keeps its session until that is about to end."""
    if asked["provider"] not in providers:
        config = CredentialsConfig(
            type="ram_role_arn",
            access_key_id=asked["id"],
            access_key_secret=asked["secret"],
            role_arn=asked["role"],
            role_session_name="interop",
        )
        config.sts_endpoint = asked["endpoint"]
        providers[asked["provider"]] = CredentialsClient(config)
    return providers[asked["provider"]]


def call(asked):
    package = PACKAGES[asked["version"]]
    client, models = importlib.import_module(f"{package}.client"), importlib.import_module(f"{package}.models")
    config = open_api.Config(endpoint=asked["endpoint"], protocol=asked["protocol"])
    if asked.get("role"):
        config.credential = provider(asked)
    else:
        config.access_key_id, config.access_key_secret = asked["id"], asked["secret"]
        config.security_token = asked.get("token")
    if asked.get("algorithm"):
        config.signature_algorithm = asked["algorithm"]
    if asked["protocol"] == "https":
        config.ca = os.environ["INTEROP_CA"]
    method = getattr(client.Client(config), re.sub(r"(?<!^)(?=[A-Z])", "_", asked["action"]).lower())
    request = getattr(models, f"{asked['action']}Request", None)
    if request is None:
        answer = method()
    else:
        request = request()
        request.from_map(asked["parameters"])
        answer = method(request)
    return answer.body.to_map()


for line in sys.stdin:
    try:
        print(json.dumps({"ok": True, "body": call(json.loads(line))}), flush=True)
    except Exception as raised:
        told = {"code": getattr(raised, "code", None), "message": str(getattr(raised, "message", raised))}
        print(json.dumps({"ok": False, "raised": type(raised).__name__, **told}), flush=True)
