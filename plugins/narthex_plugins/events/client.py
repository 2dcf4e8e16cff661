"""A client for asyncio: reads a stream, comes back when it is cut off, goes on where it was.

async with EventStream("http://127.0.0.1:8000/_narthex/events", ["orders.>"], token=token) as stream:
    async for one in stream: ...
"""

import asyncio
import json
import random
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, cast

import httpx

_FINAL: Final = frozenset({400, 401, 403, 404, 405, 410})
"""Answers that are no other ones the next time."""
_LONGEST_PAUSE: Final = 30.0
_LONGEST_LINE: Final = 4 * 1_048_576


class StreamRefused(Exception):
    """The house refuses the stream, and will not change its mind.

    Attributes:
        status: of the answer.
        code: of the problem, or "".
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code} {detail}".strip())
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that was published.

    Attributes:
        topic: words joined by dots.
        data: what was published with it.
        at: seconds since the epoch, UTC.
        id: where it stands in the log; None where its topic is not durable.
        key: what it is about, or None.
        request: id of the request it happened in, or None.
    """

    topic: str
    data: Any
    at: float
    id: str | None = None
    key: str | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something is missing here.

    Attributes:
        reason: "retention", "unknown" or "dropped".
        count: how many events, where that is known.
    """

    reason: str
    count: int | None = None


class EventStream:
    """Events, as they come.

    Args:
        url: of the endpoint.
        topics: patterns; none for all.
        token: for `Authorization: Bearer`, or None.
        key: only events with this key.
        where: `field:value` each.
        last_event_id: where to go on; "" for what comes from now on.
        silence: seconds after which a stream that says nothing, heartbeats included, counts as cut off.
        client: one of your own, for TLS, proxies or cookies; it is not closed here.
        headers: sent with each request.

    Attributes:
        last_event_id: of the last event that was given out.
        connections: how often it has connected.
    """

    def __init__(  # noqa: PLR0913  all but the first two by name
        self,
        url: str,
        topics: Sequence[str] = (),
        *,
        token: str | None = None,
        key: str | None = None,
        where: Sequence[str] = (),
        last_event_id: str = "",
        silence: float = 60.0,
        client: httpx.AsyncClient | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._url = url
        self._query: dict[str, Sequence[str]] = {"topic": topics, "where": where, "key": () if key is None else (key,)}
        self._headers = {**(headers or {}), "accept": "text/event-stream"}
        if token is not None:
            self._headers["authorization"] = f"Bearer {token}"
        self._silence = silence
        self._own = client is None
        self._client = httpx.AsyncClient() if client is None else client
        self._retry = 2.0
        self._failures = 0
        self._response: httpx.Response | None = None
        self._bytes: AsyncIterator[bytes] | None = None
        self._reader = _Reader()
        self._pending: deque[tuple[Event | Gap | None, str]] = deque()
        self.last_event_id = last_event_id
        self.connections = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event | Gap:
        """The next event or gap; waits for ever.

        Raises:
            StreamRefused: the house refuses for good.
        """
        while True:
            while self._pending:
                one, place = self._pending.popleft()
                self.last_event_id = place or self.last_event_id
                if one is not None:
                    return one
            try:
                await self._more()
            except (httpx.TransportError, httpx.StreamError, _Odd):
                await self._cut_off()

    async def connect(self) -> None:
        """Be connected when this returns, so that nothing that is published from then on is missed.

        Raises:
            StreamRefused: the house refuses for good.
        """
        while self._bytes is None or not self.last_event_id:
            try:
                await self._more()
            except (httpx.TransportError, httpx.StreamError, _Odd):
                await self._cut_off()
            if self._pending and self._pending[0][0] is None:  # where the stream begins
                self.last_event_id = self._pending.popleft()[1] or self.last_event_id

    async def aclose(self) -> None:
        """Read no more."""
        await self._hang_up()
        if self._own:
            await self._client.aclose()

    async def _more(self) -> None:
        """Read some; connect where there is no connection."""
        if self._bytes is None:
            await self._connect()
            return
        data = await anext(self._bytes, b"")
        if not data:
            raise httpx.ReadError("the stream has ended")
        for block in self._reader.feed(data):
            if block.retry is not None:
                self._retry = block.retry
            self._pending.append((block.meaning(), block.id))

    async def _connect(self) -> None:
        headers = dict(self._headers)
        if self.last_event_id:
            headers["last-event-id"] = self.last_event_id
        timeout = httpx.Timeout(self._silence, connect=min(10.0, self._silence))
        request = self._client.build_request("GET", self._url, params=self._query, headers=headers, timeout=timeout)
        self._response = response = await self._client.send(request, stream=True)
        if response.status_code != 200:
            await _refused(response)
            raise _Odd
        self.connections += 1
        self._failures = 0
        self._reader = _Reader()
        self._bytes = response.aiter_bytes()

    async def _cut_off(self) -> None:
        """Wait, the longer the more often it failed."""
        await self._hang_up()
        pause = min(self._retry * 2**self._failures, _LONGEST_PAUSE)
        self._failures = min(self._failures + 1, 10)
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  only spreads the load

    async def _hang_up(self) -> None:
        response, self._response, self._bytes = self._response, None, None
        if response is not None:
            await response.aclose()


class _Odd(Exception):
    """What came is no stream of events."""


@dataclass(slots=True)
class _Block:
    """What stands between two empty lines."""

    event: str = ""
    data: str = ""
    id: str = ""
    retry: float | None = None

    def meaning(self) -> Event | Gap | None:
        if not self.data:
            return None
        try:
            given: dict[str, Any] = json.loads(self.data)
            if self.event == "gap":
                return Gap(**given["gap"])
            return Event(
                topic=given["topic"],
                data=given["data"],
                at=given["at"],
                id=given.get("id"),
                key=given.get("key"),
                request=given.get("request"),
            )
        except (ValueError, KeyError, TypeError):
            raise _Odd from None


class _Reader:
    """Server-sent events out of bytes, as far as the house sends them (WHATWG HTML, 9.2.6)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[_Block]:
        """Blocks that are complete."""
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        if len(self._rest) > _LONGEST_LINE:
            raise _Odd
        for text in blocks:
            block = _Block()
            for line in text.decode(errors="replace").split("\n"):
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if name == "data":
                    block.data += value
                elif name == "id":
                    block.id = value
                elif name == "event":
                    block.event = value
                elif name == "retry" and value.isdecimal():
                    block.retry = int(value) / 1000
            yield block


async def _refused(response: httpx.Response) -> None:
    """Raise where coming back would not help."""
    if response.status_code not in _FINAL:
        return
    code = detail = ""
    with suppress(ValueError, httpx.HTTPError):
        problem: object = json.loads(await response.aread())
        if isinstance(problem, dict):
            known = cast("dict[str, object]", problem)
            code, detail = str(known.get("code", "")), str(known.get("detail", ""))
    raise StreamRefused(response.status_code, code, detail)
