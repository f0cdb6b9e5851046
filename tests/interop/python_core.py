"""Calls by the Python SDK of before (aliyun-python-sdk-core and -ram): typed where RAM has it, generic else.

Takes calls on standard input, one JSON object per line, and prints what came of each as JSON.
"""

import json
import sys

from aliyunsdkcore.acs_exception.exceptions import ClientException, ServerException
from aliyunsdkcore.auth.credentials import AccessKeyCredential, StsTokenCredential
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest
from aliyunsdkram.request.v20150501.CreateUserRequest import CreateUserRequest
from aliyunsdkram.request.v20150501.ListUsersRequest import ListUsersRequest

TYPED = {"CreateUser": CreateUserRequest, "ListUsers": ListUsersRequest}


def call(asked):
    host, port = asked["endpoint"].split(":")
    if asked.get("token"):
        credential = StsTokenCredential(asked["id"], asked["secret"], asked["token"])
    else:
        credential = AccessKeyCredential(asked["id"], asked["secret"])
    client = AcsClient(region_id="cn-hangzhou", credential=credential, port=int(port))
    if asked["version"] == "2015-05-01" and asked["action"] in TYPED:
        request = TYPED[asked["action"]]()
    else:
        request = CommonRequest()
        request.set_version(asked["version"])
        request.set_action_name(asked["action"])
        request.set_domain(host)
        request.set_method("POST")
    for name, value in asked["parameters"].items():
        request.add_query_param(name, value)
    request.set_endpoint(host)
    request.set_protocol_type("http")
    request.set_accept_format("json")
    return json.loads(client.do_action_with_exception(request))


for line in sys.stdin:
    try:
        print(json.dumps({"ok": True, "body": call(json.loads(line))}), flush=True)
    except (ServerException, ClientException) as raised:
        told = {"code": raised.get_error_code(), "message": raised.get_error_msg()}
        print(json.dumps({"ok": False, "raised": type(raised).__name__, **told}), flush=True)
