"""One process, every cell: a header names framework, place and guard, and the request is passed on untouched.

Places: "plain", "mounted" (the house stands below a Starlette parent at /sub), "below" (the house stands before
that parent, its patterns start with /sub). Guards: "none", "strict", "lax" (`strict_paths = false`).
"""

import json
from functools import cache
from importlib import import_module

from starlette.applications import Starlette
from starlette.routing import Mount

from narthex import Narthex
from narthex.asgi import ASGIApp, Receive, Scope, Send
from tests.wire.apps.marks import ran

FRAMEWORKS = ("starlette", "fastapi", "litestar", "quart", "django", "wsgi", "raw")
APPS: dict[str, ASGIApp] = {name: import_module(f"tests.wire.apps.{name}_app").app for name in FRAMEWORKS}


@cache
def cell(framework: str, place: str, guard: str) -> ASGIApp:
    app = APPS[framework]
    if place == "below":
        return guarded(Starlette(routes=[Mount("/sub", app)]), "/sub/admin/**", guard)
    app = guarded(app, "/admin/**", guard)
    return Starlette(routes=[Mount("/sub", app)]) if place == "mounted" else app


def guarded(app: ASGIApp, path: str, guard: str) -> ASGIApp:
    if guard == "none":
        return app
    plugin = {"use": "tests.wire.plugins:DenyPath", "path": path}
    return Narthex(app, {"narthex": {"strict_paths": guard == "strict"}, "plugins": {"deny-path": plugin}})


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    name = dict(scope["headers"]).get(b"x-cell", b"").decode()
    if name:
        await cell(*name.split())(scope, receive, send)
        return
    body = json.dumps(ran).encode()
    ran.clear()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
