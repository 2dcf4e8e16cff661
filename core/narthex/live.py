"""The exchanges under way, so that what lives long can be ended: by token, session or subject."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from narthex.ending import GRACE
from narthex.exchange import Exchange, Hall
from narthex.identity import Identity

GOING_AWAY: Final = 1001  # RFC 6455 §7.4.1: such as a server going down
_LOOK: Final = 0.05  # seconds between looks at what is still under way; only while the house stops or reloads


class Passage(Protocol):
    """An exchange on its walk, as far as ending it goes."""

    exchange: Exchange

    @property
    def lives_long(self) -> bool:
        """Whether a socket is open, or a stream has begun and has more to come."""
        ...

    @property
    def open_ended(self) -> bool:
        """Whether it lives long and nothing says when it will end by itself: an open socket or event stream."""
        ...

    def end(self, reason: str, code: int = 4401) -> None:
        """Close the websocket or end the stream; an answer that is complete in one piece is left alone."""
        ...


class LiveExchanges:
    """Every exchange under way in this process.

    Entering and leaving costs one set operation each; closing looks at all of them, which is rare.
    """

    def __init__(self) -> None:
        self._passages: set[Passage] = set()
        self.add = self._passages.add
        self.discard = self._passages.discard

    def __len__(self) -> int:
        return len(self._passages)

    def __iter__(self) -> Iterator[Exchange]:
        return iter([passage.exchange for passage in self._passages])

    def close(
        self,
        *,
        token_id: str | None = None,
        session_id: str | None = None,
        subject: str | None = None,
        issuer: str | None = None,
        reason: str = "revoked",
        code: int = 4401,
    ) -> int:
        """End the websockets and streams whose identity matches every criterion given; return how many.

        Safe from any thread.

        Args:
            token_id: `jti`; together with `issuer` where two issuers may use the same.
            session_id: the session.
            subject: the subject; together with `issuer` where two issuers may use the same.
            issuer: narrows the others, alone it closes all of that issuer.
            reason: a word for the log and the close frame.
            code: websocket close code.
        """
        wanted = {
            name: value
            for name, value in (
                ("token_id", token_id),
                ("session_id", session_id),
                ("subject", subject),
                ("issuer", issuer),
            )
            if value is not None
        }
        if not wanted:
            raise ValueError("say which exchanges to close")
        return self.close_where(
            lambda identity: all(getattr(identity, name) == value for name, value in wanted.items()), reason, code
        )

    def close_where(self, meant: Callable[[Identity], bool], reason: str = "revoked", code: int = 4401) -> int:
        """End the websockets and streams of the identities that are meant; return how many.

        Safe from any thread. One look at every exchange under way.

        Args:
            meant: says so of an identity; it does not wait.
            reason: a word for the log and the close frame.
            code: websocket close code.
        """
        closed = 0
        for passage in tuple(self._passages):
            identity = passage.exchange.identity
            if identity is not None and meant(identity):
                try:
                    passage.end(reason, code)
                except RuntimeError:  # its loop is gone, and the exchange with it
                    continue
                closed += 1
        return closed

    async def hang_up(self, limit: float) -> None:
        """End what is open-ended, sockets and event streams, and wait `limit` seconds at most until that is done."""
        await self._until(lambda: not self._end_open(), limit)

    async def drain(self, limit: float) -> int:
        """End what is open-ended, let the rest end by itself, and end that too where it takes longer than `limit`.

        Sockets and event streams are ended at once, their clients come back to another process. Other streams, a
        long download say, have until shortly before the limit. An answer that has not begun is never ended.

        Returns:
            How many exchanges are still under way.
        """
        loop = asyncio.get_running_loop()
        late = loop.time() + limit - 2 * GRACE

        def all_gone() -> bool:
            self._end_open(streams=loop.time() >= late)
            return not self._passages

        await self._until(all_gone, limit)
        return len(self._passages)

    def _end_open(self, *, streams: bool = False) -> bool:
        """End what is open-ended, and `streams` that are not; whether there is any."""
        ending = [one for one in tuple(self._passages) if one.open_ended or (streams and one.lives_long)]
        for passage in ending:
            passage.end("stopping", GOING_AWAY)
        return bool(ending)

    async def _until(self, true: Callable[[], bool], limit: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit
        while not true() and loop.time() < deadline:  # noqa: ASYNC110  an event would cost every exchange something
            await asyncio.sleep(_LOOK)

    async def leave(self, hall: Hall, limit: float) -> list[Exchange]:
        """Wait until no exchange of a configuration that was replaced is under way, `limit` seconds at most.

        Returns:
            The exchanges that are.
        """
        await self._until(lambda: not any(one.hall is hall for one in self), limit)
        return [one for one in self if one.hall is hall]
