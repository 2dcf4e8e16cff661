"""The endpoint. However many ask at once, the page is made by one thread, and each gets one begun after it asked."""

import asyncio
from collections.abc import Callable
from contextvars import Context

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from narthex_plugins.metrics.exposition import media_type, page
from narthex_plugins.metrics.families import Row

_Kind = tuple[str, bool]


class Scrape:
    """Answers Prometheus.

    Args:
        rows: gives what all have counted; on a thread.
        poll: brings up to date what is only looked at now and then.
    """

    def __init__(self, rows: Callable[[], list[Row]], poll: Callable[[], None]) -> None:
        self._rows = rows
        self._poll = poll
        self._turn = asyncio.Lock()
        self._next: dict[_Kind, asyncio.Task[bytes]] = {}

    async def __call__(self, request: Request) -> Response:
        """The page in the format, and compressed, as the reader takes it; 503 where the workers cannot be read."""
        self._poll()
        zipped = "gzip" in request.headers.get("accept-encoding", "").lower()
        kind = media_type(request.headers.get("accept", ""))
        try:
            made = await self._page((kind, zipped))
        except OSError:
            return PlainTextResponse("the workers' figures could not be read", 503)
        headers = {"content-type": kind, "cache-control": "no-store", "vary": "accept, accept-encoding"}
        return Response(made, headers={**headers, "content-encoding": "gzip"} if zipped else headers)

    async def _page(self, kind: _Kind) -> bytes:
        task = self._next.get(kind)
        if task is None:
            # In a context of its own: whoever happens to come first is not who asks.
            task = self._next[kind] = asyncio.create_task(self._make(kind), context=Context())
        return await asyncio.shield(task)  # who hangs up does not take it from the others

    async def _make(self, kind: _Kind) -> bytes:
        async with self._turn:
            del self._next[kind]
            return await asyncio.to_thread(self._made, *kind)

    def _made(self, kind: str, zipped: bool) -> bytes:
        return page(self._rows(), kind, zipped=zipped)
