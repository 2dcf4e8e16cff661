"""Revoking: commit, have everybody told, and return when nobody can accept it any more. The service `TokenRevoker`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from narthex.clock import Clock
from narthex.errors import DependencyError
from narthex.identity import Identity
from narthex.services import Sessions
from narthex.storage import Store
from narthex.verdict import Deny
from narthex_plugins.revocation.documents import Order
from narthex_plugins.revocation.entries import Kind, Revocation
from narthex_plugins.revocation.following import Follower
from narthex_plugins.revocation.lease import outstanding
from narthex_plugins.revocation.store import RevocationRows

_LOOK: Final = 0.01
"""Seconds between two looks at who has acknowledged."""
_PATIENCE: Final = 10.0
"""Seconds for which the store may be away after the commit, before the caller is told that nobody knows who knows."""


class Revoker:
    """Revokes, for one process; also for a command, which follows nothing.

    Args:
        longest: seconds a token or session lives at most.
        follower: of this process.

    Attributes:
        sessions: the service of the plugin auth, where it is on; set at start.
        judge: the verdict of the list, in a process that follows it.
    """

    def __init__(self, store: Store, rows: RevocationRows, clock: Clock, longest: float, follower: Follower) -> None:
        self.sessions: Sessions | None = None
        self.judge: Callable[[Identity], Awaitable[Deny | None]] | None = None
        self._store = store
        self._rows = rows
        self._clock = clock
        self._longest = longest
        self._follower = follower

    async def is_revoked(self, identity: Identity) -> bool:
        """Whether a request by this identity would be refused."""
        verdict = None if self.judge is None else await self.judge(identity)
        if verdict is not None and verdict.status == 503:
            raise DependencyError(verdict.reason, retry_after=verdict.retry_after)
        return verdict is not None

    async def revoke_token(self, token_id: str, issuer: str, expires_at: float, reason: str, by: str | None) -> None:
        """Refuse one token, by its `jti`, until it expires."""
        await self.revoke([self.fact("token", token_id, issuer, reason, by, expires=expires_at)])

    async def revoke_session(self, session_id: str, issuer: str, reason: str, by: str | None) -> None:
        """Refuse every token of a session."""
        await self.revoke([self.fact("session", session_id, issuer, reason, by)])

    async def revoke_subject(self, subject: str, issuer: str, reason: str, by: str | None) -> None:
        """Refuse every token of a subject that was issued until now, and end its sessions where they are ours."""
        await self.revoke(await self.subject(subject, issuer, None, reason, by))

    async def carry_out(self, order: Order, issuer: str, by: str | None) -> int:
        """Do what somebody orders; the version.

        Raises:
            DependencyError: as `revoke`.
        """
        if order.kind == "subject":
            return await self.revoke(await self.subject(order.name, issuer, order.cut, order.reason, by))
        if order.kind == "session" and self.sessions is not None and self.sessions.issuer == issuer:
            await self.sessions.end(order.name, order.reason[:100] or "revoked")
        fact = self.fact(order.kind, order.name, issuer, order.reason, by, cut=order.cut, expires=order.expires)
        return await self.revoke([fact])

    async def history(self, limit: int, before: int = 2**62) -> Sequence[Revocation]:
        """The latest entries below a version, the latest first."""
        return await self._store.read(lambda connection: self._rows.history(connection, before, limit))

    async def subject(
        self, subject: str, issuer: str, cut: float | None, reason: str, by: str | None
    ) -> Sequence[Revocation]:
        """What has to be revoked of a subject: everything issued before `cut`, or until now.

        Until now, its sessions are ended and revoked one by one as well: a token may have been issued by a clock that
        was ahead of ours, and shows a time that is still to come.
        """
        if cut is not None:
            return [self.fact("subject", subject, issuer, reason, by, cut=cut)]
        names: list[str] = []
        if self.sessions is not None and self.sessions.issuer == issuer:
            await self.sessions.end_all(subject, reason)
            young = self._clock.now() - self._longest
            names = [one.id for one in await self.sessions.list(subject) if max(one.expires, one.created) > young]
        # `iat` is a whole second: what was issued earlier in this one must be covered too.
        facts = [self.fact("session", name, issuer, reason, by) for name in names]
        return [*facts, self.fact("subject", subject, issuer, reason, by, cut=float(int(self._clock.now()) + 1))]

    def fact(
        self,
        kind: Kind,
        name: str,
        issuer: str,
        reason: str,
        by: str | None,
        *,
        cut: float | None = None,
        expires: float | None = None,
    ) -> Revocation:
        """What is to be revoked, as of now.

        Raises:
            ValueError: a text that no store can hold.
        """
        if any("\0" in text for text in (name, issuer, reason, by or "")):
            raise ValueError("a text holds U+0000")
        now = self._clock.now()
        if kind == "token" and expires is None:
            expires = now + self._longest
        return Revocation(
            version=0, kind=kind, name=name, issuer=issuer, cut=cut, expires=expires, at=now, by=by, reason=reason
        )

    async def revoke(self, facts: Sequence[Revocation]) -> int:
        """Revoke; once this has returned, no request whose vetting begins later is accepted by any process.

        Returns:
            The version of the last of them.

        Raises:
            DependencyError: it may not have been committed; or it was, and nobody can say whether everybody knows.
                Doing it again does no harm.
        """
        version = await self._store.write(lambda connection: self._rows.append(connection, facts))
        committed = self._clock.boottime()
        self._follower.outdated(committed)
        await self._known(version, committed)
        with suppress(DependencyError):  # this process knows that it does not know, and would refuse
            if self._follower.id:
                await self._follower.look(committed)
        return version

    async def _known(self, version: int, committed: float) -> None:
        """Wait until nobody can go by a list that lacks a version."""
        while True:
            try:
                readers = await self._store.read(self._rows.all)
            except DependencyError:
                if self._clock.boottime() - committed > _PATIENCE:
                    raise
                readers = None
            if readers is not None:
                others = [one for one in readers if one.id != self._follower.id]
                waited = self._clock.boottime() - committed
                page = self._store.link.page()
                if not outstanding(others, version, page, waited):
                    if outstanding(others, version, page, 0.0):  # they may be dead, and would cost every call this wait
                        self._follower.doubtful.set()
                    return
            await asyncio.sleep(_LOOK)
