"""What aiohttp makes of a request: `seen_aiohttp.py PORT`."""

import base64
import json
import sys

from aiohttp import web


async def look(request):
    body = await request.read()
    is_form = request.content_type == "application/x-www-form-urlencoded"
    try:
        members = json.loads(body) if request.content_type == "application/json" and body else None
    except ValueError:
        members = None
    seen = {
        "method": request.method,
        "path": request.path,
        "query": list(request.query.items()),
        "form": list((await request.post()).items()) if is_form else [],
        "json": members,
        "headers": [(name.decode(), value.decode("latin-1")) for name, value in request.raw_headers],
        "target": request.raw_path,
        "body": base64.b64encode(body).decode(),
    }
    return web.json_response({"RequestId": "x", "seen": seen})


application = web.Application(client_max_size=1 << 22)
application.router.add_route("*", "/{path:.*}", look)
web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
