"""What Werkzeug behind gunicorn makes of a request."""

import base64
import json

from werkzeug.wrappers import Request, Response


@Request.application
def application(request):
    body = request.get_data(cache=True, parse_form_data=False)
    is_form = request.mimetype == "application/x-www-form-urlencoded"
    seen = {
        "method": request.method,
        "path": request.path,
        "query": list(request.args.items(multi=True)),
        "form": list(request.form.items(multi=True)) if is_form else [],
        "json": request.get_json(silent=True) if request.is_json else None,
        "headers": list(request.headers.items()),
        "target": request.environ.get("RAW_URI", ""),
        "body": base64.b64encode(body).decode(),
    }
    return Response(json.dumps({"RequestId": "x", "seen": seen}), mimetype="application/json")
