"""Starlette's AuthenticationMiddleware with PyJWT RS256, a set of revoked ids and a role check.

Plain verifies the token at every request. Tuned verifies it once, then looks at its end and the revoked ids.
"""

import time
from typing import Any

from benchmarks.asgi import ASGIApp, Receive, Scope, Send
from benchmarks.candidates import candidate
from benchmarks.credentials import AUDIENCE, ISSUER, ROLE, public_pem, revoked
from benchmarks.traffic import bare

GROUP = "Packages alone"


class RequireRole:
    """Answer 403 to everyone without the role."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ROLE not in scope["auth"].scopes:
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self.app(scope, receive, send)


def plain(app: ASGIApp) -> ASGIApp:
    import jwt
    from starlette.authentication import (
        AuthCredentials,
        AuthenticationBackend,
        AuthenticationError,
        SimpleUser,
    )
    from starlette.middleware.authentication import AuthenticationMiddleware
    from starlette.requests import HTTPConnection

    key, gone = public_pem(), revoked()

    class Bearer(AuthenticationBackend):
        async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
            scheme, _, token = conn.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                return None
            try:
                claims = jwt.decode(token, key, ["RS256"], audience=AUDIENCE, issuer=ISSUER)
            except jwt.InvalidTokenError as invalid:
                raise AuthenticationError("invalid token") from invalid
            if claims["jti"] in gone:
                raise AuthenticationError("revoked")
            return AuthCredentials(claims["roles"]), SimpleUser(claims["sub"])

    return AuthenticationMiddleware(RequireRole(app), Bearer())


def tuned(app: ASGIApp) -> ASGIApp:
    import jwt
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from starlette.authentication import (
        AuthCredentials,
        AuthenticationBackend,
        AuthenticationError,
        SimpleUser,
    )
    from starlette.middleware.authentication import AuthenticationMiddleware
    from starlette.requests import HTTPConnection

    key: Any = load_pem_public_key(public_pem().encode())  # PyJWT takes any of cryptography's key classes
    gone = revoked()
    seen: dict[bytes, tuple[float, str, tuple[AuthCredentials, SimpleUser]]] = {}

    def verify(value: bytes) -> tuple[float, str, tuple[AuthCredentials, SimpleUser]]:
        try:
            claims = jwt.decode(value[7:], key, ["RS256"], audience=AUDIENCE, issuer=ISSUER)
        except jwt.InvalidTokenError as invalid:
            raise AuthenticationError("invalid token") from invalid
        who = AuthCredentials(claims["roles"]), SimpleUser(claims["sub"])
        return claims["exp"], claims["jti"], who

    class Bearer(AuthenticationBackend):
        async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
            value = next((value for name, value in conn.scope["headers"] if name == b"authorization"), b"")
            known = seen.get(value)
            if known is None:
                if value[:7].lower() != b"bearer ":
                    return None
                known = seen[value] = verify(value)
            until, token_id, who = known
            if time.time() >= until or token_id in gone:
                raise AuthenticationError("revoked or expired")
            return who

    return AuthenticationMiddleware(RequireRole(app), Bearer())


@candidate("starlette auth + pyjwt, plain", group=GROUP)
def plain_row() -> ASGIApp:
    return plain(bare)


@candidate("starlette auth + pyjwt, tuned", group=GROUP)
def tuned_row() -> ASGIApp:
    return tuned(bare)
