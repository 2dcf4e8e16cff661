"""The plugin auth with a token it has seen before, beside a dictionary in Starlette's AuthenticationMiddleware.

All three know the same token of the same key. The middleware is written as its documentation shows it; its dictionary
holds what `authenticate` returned, by the token's text, until the token ends.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.asgi import ASGIApp
from benchmarks.candidates import Peer, candidate
from benchmarks.credentials import AUDIENCE, ISSUER, private_key, public_pem
from benchmarks.traffic import bare

GROUP = "Authentication"
DICTIONARY = "starlette auth, dictionary"
UNCACHED = "starlette auth, uncached"


def middleware(app: ASGIApp, *, remember: bool) -> ASGIApp:
    """Put Starlette's AuthenticationMiddleware in front of an app."""
    import jwt
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, SimpleUser
    from starlette.middleware.authentication import AuthenticationMiddleware
    from starlette.requests import HTTPConnection

    key: Any = load_pem_public_key(public_pem().encode())  # PyJWT takes any of cryptography's key classes
    known: dict[str, tuple[float, AuthCredentials, SimpleUser]] = {}

    class Bearer(AuthenticationBackend):
        async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
            if "Authorization" not in conn.headers:
                return None
            scheme, _, token = conn.headers["Authorization"].partition(" ")
            if scheme.lower() != "bearer":
                return None
            found = known.get(token)
            if found is None or time.time() >= found[0]:
                found = self._verify(token)
                if remember:
                    known[token] = found
            return found[1], found[2]

        def _verify(self, token: str) -> tuple[float, AuthCredentials, SimpleUser]:
            try:
                claims = jwt.decode(token, key, ["RS256"], audience=AUDIENCE, issuer=ISSUER)
            except jwt.InvalidTokenError as invalid:
                raise AuthenticationError("invalid token") from invalid
            return claims["exp"], AuthCredentials(claims["roles"]), SimpleUser(claims["sub"])

    return AuthenticationMiddleware(app, Bearer())


@candidate(DICTIONARY, group=GROUP, wire=True)
def dictionary() -> ASGIApp:
    return middleware(bare, remember=True)


@candidate(UNCACHED, group=GROUP)
def uncached() -> ASGIApp:
    return middleware(bare, remember=False)


@candidate(
    "narthex, auth",
    group=GROUP,
    lifespan=True,
    background=True,
    wire=True,
    against=(Peer(DICTIONARY, at_most=1.5), Peer(UNCACHED, at_most=0.15)),
)
def auth() -> ASGIApp:
    return behind_auth({})


def behind_auth(plugins: Mapping[str, Mapping[str, object]]) -> ASGIApp:
    """Put Narthex with auth, and the plugins of these tables after it, in front of the bare app."""
    from narthex import Narthex
    from narthex.config import Secret

    directory = TemporaryDirectory(prefix="narthex-bench-")
    secret, url = Secret("0123456789abcdef" * 4), f"sqlite:///{directory.name}/narthex.db"
    _store_key(Path(directory.name), secret, url)
    table = {"issuer": ISSUER, "audience": AUDIENCE}
    app = Narthex(bare, {"narthex": {"store": url, "secret_key": secret}, "plugins": {"auth": table, **plugins}})
    app.benchmark_directory = directory  # type: ignore[attr-defined]  # gone with the app
    return app


def _store_key(directory: Path, secret: Any, url: str) -> None:
    """Make a store whose signing key is that of the token."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from sqlalchemy import insert

    from narthex.sealing import Sealer
    from narthex.store.address import parse
    from narthex.store.engines import make_file, writing
    from narthex.store.migrations import upgrade
    from narthex_plugins.auth.keystore import Policy, sealed_row
    from narthex_plugins.auth.signing import load_signing_key
    from narthex_plugins.auth.tables import keys, tables

    address = parse(url, directory)
    make_file(address)
    engine = writing(address)
    upgrade(engine, [tables])
    der = private_key().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    signer, now = load_signing_key(der, "RS256"), time.time()
    row = sealed_row("auth", signer, Policy("RS256", 900, 0, 600, 60), Sealer(secret), now, now)
    with engine.begin() as connection:
        connection.execute(insert(keys), row)
    engine.dispose()
