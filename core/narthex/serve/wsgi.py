"""A WSGI app as an ASGI app, for `--wsgi`: a thread pool in front, by a2wsgi, and the identity in REMOTE_USER."""

import sys
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, cast

from a2wsgi import WSGIMiddleware

from narthex.asgi import ASGIApp, Receive, Scope, Send
from narthex.identity import Identity

# PEP 3333: environ values and start_response have no narrower type that servers and frameworks agree on.
Environ = MutableMapping[str, Any]
WSGIApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def adapt(app: WSGIApp) -> ASGIApp:
    """Wrap a WSGI app.

    REMOTE_USER (RFC 3875 §4.1.11) is the subject that Narthex vouches for, and is absent for an anonymous caller. A
    header can never become it: `Remote-User` arrives as HTTP_REMOTE_USER, as any header does. Field names with an
    underscore are dropped, because CGI spelling makes `X_Narthex_Subject` the same variable as the
    `X-Narthex-Subject` that Narthex strips (RFC 3875 §4.1.18 warns of such collisions).
    """
    threads: Any = WSGIMiddleware(cast("Any", _with_remote_user(app)))  # it types every message and variable

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and any(b"_" in name for name, _ in scope["headers"]):
            scope = {**scope, "headers": [field for field in scope["headers"] if b"_" not in field[0]]}
        await threads(scope, receive, send)

    asgi.__wrapped__ = app  # type: ignore[attr-defined]  # by which Django is known here too
    return asgi


def _with_remote_user(app: WSGIApp) -> WSGIApp:
    def call(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        identity = environ["asgi.scope"].get("narthex.identity")
        if isinstance(identity, Identity):
            # PEP 3333: native strings that hold bytes, decoded as latin-1.
            environ["REMOTE_USER"] = identity.subject.encode("utf-8", "surrogateescape").decode("latin-1")
        # a2wsgi would send the app's error stream to standard output, among the access lines.
        environ["wsgi.errors"] = sys.stderr
        return app(environ, start_response)

    return call
