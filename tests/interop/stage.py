"""A demo of the binary under test, and a node beside it that does not hold one address to a pace."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).resolve().parents[2] / "target"))
AKGATE = TARGET / "debug" / "akgate"


def demo(*arguments):
    """A demo that has played its walk, and who plays in it."""
    zero = "127.0.0.1:0"
    command = [AKGATE, "demo", "--json", "--listen", zero, "--public-listen", zero, "--admin-listen", zero]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
    stage = json.loads(process.stdout.readline())
    while json.loads(process.stdout.readline())["step"] != "ready":
        pass
    return process, stage


def node(data, roles="admin", more=""):
    """A node on the database of the demo that keeps its data there; gives the address of its admin API."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sockets = urllib.parse.quote(str((data / "postgres").resolve() / "run"), safe="")
    config = data / "node.toml"
    config.write_text(
        f'[admin]\nlisten = "127.0.0.1:{port}"\nrequests_per_second = 100000\n'
        f'[database]\nurl = "postgresql:///akgate?host={sockets}&user=postgres&sslmode=disable"\n'
        f'[directory]\nkey_ring_file = "{data / "key-ring"}"\n'
        f'[telemetry]\nlisten = "127.0.0.1:0"\nlog_filter = "error"\n{more}'
    )
    process = subprocess.Popen([AKGATE, "serve", "--roles", roles, "--config", config])
    url = f"http://127.0.0.1:{port}"
    for _ in range(100):
        try:
            urllib.request.urlopen(f"{url}/admin/openapi.json", timeout=10).close()
            return process, url
        except urllib.error.URLError:
            time.sleep(0.1)
    process.kill()
    raise RuntimeError("the node does not answer")


def ask(url, token, path, body=None):
    """What the admin API answers; an error where it refuses."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/admin/v1/{path}", data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)
