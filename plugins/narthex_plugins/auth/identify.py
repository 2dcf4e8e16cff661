"""Who sent this request: the stage `authenticate`.

A token or cookie that was verified before is known by its digest: one hash, one look-up, no I/O. A token not seen
before is verified where it stands, some 50 µs. A cookie not seen before, or one seen before something changed, is
looked up in the store.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from sqlalchemy import Connection

from narthex import Deny, Exchange, Identity
from narthex.clock import Clock
from narthex.errors import DependencyError
from narthex.services import Session
from narthex.storage import Store
from narthex_plugins.auth.claims import Expectations
from narthex_plugins.auth.cookies import CookieJar
from narthex_plugins.auth.credentials import FOREIGN, SAFE, Cookie, Reader, Token, bearer_refused
from narthex_plugins.auth.ended import EndedSessions
from narthex_plugins.auth.issuer_keys import IssuerUnavailable
from narthex_plugins.auth.issuing import identity_of_session, identity_of_token
from narthex_plugins.auth.keystore import Keystore
from narthex_plugins.auth.refusals import TokenRefused
from narthex_plugins.auth.sessions import SEEN_EVERY, SessionRows, digest
from narthex_plugins.auth.tokens import verify
from narthex_plugins.auth.users import UserSource
from narthex_plugins.auth.verified import Known, Verified

_TRIES: Final = 5
"""How often a cookie is looked up anew because sessions were ended meanwhile, before its owner has to come back."""


_FRESH: Final = sha256()
"""To be copied: OpenSSL looks the algorithm up for each new one, a third of the cost of a digest."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """What the identifier looks at.

    Attributes:
        recheck: seconds for which roles and permissions of a cookie's owner are taken as they were.
        idle: seconds without use after which a session is over; 0 for never.
        touch: notes that a session is in use.
    """

    store: Store
    clock: Clock
    reader: Reader
    jar: CookieJar
    keys: Keystore
    expected: Expectations
    sessions: SessionRows
    ended: EndedSessions
    tokens: Verified
    cookies: Verified
    recheck: float
    idle: float
    touch: Callable[[str, str | None, str | None], None]


class Issuer(Protocol):
    """An external issuer."""

    async def verify(self, token: str, via: str, now: Callable[[], float]) -> Known:
        """Verify a token of it, or raise TokenRefused or IssuerUnavailable."""
        ...


class Issuers(Protocol):
    """The external issuers."""

    def of(self, token: str) -> Issuer | None:
        """Whose token it claims to be; None for all others, our own included. Raises TokenRefused."""
        ...

    def without_keys(self) -> list[str]:
        """Those none of whose tokens can be verified now."""
        ...


class Identifier:
    """Answers `authenticate`.

    Attributes:
        users: where a cookie's owner is looked up; set at start.
        issuers: verify the tokens that are not ours; None where there are none.
    """

    def __init__(self, places: Places) -> None:
        self._at = places
        self._tokens = places.tokens
        self._known = places.tokens.known.get
        self._now = places.clock.now
        self._has_cookie = places.reader.may_have_cookie
        self.users: UserSource | None = None
        self.issuers: Issuers | None = None

    def known(self, exchange: Exchange) -> Identity | None:
        """The usual case: nothing but a token in its header, seen before. One hash, one look-up, no I/O."""
        field = exchange.field(b"authorization")
        if field is None or exchange.kind != "http" or self._has_cookie(exchange):
            return None
        digest = _FRESH.copy()
        digest.update(field)
        known = self._known(digest.digest())
        if known is None:
            return None
        now = self._now()
        if now >= known.until:
            return None  # and whoever looks again finds it over
        known.used = True
        return known.identity if now < known.touch else self._met(known, exchange)

    async def identify(self, exchange: Exchange) -> Identity | Deny | None:
        """Who it is; None where the request carries nothing of ours; a Deny where what it carries is not good."""
        credential = self._at.reader.read(exchange.headers, exchange.scope.get("subprotocols") or ())
        if isinstance(credential, Token):
            return await self._by_token(credential, exchange)
        if isinstance(credential, Cookie):
            return await self._by_cookie(credential, exchange)
        return credential

    def _met(self, known: Known, exchange: Exchange) -> Identity:
        identity = known.identity
        now = self._now()
        if now >= known.touch and identity.session_id is not None:
            known.touch = now + SEEN_EVERY
            self._at.touch(identity.session_id, exchange.client, exchange.headers.get("user-agent"))
        return identity

    async def _by_token(self, token: Token, exchange: Exchange) -> Identity | Deny:
        field = b"Bearer " + token.text.encode("latin-1", "replace")
        # A NUL is in no header field: what came by a subprotocol is not found again by `known`, whatever a field says.
        sent = (exchange.headers.first(b"authorization") or b"") if token.via == "header" else b"\0" + field
        name = sha256(sent).digest()
        known = self._tokens.get(name)
        if known is None:
            try:
                known = await self._verified(token)
            except TokenRefused as refused:
                return bearer_refused(401, refused.code, refused.detail)
            except IssuerUnavailable as error:  # told where it happens, once, and not at each request
                return Deny(503, error.code, str(error), retry_after=error.retry_after)
            # Spelt with more spaces or in odd case it is good, but not remembered: one token must not fill the cache.
            if sent in (b"\0" + field, field, b"bearer" + field[6:]):
                self._tokens.put(name, known)
        return self._met(known, exchange)

    async def _verified(self, token: Token) -> Known:
        """Waits only where the keys of an external issuer have to be fetched."""
        issuer = None if self.issuers is None else self.issuers.of(token.text)
        if issuer is not None:
            return await issuer.verify(token.text, token.via, self._now)
        claims = verify(token.text, self._at.keys.key_set, self._at.expected, self._now())
        identity = identity_of_token(claims, token.via)
        expires = identity.expires_at if identity.expires_at is not None else 0.0
        touch = math.inf if identity.session_id is None else (identity.issued_at or 0.0) + SEEN_EVERY
        return Known(identity, expires, touch)

    async def _by_cookie(self, cookie: Cookie, exchange: Exchange) -> Identity | Deny:
        changes = exchange.kind == "websocket" or exchange.method not in SAFE
        if changes and not self._at.reader.is_own(exchange.headers, exchange.scheme, exchange.host):
            return FOREIGN
        name = digest(cookie.text)
        if self._at.ended.current():
            known = self._at.cookies.get(name)
            if known is not None:
                return self._met(known, exchange)
        known = await self._look_up(name)
        if known is None:
            over = bearer_refused(401, "session_over", "no session has this cookie, or it is over")
            return Deny(over.status, over.code, over.reason, headers=(*over.headers, *self._at.jar.clearing()))
        return self._met(known, exchange)

    async def _look_up(self, name: bytes) -> Known | None:
        """The owner of a cookie by the store; remembered where nothing was ended meanwhile."""
        ended = self._at.ended
        for _ in range(_TRIES):
            mark = ended.mark()
            if not ended.current():
                await ended.look()  # forgets what is over
            known = self._at.cookies.get(name)
            if known is None:
                known = await self._read(name)
            if ended.mark() == mark:  # else it may have been ended behind the read
                if known is not None:
                    self._at.cookies.put(name, known)
                return known
        raise DependencyError("sessions are ended faster than they can be looked up", retry_after=1)

    async def _read(self, name: bytes) -> Known | None:
        at = self._at

        def job(connection: Connection) -> Session | None:
            return at.sessions.by_cookie(connection, name)

        session = await at.store.read(job)
        now = self._now()
        if session is None or self.users is None or at.sessions.is_over(session, now):
            return None
        user = await self.users.find(session.subject)
        if user is None or user.disabled:
            return None
        until = min(session.expires, now + (min(at.recheck, at.idle) if at.idle > 0 else at.recheck))
        return Known(
            identity_of_session(user, session, at.expected.issuer, "cookie"), until, session.last_seen + SEEN_EVERY
        )
