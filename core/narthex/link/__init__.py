"""The link says "something changed, look"; it never carries what.

A topic is a word such as "revocations". Whoever changes something announces the topic inside the writing transaction;
when that has been committed, every process of the deployment sees the topic's mark change and has its subscribers
called. A mark may change without need, two changes may be seen as one, and after a lost connection every topic counts
as changed. On one host a process that is killed between its commit and the mark tells nobody: whoever must not miss a
change looks on its own from time to time as well.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Any, Protocol

_log = logging.getLogger("narthex.link")

Listener = Callable[[], None]
Unsubscribe = Callable[[], None]


class Link(Protocol):
    """How processes tell each other to look."""

    def announce(self, connection: Any, topic: str) -> None:
        """Tell all processes, this one too, as soon as the transaction of `connection` is committed.

        Called inside a writer's job. The connection is SQLAlchemy's.
        """
        ...

    def committed(self) -> None:
        """What was announced is on disk; called by the writer after each commit, in its thread."""
        ...

    def mark(self, topic: str) -> int:
        """A number that is another one after each change of the topic. Costs under 1 µs, no I/O."""
        ...

    def page(self) -> str:
        """Names the memory that marks stand in, where every process that has it sees a mark change with the commit.

        "" where the news takes its time, or is not being listened to.
        """
        ...

    def subscribe(self, topic: str, listener: Listener) -> Unsubscribe:
        """Call `listener` on the event loop after each change, soon; several changes may be one call."""
        ...

    async def start(self) -> None:
        """Begin to listen."""
        ...

    async def stop(self) -> None:
        """Listen no more."""
        ...


class Listeners:
    """Who wants to hear of which topic, and the loop they live on."""

    def __init__(self) -> None:
        self._by_topic: dict[str, list[Listener]] = {}
        self.loop: asyncio.AbstractEventLoop | None = None

    def subscribe(self, topic: str, listener: Listener) -> Unsubscribe:
        """Add one."""
        listeners = self._by_topic.setdefault(topic, [])
        listeners.append(listener)

        def unsubscribe() -> None:
            if listener in listeners:
                listeners.remove(listener)

        return unsubscribe

    def topics(self) -> tuple[str, ...]:
        """Every topic that somebody wants to hear of."""
        return tuple(self._by_topic)

    def call(self, topic: str) -> None:
        """Call the topic's listeners, each whatever the others do. On the loop."""
        for listener in tuple(self._by_topic.get(topic, ())):
            try:
                listener()
            except Exception:  # noqa: BLE001  whatever a listener raises
                _log.exception("a listener to %s failed", topic)

    def call_soon(self, topic: str) -> None:
        """Have them called, from any thread."""
        if self.loop is not None and self._by_topic.get(topic):
            try:
                self.loop.call_soon_threadsafe(self.call, topic)
            except RuntimeError:
                _log.debug("the loop closed before a change of %s was told", topic)


class LocalLink:
    """For one process alone."""

    def __init__(self) -> None:
        self._listeners = Listeners()
        self._marks: dict[str, int] = {}
        self._due: set[str] = set()

    def announce(self, connection: object, topic: str) -> None:  # noqa: ARG002  nothing to write
        """Tell when the transaction is committed."""
        self._due.add(topic)

    def committed(self) -> None:
        """Change the marks."""
        while self._due:
            topic = self._due.pop()
            self._marks[topic] = self._marks.get(topic, 0) + 1
            self._listeners.call_soon(topic)

    def mark(self, topic: str) -> int:
        """How often the topic changed."""
        return self._marks.get(topic, 0)

    def page(self) -> str:
        """This process's own memory."""
        return f"process {os.getpid()}"

    def subscribe(self, topic: str, listener: Listener) -> Unsubscribe:
        """Call `listener` after each change."""
        return self._listeners.subscribe(topic, listener)

    async def start(self) -> None:
        """Begin to call listeners."""
        self._listeners.loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        """Call nobody any more."""
        self._listeners.loop = None
