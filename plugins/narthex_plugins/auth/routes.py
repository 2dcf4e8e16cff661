"""The endpoints below `{prefix}/auth`, and the JWKS."""

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from hashlib import sha256
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from narthex import AUTHENTICATED, PUBLIC, Exchange, Route
from narthex.clock import Clock
from narthex.context import current_exchange
from narthex.errors import ContractError, DependencyError
from narthex.services import TokenRevoker
from narthex_plugins.auth.bodies import Unreadable, answer, fields_of, refused
from narthex_plugins.auth.claims import Expectations
from narthex_plugins.auth.cookies import CookieJar
from narthex_plugins.auth.credentials import Reader
from narthex_plugins.auth.grants import Granted, Grants
from narthex_plugins.auth.issuing import CLIENT, identity_of_token
from narthex_plugins.auth.keystore import Keystore
from narthex_plugins.auth.logins import Wait
from narthex_plugins.auth.refusals import TokenRefused
from narthex_plugins.auth.sessions import Client
from narthex_plugins.auth.settings import AuthSettings
from narthex_plugins.auth.tokens import verify

_Endpoint = Callable[["Endpoints", Request, Mapping[str, str]], Awaitable[Response]]


def _reading(endpoint: _Endpoint) -> Callable[["Endpoints", Request], Awaitable[Response]]:
    """Give an endpoint its fields, and answer for what it cannot go on from."""

    @wraps(endpoint)
    async def read(self: "Endpoints", request: Request) -> Response:
        try:
            return await endpoint(self, request, await fields_of(request))
        except Unreadable as unreadable:
            return refused(unreadable.status, "invalid_request", str(unreadable))
        except DependencyError as error:
            return refused(503, "temporarily_unavailable", error.code, retry_after=error.retry_after or 1)

    return read


