"""A client that keeps one house running: started when the block is entered, stopped when it is left."""

import asyncio
import contextvars
import json as encoder
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from narthex.app import Narthex
from narthex.asgi import ASGIApp, Message
from narthex.clock import Clock
from narthex.config import Config
from narthex.errors import StartError
from narthex.testing.driving import HeaderPairs, Reply, request, websocket
from narthex.testing.fakes import Hello

T = TypeVar("T")


class Client:
    """Drives a house from a plain test, over ASGI and without a server.

    The event loop runs only while a request does, in the test's own thread: what `house.spawn` started goes on then,
    or in `run`. Inside an `async` test use `request` and `websocket` instead.

    Args:
        app: the app behind the house; unless given, one that answers "hello". A Narthex is taken as it is.
        config: as Narthex takes it; `config(...)` makes one.
        clock: where time must be held still.
        headers: sent with every request.
        limit: seconds that start and stop may take.

    Attributes:
        house: the Narthex that is driven.
    """

    def __init__(
        self,
        app: ASGIApp | None = None,
        config: str | Path | Mapping[str, Any] | Config | None = None,
        *,
        clock: Clock | None = None,
        headers: HeaderPairs = (),
        limit: float = 30.0,
    ) -> None:
        if isinstance(app, Narthex) and (config is not None or clock is not None):
            raise TypeError("the Narthex has its configuration and clock already")
        self.house = app if isinstance(app, Narthex) else Narthex(app or Hello(), config, clock=clock)
        self._headers = tuple(headers)
        self._limit = limit
        self._runner: asyncio.Runner | None = None
        self._lifespan: _Lifespan | None = None

    def __enter__(self) -> Self:
        """Start the house.

        Raises:
            StartError: it could not be started.
            TimeoutError: that took longer than the limit.
        """
        self._runner = asyncio.Runner()
        self._lifespan = _Lifespan(self.house, self._limit)
        try:
            self.run(self._lifespan.startup())
        except BaseException:
            self._runner.close()
            self._runner = None
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the house, and end what is left on its loop."""
        try:
            self.stop()
        finally:
            runner, self._runner = self._runner, None
            if runner is not None:
                runner.close()

    def stop(self) -> None:
        """Stop the house before the block is left, to look at what is left of it.

        Raises:
            StartError: the app said that its shutdown failed.
            TimeoutError: that took longer than the limit.
        """
        lifespan, self._lifespan = self._lifespan, None
        if lifespan is not None:
            self.run(lifespan.shutdown())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await something on the house's own loop, with the test's context variables: `client.run(plugin.refresh())`.

        Raises:
            RuntimeError: outside the block.
        """
        if self._runner is None:
            work.close()
            raise RuntimeError("the house is not running: with Client(...) as client: ...")
        return self._runner.run(work, context=contextvars.copy_context())

    def wait_until(self, true: Callable[[], object], limit: float = 30.0) -> None:
        """Let background tasks run until something is so.

        Raises:
            TimeoutError: it still is not, after `limit` seconds.
        """

        async def wait() -> None:
            async with asyncio.timeout(limit):
                while not true():  # noqa: ASYNC110  what becomes true is not ours to signal
                    await asyncio.sleep(0.005)

        self.run(wait())

    def request(
        self,
        method: str,
        target: str,
        headers: HeaderPairs = (),
        body: bytes = b"",
        *,
        json: object = None,
        **more: Any,
    ) -> Reply:
        """One request and its whole reply.

        Args:
            method: upper case.
            target: path and query.
            headers: after those of the client.
            body: the whole body.
            json: sent as the body, with its content type.
            more: keys of the scope that win over the usual ones.
        """
        fields = [*self._headers, *headers]
        if json is not None:
            fields.append(("content-type", "application/json"))
            body = encoder.dumps(json).encode()
        return self.run(request(self.house, method, target, fields, body, **more))

    def get(self, target: str, headers: HeaderPairs = (), **more: Any) -> Reply:
        """GET."""
        return self.request("GET", target, headers, **more)

    def post(
        self, target: str, headers: HeaderPairs = (), body: bytes = b"", *, json: object = None, **more: Any
    ) -> Reply:
        """POST."""
        return self.request("POST", target, headers, body, json=json, **more)

    def websocket(self, target: str, texts: Iterable[str] = (), headers: HeaderPairs = (), **more: Any) -> Reply:
        """One websocket: connect, some texts, disconnect."""
        return self.run(websocket(self.house, target, texts, [*self._headers, *headers], **more))


class _Lifespan:
    """The server's side of the lifespan protocol."""

    def __init__(self, app: ASGIApp, limit: float) -> None:
        self._app = app
        self._limit = limit

    async def startup(self) -> None:
        self._told: asyncio.Queue[Message] = asyncio.Queue()
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self._task = asyncio.create_task(self._run(scope), name="lifespan of the test's client")
        await self._tell("startup")

    async def shutdown(self) -> None:
        await self._tell("shutdown")
        await self._task

    async def _run(self, scope: dict[str, Any]) -> None:
        await self._app(scope, self._told.get, self._said.put)

    async def _tell(self, event: str) -> None:
        self._told.put_nowait({"type": f"lifespan.{event}"})
        answer = asyncio.ensure_future(self._said.get())
        await asyncio.wait([answer, self._task], timeout=self._limit, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            if not self._task.done():
                self._task.cancel()
                raise TimeoutError(f"the {event} took longer than {self._limit} s")
            await self._task  # raises what ended it
            raise StartError(f"the app ended before its {event} was complete")
        message = answer.result()
        if message["type"] != f"lifespan.{event}.complete":
            raise StartError(message.get("message") or f"the {event} failed")
