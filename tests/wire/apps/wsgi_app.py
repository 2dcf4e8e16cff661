from typing import Any

from a2wsgi import WSGIMiddleware
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from tests.wire.apps.marks import PUBLIC, admin

RULES = Map(
    [
        Rule("/admin", endpoint="admin"),
        Rule("/admin/users", endpoint="admin"),
        Rule("/public", endpoint="public"),
        Rule("/items/<id>", endpoint="item"),
    ]
)


@Request.application
def wsgi(request: Request) -> Response | HTTPException:
    """Route as Flask does."""
    try:
        endpoint, values = RULES.bind_to_environ(request.environ).match()
    except HTTPException as error:
        return error
    if endpoint == "admin":
        return Response(admin("wsgi"))
    return Response(PUBLIC if endpoint == "public" else str(values["id"]))


# werkzeug and a2wsgi name the same callable by types of their own.
_callable: Any = wsgi
app = WSGIMiddleware(_callable, workers=2)