class Endpoints:
    """Serves the plugin's endpoints.

    Attributes:
        revoker: makes access tokens no longer good, where a plugin does that; set at start.
    """

    def __init__(
        self,
        settings: AuthSettings,
        grants: Grants,
        keys: Keystore,
        expected: Expectations,
        reader: Reader,
        jar: CookieJar,
        clock: Clock,
    ) -> None:
        self.revoker: TokenRevoker | None = None
        self._settings = settings
        self._grants = grants
        self._keys = keys
        self._expected = expected
        self._reader = reader
        self._jar = jar
        self._clock = clock

    def routes(self) -> list[Route]:
        """What is served, where, and who may."""
        path, own = self._settings.path, self._settings
        return [
            Route(
                path=f"{path}/login",
                endpoint=self.login,
                access=PUBLIC,
                methods=("POST",),
                summary="Begin a session by name and password.",
            ),
            Route(
                path=f"{path}/refresh",
                endpoint=self.refresh,
                access=PUBLIC,
                methods=("POST",),
                summary="Exchange a refresh token for its successor and a new access token.",
            ),
            Route(
                path=f"{path}/logout",
                endpoint=self.logout,
                access=PUBLIC,
                methods=("POST",),
                summary="End the caller's session.",
            ),
            Route(path=f"{path}/me", endpoint=self.me, access=AUTHENTICATED, summary="Who the caller is."),
            Route(
                path=f"{path}/revoke",
                endpoint=self.revoke,
                access=PUBLIC,
                methods=("POST",),
                summary="Make a token no longer good (RFC 7009).",
            ),
            Route(
                path=f"{path}/introspect",
                endpoint=self.introspect,
                access=own.introspect,
                methods=("POST",),
                summary="Say what a token is worth (RFC 7662).",
            ),
            Route(path=own.jwks, endpoint=self.jwks, access=PUBLIC, at_root=True, summary="The public keys."),
        ]

    @_reading
    async def login(self, _request: Request, fields: Mapping[str, str]) -> Response:
        """Begin a session: tokens, or with `cookie` a session cookie."""
        exchange = _exchange()
        if fields.get("grant_type", "password") != "password":
            return refused(400, "unsupported_grant_type", "the grant type is password")
        name, password, cookie = fields.get("username"), fields.get("password"), fields.get("cookie") == "true"
        if not name or not password:
            return refused(400, "invalid_request", "username or password is missing")
        if cookie and not self._reader.is_own(exchange.headers, exchange.scheme, exchange.host):
            # Else another site could log its visitors in as somebody else (login CSRF).
            return refused(403, "invalid_request", "a cookie is given to our own pages only: Origin or Sec-Fetch-Site")
        given = await self._grants.login(name, password, _client(exchange), cookie=cookie)
        if isinstance(given, Wait):
            return refused(429, "too_many_attempts", "try again later", retry_after=given.seconds)
        if not isinstance(given, Granted):
            return refused(400, "invalid_grant", "the name or the password is wrong")
        before = exchange.identity
        if cookie and before is not None and before.via == "cookie" and before.session_id is not None:
            await self._grants.logout(before.session_id, before.subject, _client(exchange))
        return self._granted(given, exchange)

    @_reading
    async def refresh(self, _request: Request, fields: Mapping[str, str]) -> Response:
        """Exchange a refresh token."""
        if fields.get("grant_type", "refresh_token") != "refresh_token":
            return refused(400, "unsupported_grant_type", "the grant type is refresh_token")
        token = fields.get("refresh_token")
        if not token:
            return refused(400, "invalid_request", "refresh_token is missing")
        exchange = _exchange()
        given = await self._grants.refresh(token, _client(exchange))
        if not isinstance(given, Granted):
            return refused(400, "invalid_grant", "the refresh token is not good, or not any more")
        return self._granted(given, exchange)

    async def logout(self, request: Request) -> Response:
        """End the session of the caller's token or cookie, or of the refresh token in the body."""
        exchange = _exchange()
        client, identity = _client(exchange), exchange.identity
        try:
            if identity is not None and identity.session_id is not None and identity.issuer == self._expected.issuer:
                await self._grants.logout(identity.session_id, identity.subject, client)
                until = None if identity.via == "cookie" else identity.expires_at
                return await self._gone(identity.session_id, identity.subject, until)
            token = (await fields_of(request)).get("refresh_token", "") if "content-type" in request.headers else ""
            session = await self._grants.owner(token)
            if session is None:
                return refused(400, "invalid_request", "no session: send its token, its cookie or a refresh_token")
            await self._grants.logout(session.id, session.subject, client)
            until = min(session.expires, self._clock.now() + self._settings.access_lifetime)
            return await self._gone(session.id, session.subject, until)
        except Unreadable as unreadable:
            return refused(unreadable.status, "invalid_request", str(unreadable))
        except DependencyError as error:
            return refused(503, "temporarily_unavailable", error.code, retry_after=error.retry_after or 1)

    async def me(self, _request: Request) -> Response:
        """Who the caller is."""
        identity = _exchange().identity
        if identity is None:
            raise ContractError("an anonymous caller reached an endpoint that is not for them")
        return answer(
            {
                "subject": identity.subject,
                "issuer": identity.issuer,
                "roles": sorted(identity.roles),
                "permissions": sorted(identity.permissions),
                "session_id": identity.session_id,
                "expires_at": identity.expires_at,
                "auth_time": identity.auth_time,
                "methods": list(identity.methods),
                "via": identity.via,
            }
        )

    @_reading
    async def revoke(self, _request: Request, fields: Mapping[str, str]) -> Response:
        """Make a token no longer good; a token that is none is fine too (RFC 7009 §2.2)."""
        token = fields.get("token")
        if not token:
            return refused(400, "invalid_request", "token is missing")
        session = await self._grants.owner(token)
        if session is not None:
            await self._grants.logout(session.id, session.subject, _client(_exchange()))
            return answer({})
        claims = self._claims(token)
        if claims is None:
            return answer({})
        if self.revoker is None:
            return refused(400, "unsupported_token_type", "access tokens are revoked by the plugin revocation")
        expires = float(cast("float", claims["exp"]))
        token_id, by = str(claims["jti"]), str(claims["sub"])
        await self.revoker.revoke_token(token_id, self._expected.issuer, expires, "revoked by its holder", by)
        return answer({})

    @_reading
    async def introspect(self, _request: Request, fields: Mapping[str, str]) -> Response:
        """Say whether a token is good, and what it says (RFC 7662 §2.2)."""
        token = fields.get("token")
        if not token:
            return refused(400, "invalid_request", "token is missing")
        session = await self._grants.usable(token)
        if session is not None:
            told = {"active": True, "token_type": "refresh_token", "sub": session.subject, "sid": session.id}
            issuer = {"iss": self._expected.issuer, "client_id": CLIENT, "exp": int(session.expires)}
            return answer({**told, **issuer})
        claims = self._claims(token)
        if claims is None or ("sid" in claims and not await self._grants.live(str(claims["sid"]))):
            return answer({"active": False})
        if self.revoker is not None and await self.revoker.is_revoked(identity_of_token(claims, "introspection")):
            return answer({"active": False})  # RFC 7662 §2.2: active is what has not been revoked
        return answer({**claims, "active": True, "token_type": "Bearer"})

    async def jwks(self, request: Request) -> Response:
        """The public keys, for others to keep for a while."""
        document = self._keys.document
        tag = f'"{sha256(document).hexdigest()[:32]}"'
        headers = {
            "cache-control": f"public, max-age={max(1, int(self._settings.overlap / 2))}",
            "etag": tag,
            "x-content-type-options": "nosniff",
        }
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(document, headers=headers, media_type="application/jwk-set+json")

    def _claims(self, token: str) -> Mapping[str, object] | None:
        """The claims of an access token of ours that is good; None for any other text."""
        try:
            return verify(token, self._keys.key_set, self._expected, self._clock.now())
        except TokenRefused:
            return None

    async def _gone(self, session_id: str, subject: str, until: float | None) -> Response:
        """The answer to a logout; it says until when an access token of the session may still be good."""
        if self.revoker is not None:
            await self.revoker.revoke_session(session_id, self._expected.issuer, "logout", subject)
            until = None
        response = answer({"logged_out": True, "access_token_good_until": until})
        response.raw_headers.extend(self._jar.clearing())
        return response

    def _granted(self, given: Granted, exchange: Exchange) -> Response:
        if given.cookie is None:
            return answer(
                {
                    "access_token": given.access_token,
                    "refresh_token": given.refresh_token,
                    "token_type": "Bearer",
                    "expires_in": int(given.expires_in),
                }
            )
        response = answer({"subject": given.user.subject, "expires_in": int(given.expires_in)})
        setting = self._jar.setting(given.cookie, given.expires_in, exchange.scheme, exchange.host)
        response.raw_headers.append(setting)
        return response


def _exchange() -> Exchange:
    exchange = current_exchange()
    if exchange is None:
        raise ContractError("an endpoint was called outside an exchange")
    return exchange


def _client(exchange: Exchange) -> Client:
    return Client(exchange.client, exchange.headers.get("user-agent"))
