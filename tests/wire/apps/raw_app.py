"""An ASGI app that reads paths as generously as anyone ever has."""

import posixpath

from narthex.asgi import Receive, Scope, Send
from tests.wire.apps.marks import PUBLIC, admin


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": answer(scope)})
        await send({"type": "websocket.close"})
        return
    body = answer(scope).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})


def answer(scope: Scope) -> str:
    path = generous(scope["path"].removeprefix(scope.get("root_path", "")))
    if path in {"admin", "admin/users", "admin/ws"}:
        return admin("raw")
    return PUBLIC if path == "public" else path.removeprefix("items/")


def generous(path: str) -> str:
    """Cut at NUL, take backslashes for slashes, drop `;` parameters of dot segments, resolve dots, strip line ends."""
    path = path.partition("\x00")[0].replace("\\", "/").replace("..;", "..").replace("%2f", "/").replace("%2F", "/")
    return posixpath.normpath("/" + path.replace("%2e", ".").replace("%2E", ".")).strip("/\t\r\n")
