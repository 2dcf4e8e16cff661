"""The streams of one process, and how an event gets to those it is for.

An event is matched once for each kind of interest, not for each stream; to a stream it costs one append. Whoever has
something waiting is in `ready`, and one callback of the loop sends to all of them: what has come meanwhile leaves in
the same write. There is no task and no timer for an event.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from narthex_plugins.events.asking import Interest
from narthex_plugins.events.event import Published
from narthex_plugins.events.rules import AUTHENTICATED, PUBLIC, Need, Rules
from narthex_plugins.events.subscriber import Kind, Subscriber, joined, refused

SLICE: Final = 200
"""Streams that are sent to before others on the loop have their turn."""
_KNOWN: Final = 10_000


@dataclass(slots=True, eq=False)
class _Group:
    """Streams that want the same, and are sent it in the same form.

    Attributes:
        known: whether they are of callers with an identity.
    """

    kind: Kind
    interest: Interest
    known: bool
    members: dict[Subscriber, None] = field(default_factory=dict[Subscriber, None])


class Hub:
    """Hands events to streams.

    Args:
        rules: who may read what.
        limit: bytes that may wait for one stream.
        disconnect: whether one for which more waits is ended, and not told of what was dropped.

    Attributes:
        sent: events that were handed to streams.
        dropped: events that streams were too slow for.
        burst: events that came since streams were last sent to: a publisher that never waits lets nobody else work.
    """

    def __init__(self, rules: Rules, limit: int, *, disconnect: bool) -> None:
        self._rules = rules
        self._limit = limit
        self._disconnect = disconnect
        self._groups: dict[tuple[Kind, Interest, bool], _Group] = {}
        self._by_topic: dict[str, tuple[_Group, ...]] = {}
        self._ready: list[Subscriber] = []
        self._due = False
        self._count = 0
        self._each = Counter[str]()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self.burst = 0
        self.sent = 0
        self.dropped = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Subscriber]:
        return iter([one for group in self._groups.values() for one in group.members])

    def begin(self) -> None:
        """Live on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._due = False

    def of(self, who: str) -> int:
        """How many streams somebody has open."""
        return self._each[who]

    # -- who is there

    def join(self, one: Subscriber) -> None:
        """Hand it transient events from now on; kept ones once it is live."""
        key = (one.kind, one.interest, one.identity is not None)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(*key)
            self._by_topic.clear()
        group.members[one] = None
        self._count += 1
        self._each[one.who] += 1

    def live(self, one: Subscriber, version: int) -> None:
        """Hand it kept events above a version too, and send what waits."""
        one.last = version
        self._free(one)

    def leave(self, one: Subscriber) -> None:
        """Hand it nothing more."""
        key = (one.kind, one.interest, one.identity is not None)
        group = self._groups.get(key)
        if group is not None and group.members.pop(one, one) is None:
            self._count -= 1
            self._each[one.who] -= 1
            if not self._each[one.who]:
                del self._each[one.who]
            if not group.members:
                del self._groups[key]
                self._by_topic.clear()
        one.leave()

    # -- what is handed on

    def hand_on(self, event: Published) -> None:
        """As `deliver`, from any thread."""
        loop = self._loop
        if loop is None:
            return
        if threading.get_ident() == self._thread:
            self.deliver(event)
        else:
            call_soon(loop, self.deliver, event)

    def deliver(self, event: Published) -> None:
        """Put an event into the queue of every stream it is for. Cost: some 0.1 µs for each; on the loop."""
        self.burst += 1
        groups = self._by_topic.get(event.topic)
        if groups is None:
            groups = self._find(event.topic)
        for group in groups:
            if group.members and (not group.interest.filters or group.interest.wants(event)):
                self._put(group, event, self._rules.of(event.topic))
        if self._ready and not self._due and self._loop is not None:
            self._due = True
            self._loop.call_soon(self._flush)

    def _find(self, topic: str) -> tuple[_Group, ...]:
        if len(self._by_topic) >= _KNOWN:  # topics may have ids in them
            self._by_topic.clear()
        found = tuple(group for group in self._groups.values() if group.interest.means(topic))
        self._by_topic[topic] = found
        return found

    def _put(self, group: _Group, event: Published, need: Need) -> None:
        open_to_all = need.read == PUBLIC or (need.read == AUTHENTICATED and group.known)
        chunk: Any = event.sse if group.kind == "sse" else event.text
        size, version, limit, ready = len(chunk), event.version, self._limit, self._ready
        for one in group.members:
            if version and version <= one.last:
                continue
            if not open_to_all and refused(one, need, event):
                continue
            waiting = one.waiting
            if not waiting and not one.busy:
                ready.append(one)
            waiting.append(chunk)
            one.size += size
            self.sent += 1
            if one.size > limit:
                self._overflow(one)

    def _overflow(self, one: Subscriber) -> None:
        if self._disconnect:
            self.dropped += len(one.waiting)
            one.waiting = []
            one.size = 0
            one.end("it reads too slowly")
        else:
            self.dropped += one.drop(self._limit)

    def tell(self, kind: str, **facts: object) -> None:
        """Say something of the house's own to every stream."""
        for one in self:
            self.say(one, one.say(kind, **facts))

    def say(self, one: Subscriber, chunk: Any) -> None:
        """Put something into the queue of one stream."""
        free = not one.waiting and not one.busy
        one.waiting.append(chunk)
        one.size += len(chunk)
        if free:
            self._free(one)

    # -- sending

    def _free(self, one: Subscriber) -> None:
        """It takes the next write."""
        one.busy = bool(one.reason)
        if one.waiting and not one.busy:
            self._ready.append(one)
            if not self._due and self._loop is not None:
                self._due = True
                self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send to those who have something waiting, a slice of them at a time."""
        loop, free = self._loop, self._free
        ready, self._ready = self._ready[:SLICE], self._ready[SLICE:]
        self.burst = 0
        before: list[Any] = []
        data: Any = None
        if loop is None:
            return
        for one in ready:
            if one.busy or not one.waiting:
                continue
            chunks = one.take()
            if chunks != before:  # most streams of a group have the same waiting: identity decides, not length
                before, data = chunks, joined(chunks)
            try:
                one.give(one.message(data), loop, free)
            except Exception as error:  # noqa: BLE001  whatever a server or a wrapper raises
                one.end(f"sending failed: {type(error).__name__}")
                continue
            if one.waiting and not one.busy:
                self._ready.append(one)
        self._due = bool(self._ready)
        if self._due:
            loop.call_soon(self._flush)


def call_soon(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *arguments: object) -> None:
    """Call on the loop, from any thread; nothing where the loop is gone."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:  # closed: nobody reads any more
        return
