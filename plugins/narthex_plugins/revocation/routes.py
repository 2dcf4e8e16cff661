"""The endpoints: what was revoked, and sessions."""

import math
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from narthex import AUTHENTICATED, House, Identity, Route
from narthex.context import current_exchange
from narthex.errors import ContractError, DependencyError
from narthex.services import Sessions
from narthex_plugins.revocation.documents import (
    Unreadable,
    answer,
    document,
    number,
    order_of,
    plain,
    refused,
    session_document,
)
from narthex_plugins.revocation.revoking import Revoker
from narthex_plugins.revocation.settings import RevocationSettings

READ: Final = "revocations:read"
WRITE: Final = "revocations:write"
SESSIONS_READ: Final = "sessions:read"
SESSIONS_END: Final = "sessions:end"
_LARGEST: Final = 2**62
_MOST: Final = 1000

_Endpoint = Callable[["Endpoints", Request], Awaitable[Response]]


def _speaking(endpoint: _Endpoint) -> _Endpoint:
    """Answer what cannot be read, and what the store does not take."""

    @wraps(endpoint)
    async def speak(self: "Endpoints", request: Request) -> Response:
        try:
            return await endpoint(self, request)
        except Unreadable as unreadable:
            return refused(unreadable.status, "request_invalid", str(unreadable))
        except DependencyError as error:
            after = {"retry-after": str(max(1, math.ceil(error.retry_after or 1)))}
            return refused(503, error.code, "the store does not answer; what was asked may have been done", after)

    return speak


class Endpoints:
    """Serves the plugin's endpoints."""

    def __init__(self, settings: RevocationSettings, house: House, revoker: Revoker) -> None:
        self._settings = settings
        self._house = house
        self._revoker = revoker

    def routes(self) -> list[Route]:
        """What is served, where, and who may."""
        path, sessions = self._settings.path, self._settings.sessions
        undo = "Says that a revocation cannot be undone."
        return [
            Route(path=path, endpoint=self.list, access=READ, summary="What was revoked, the latest first."),
            Route(path=path, endpoint=self.create, access=WRITE, methods=("POST",), summary="Revoke."),
            Route(path=path, endpoint=self.undo, access=WRITE, methods=("DELETE",), summary=undo),
            Route(path=f"{path}/{{version}}", endpoint=self.undo, access=WRITE, methods=("DELETE",), summary=undo),
            Route(path=sessions, endpoint=self.sessions, access=AUTHENTICATED, summary="The caller's sessions."),
            Route(
                path=f"{sessions}/{{id}}",
                endpoint=self.end,
                access=AUTHENTICATED,
                methods=("DELETE",),
                summary="End a session, and refuse its tokens.",
            ),
        ]

    @_speaking
    async def list(self, request: Request) -> Response:
        """What was revoked, by pages: `before` is a version, `limit` at most 1000."""
        query = request.query_params
        before, limit = number(query.get("before"), _LARGEST, _LARGEST), number(query.get("limit"), 100, _MOST)
        found = await self._revoker.history(limit, before)
        following = found[-1].version if len(found) == limit else None
        return answer({"revocations": [document(one) for one in found], "next": following})

    @_speaking
    async def create(self, request: Request) -> Response:
        """Revoke; when this answers, nobody accepts it any more."""
        identity = _caller()
        order = await order_of(request, self._house.clock.now())
        issuer = order.issuer if order.issuer is not None else self.issuer(identity)
        version = await self._revoker.carry_out(order, issuer, identity.subject)
        return answer({"version": version, "kind": order.kind, "issuer": issuer}, 201)

    async def undo(self, _request: Request) -> Response:
        """Say that undo is not possible."""
        why = "a revocation cannot be undone: whoever was refused logs in again"
        return refused(405, "revocation_final", why, {"allow": "GET, POST"})

    @_speaking
    async def sessions(self, request: Request) -> Response:
        """The caller's sessions, or with `subject` somebody's, for who may."""
        service, identity = self._revoker.sessions, _caller()
        if service is None:
            return _no_sessions()
        subject = plain(request.query_params.get("subject", identity.subject), "subject")
        own = subject == identity.subject and identity.issuer == service.issuer
        if not own and not self._may(identity, SESSIONS_READ):
            return refused(403, "permission_denied", f"the sessions of others need {SESSIONS_READ}")
        now = self._house.clock.now()
        found = await service.list(subject)
        return answer({"sessions": [session_document(one, identity.session_id, now) for one in found]})

    @_speaking
    async def end(self, request: Request) -> Response:
        """End one of the caller's sessions, or anybody's for who may."""
        service, identity = self._revoker.sessions, _caller()
        if service is None:
            return _no_sessions()
        session_id = plain(str(request.path_params["id"]), "id")
        if not await self._is_own(service, identity, session_id) and not self._may(identity, SESSIONS_END):
            return refused(404, "session_unknown", "you have no such session")
        ended = await service.end(session_id, f"ended by {identity.subject}"[:100])
        await self._revoker.revoke_session(session_id, service.issuer, "the session was ended", identity.subject)
        return answer({"ended": ended})

    def issuer(self, identity: Identity) -> str:
        """Who is meant where nobody is named: auth's own issuer, else the caller's."""
        service = self._revoker.sessions
        return identity.issuer if service is None else service.issuer

    def _may(self, identity: Identity, permission: str) -> bool:
        return self._house.permissions().has_permission(identity, permission)

    @staticmethod
    async def _is_own(service: Sessions, identity: Identity, session_id: str) -> bool:
        if identity.issuer != service.issuer:
            return False
        return any(one.id == session_id for one in await service.list(identity.subject))


def _no_sessions() -> Response:
    return refused(404, "sessions_unknown", "no plugin keeps sessions: auth is not on")


def _caller() -> Identity:
    exchange = current_exchange()
    if exchange is None or exchange.identity is None:
        raise ContractError("an anonymous caller reached an endpoint that is not for them")
    return exchange.identity
