"""One open stream, as the hub sees it: what it may read, what waits for it, and how that is sent.

joining --replayed--> live <--> sending (the client does not take it at once)
                        |
                        +-- too much waits: the oldest is dropped and told, or the stream ends
"""

import asyncio
import contextvars
from asyncio.tasks import (  # documented for who runs tasks: docs.python.org, "Extending asyncio"
    _enter_task,  # pyright: ignore[reportPrivateUsage]
    _leave_task,  # pyright: ignore[reportPrivateUsage]
)
from collections.abc import Awaitable, Callable, Coroutine
from types import CoroutineType
from typing import Any, Final, Literal, cast

from narthex import Identity
from narthex.asgi import Message, Receive
from narthex.errors import DependencyError
from narthex.services import Permissions
from narthex.timed import resume
from narthex_plugins.events.asking import Interest
from narthex_plugins.events.event import Published, told
from narthex_plugins.events.rules import AUTHENTICATED, PUBLIC, Need

Send = Callable[[Message], Awaitable[None]]
Kind = Literal["sse", "websocket"]
Chunk = bytes | str

WRITE: Final = 65_536
"""Bytes that leave in one write at most, unless one event is longer."""
_COROUTINE: Final[type[object]] = CoroutineType
NEVER: Final = 1 << 62
"""As the last version seen: no kept event is for this stream, as long as it is being replayed to."""


