"""A stream from its first byte to its last: subscribe, replay what was missed, then live.

A stream that joins the hub gets no kept event yet. It reads the log from where its client left off until it is where
the process is; that it is there and that it is live from there on happen without anybody in between. So nothing is
missed, and nothing comes twice.
"""

import asyncio
import random
from contextlib import suppress
from typing import Any, Final

from narthex import House, Identity
from narthex.asgi import Receive
from narthex.errors import DependencyError
from narthex.storage import Store
from narthex_plugins.events.asking import Interest
from narthex_plugins.events.event import Id, Published, read_id, written
from narthex_plugins.events.following import Follower
from narthex_plugins.events.hub import Hub
from narthex_plugins.events.log import EventRows, Place
from narthex_plugins.events.rules import Rules
from narthex_plugins.events.subscriber import WRITE, Kind, Send, Subscriber, joined, refused

HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx would collect what should leave at once
)
_LAST_WORD: Final = 1.0
"""Seconds for which a client may hold up the end of its stream."""
RESTART, TRY_AGAIN_LATER = 1012, 1013
"""Close codes of a websocket (IANA's registry, after RFC 6455 §7.4)."""
STOPPING: Final = "stopping"


class Streams:
    """Serves streams.

    Args:
        house: whose they are.
        rules: who may read what.
        hub: hands on what comes.
        rows: the log of kept events.
        follower: knows where this process is in it.
        retry: seconds that clients wait before they come back.
    """

    def __init__(self, house: House, rules: Rules, hub: Hub, rows: EventRows, follower: Follower, retry: float) -> None:
        self._house = house
        self._store: Store = house.store
        self._rules = rules
        self._hub = hub
        self._rows = rows
        self._follower = follower
        self._retry = retry

    async def sse(
        self, interest: Interest, identity: Identity | None, who: str, left: str, receive: Receive, send: Send
    ) -> None:
        """Serve one as server-sent events."""
        await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS]})
        one = self._subscriber("sse", interest, identity, who, send)
        if await self._serve(one, left, receive, send, "http.disconnect"):
            await _last_word(send({"type": "http.response.body", "body": b"", "more_body": False}))

    async def websocket(
        self, interest: Interest, identity: Identity | None, who: str, left: str, receive: Receive, send: Send
    ) -> None:
        """Serve one on a websocket that was accepted."""
        one = self._subscriber("websocket", interest, identity, who, send)
        if await self._serve(one, left, receive, send, "websocket.disconnect"):
            code = RESTART if one.reason == STOPPING else TRY_AGAIN_LATER
            await _last_word(send({"type": "websocket.close", "code": code, "reason": one.reason}))

    def _subscriber(
        self, kind: Kind, interest: Interest, identity: Identity | None, who: str, send: Send
    ) -> Subscriber:
        return Subscriber(kind, interest, identity, self._house.permissions, send, who)

    async def _serve(self, one: Subscriber, left: str, receive: Receive, send: Send, gone: str) -> bool:
        """Serve it until it ends; whether its client is still there."""
        self._hub.join(one)
        try:
            try:
                await self._begin(one, left, send)
            except DependencyError:  # the client comes back, with what it has seen
                one.reason = "the log of events cannot be read"
                return True
            except asyncio.CancelledError:
                if not one.forgive():
                    raise
                return True
            await one.listen(receive, gone)
            return bool(one.reason)
        finally:
            self._hub.leave(one)

    async def _begin(self, one: Subscriber, left: str, send: Send) -> None:
        """Tell the client where it is, and what it missed; then it is live."""
        place = read_id(left)
        at, gap = (self._follower.place, None) if not left else await self._resume(place)
        first = [self._opening(one, at)]
        if gap is not None:
            first.append(one.say("gap", reason=gap))
        await send(one.message(joined(first)))
        version = at[0]
        while version < self._follower.version:
            version = await self._replay(one, version, send)
        self._hub.live(one, version)

    def _opening(self, one: Subscriber, at: Id) -> Any:
        """When to come back, and where the stream begins: whoever is cut off before the first event resumes there."""
        wait = round(self._retry * 1000 * random.uniform(1.0, 1.5))  # noqa: S311  only spreads the load
        if one.kind == "sse":
            return f"retry: {wait}\nid: {written(at)}\n\n".encode()
        return one.say("open", id=written(at), retry=wait)

    async def _resume(self, place: Id | None) -> tuple[Id, str | None]:
        """Where a client that has seen a place goes on, and why it misses something, if it does."""
        version = 0 if place is None else place[0]
        found: Place = await self._store.read(lambda connection: self._rows.place(connection, version))
        if place is None or version > found.last[0] or (found.mark is not None and found.mark != place[1]):
            return found.last, "unknown"
        if found.first > version + 1 or (found.first == 0 and version < found.last[0]):
            return (max(found.first - 1, version), "0"), "retention"
        return place, None

    async def _replay(self, one: Subscriber, version: int, send: Send) -> int:
        """Send a page of what was kept after a version; the version it ends with."""
        seen = await self._store.read(lambda connection: self._rows.see(connection, version))
        if not seen.events:
            return max(version, self._follower.version)
        chunks: list[Any] = []
        size = 0
        for event in seen.events:
            if event.version > version + 1:  # swept away in this very moment
                chunks.append(one.say("gap", reason="retention"))
            version = event.version
            if not self._is_for(one, event):
                continue
            chunks.append(one.chunk(event))
            size += len(chunks[-1])
            if size > WRITE:
                await send(one.message(joined(chunks)))
                chunks, size = [], 0
        if chunks:
            await send(one.message(joined(chunks)))
        return version

    def _is_for(self, one: Subscriber, event: Published) -> bool:
        wanted = one.interest.means(event.topic) and one.interest.wants(event)
        return wanted and not refused(one, self._rules.of(event.topic), event)


async def _last_word(saying: Any) -> None:
    """Say how it ends, to a client that listens."""
    with suppress(Exception):
        async with asyncio.timeout(_LAST_WORD):
            await saying