class Subscriber:
    """A stream. Made in the task that serves it.

    Attributes:
        identity: who reads; None for an anonymous caller.
        last: version up to which it has, or is sent, every kept event it may read.
        waiting: encoded events, the oldest first.
        size: of all that waits, in bytes (characters, on a websocket).
        busy: it is being sent to, so that what comes has to wait.
        silent: nothing was sent since the last look.
        reason: why it ends, once it does.
    """

    __slots__ = (
        "_context", "_denied", "_granted", "_permissions", "_rest", "_run", "_send", "_task",
        "busy", "dropped", "identity", "interest", "kind", "last", "reason", "silent", "size", "waiting", "who",
    )  # fmt: skip

    def __init__(
        self,
        kind: Kind,
        interest: Interest,
        identity: Identity | None,
        permissions: Callable[[], Permissions],
        send: Send,
        who: str,
    ) -> None:
        self.kind: Kind = kind
        self.interest = interest
        self.identity = identity
        self.who = who
        self._permissions = permissions
        self._send = send
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a stream is served by a task")
        self._task = task
        self._context = contextvars.copy_context()
        self._run: Callable[..., object] = self._context.run
        self._rest: asyncio.Task[None] | None = None
        self._granted: set[str] = set()
        self._denied: set[str] = set()
        self.last = NEVER
        self.waiting: list[Any] = []
        self.size = 0
        self.dropped = 0
        self.busy = True
        self.silent = True
        self.reason = ""

    # -- what it may read

    def may(self, need: Need, event: Published) -> bool:
        """Whether an event is for it. Cost: one look in a set, once the permission is known.

        Raises:
            DependencyError: nobody can say.
        """
        if self.has(need.read):
            return True
        if not need.owner or self.identity is None:
            return False
        return event.field(need.owner) == self.identity.subject

    def has(self, needed: str) -> bool:
        """Whether its reader is what is needed, or has that permission.

        Raises:
            DependencyError: nobody can say.
        """
        if needed in self._granted:
            return True
        if needed in self._denied:
            return False
        given = needed == PUBLIC or (self.identity is not None and self._asked(self.identity, needed))
        (self._granted if given else self._denied).add(needed)
        return given

    def recheck(self) -> None:
        """Ask again from now on: a permission may have been given or taken away."""
        self._granted.clear()
        self._denied.clear()

    def _asked(self, identity: Identity, needed: str) -> bool:
        return needed == AUTHENTICATED or self._permissions().has_permission(identity, needed)

    # -- what is sent

    def chunk(self, event: Published) -> Chunk:
        """The event as this stream has it."""
        return event.sse if self.kind == "sse" else event.text

    def say(self, kind: str, **facts: object) -> Chunk:
        """Something of the house's own, as this stream has it."""
        sse, text = told(kind, facts)
        return sse if self.kind == "sse" else text

    def message(self, data: Chunk) -> Message:
        """Chunks, joined, as a message."""
        if self.kind == "sse":
            return {"type": "http.response.body", "body": data, "more_body": True}
        return {"type": "websocket.send", "text": data}

    def take(self) -> list[Any]:
        """What leaves in the next write, with word of what was dropped before it."""
        chunks = self.waiting
        if self.size <= WRITE:
            self.waiting = []
            self.size = 0
        else:
            size, count = 0, 0
            for chunk in chunks:
                if count and size + len(chunk) > WRITE:
                    break
                size += len(chunk)
                count += 1
            self.waiting = chunks[count:]
            self.size -= size
            chunks = chunks[:count]
        if self.dropped:
            chunks.insert(0, self.say("gap", reason="dropped", count=self.dropped))
            self.dropped = 0
        return chunks

    def drop(self, limit: int) -> int:
        """Let the oldest go until half of the limit is free; how many were dropped. The client will be told."""
        count = 0
        for chunk in self.waiting[:-1]:
            if self.size <= limit // 2:
                break
            self.size -= len(chunk)
            count += 1
        del self.waiting[:count]
        self.dropped += count
        return count

    def give(self, message: Message, loop: asyncio.AbstractEventLoop, done: Callable[["Subscriber"], None]) -> None:
        """Have a message sent. Where the client does not take it at once a task goes on, and says when it is done.

        The first step is run here, as the stream's own task: most sends end with it, and cost no switch.

        Raises:
            Exception: what `send` raised at once.
        """
        self.silent = False
        task = self._task
        given = self._send(message)
        coroutine = cast("Coroutine[Any, Any, None]", given) if _COROUTINE is type(given) else _awaiting(given)
        _enter_task(loop, task)
        try:
            pending = self._run(coroutine.send, None)
        except StopIteration:
            return
        finally:
            _leave_task(loop, task)
        self.busy = True
        rest = self._finish(resume(coroutine, pending), done)
        self._rest = loop.create_task(rest, context=self._context)

    async def _finish(self, rest: Awaitable[None], done: Callable[["Subscriber"], None]) -> None:
        try:
            await rest
        except Exception as error:  # noqa: BLE001  whatever a server or a wrapper raises
            self.end(f"sending failed: {type(error).__name__}")
        else:
            done(self)

    # -- how it ends

    def end(self, reason: str) -> None:
        """Have the stream end; nothing more is sent but its last word."""
        if not self.reason:
            self.reason = reason
            self.busy = True
            self._task.cancel()

    async def listen(self, receive: Receive, gone: str) -> None:
        """Wait until the client is gone, or the stream is to end.

        Args:
            receive: the server's.
            gone: type of the message that says so.
        """
        try:
            while not self.reason and (await receive())["type"] != gone:
                continue
        except asyncio.CancelledError:
            if not self.forgive():
                raise

    def forgive(self) -> bool:
        """Whether the cancellation that has just come was only `end`'s: then the task goes on, to end the stream."""
        return bool(self.reason) and not self._task.uncancel()

    def leave(self) -> None:
        """Let go of what was still being sent."""
        self.busy = True
        self.waiting = []
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None


def refused(subscriber: Subscriber, need: Need, event: Published) -> bool:
    """Whether an event is not for a stream; one of which nobody can say so ends, and its client comes back."""
    try:
        return not subscriber.may(need, event)
    except DependencyError:
        subscriber.end("who may read cannot be said")
        return True


async def _awaiting(awaitable: Awaitable[None]) -> None:
    await awaitable


def joined(chunks: list[Any]) -> Any:
    """Chunks of one kind as one."""
    first = chunks[0]
    return first if len(chunks) == 1 else (b"" if isinstance(first, bytes) else "").join(chunks)
