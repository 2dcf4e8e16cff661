"""Checks of a plugin's life: built without a trace, started and stopped as often as needed, nothing left or shared."""

import asyncio
import gc
import logging
import threading
import time
from collections import deque
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, cast

from narthex.asgi import Receive, Scope, Send
from narthex.config import Settings
from narthex.errors import BootError, NarthexError
from narthex.exchange import Exchange
from narthex.hooks import hookimpl
from narthex.house import House
from narthex.testing.client import Client
from narthex.testing.driving import http_scope
from narthex.testing.suite.listening import listening
from narthex.testing.suite.subject import PATH, PATIENCE, Finding, Subject, needs_a_welcome


def nothing_is_opened_while_it_is_built(subject: Subject) -> None:
    """The constructor opens no file, connection, thread or task: `narthex check` makes plugins too."""
    subject.house()  # imports what it needs
    before = _standing(files=False)
    with listening(reading=False) as heard:
        subject.house()
    left = [name for name, thing in _standing(files=False).items() if before.get(name) is not thing]
    if heard.events or left:
        raise Finding(
            f"while the house was built, it did this, or left this: {', '.join([*heard.events, *left])}",
            "open it in the hook `start`, and give it back in `stop`; background work is for house.spawn",
        )


def it_starts_and_stops_twice(subject: Subject) -> None:
    """The house starts and stops with it, and again, without an error in the log."""
    house = subject.house()
    with _errors() as errors:
        for turn in ("first", "second"):
            try:
                with Client(house, limit=PATIENCE):
                    pass
            except (NarthexError, TimeoutError) as error:
                raise Finding(
                    f"its {turn} start or stop failed: {error}",
                    "make in `start`, not in the constructor, what `stop` takes away: a house may live twice",
                ) from error
            if errors:
                raise Finding(f"its {turn} start or stop logged an error: {errors[0]}", "a stop that fails may leak")


def nothing_is_left_after_its_stop(subject: Subject) -> None:
    """When it has stopped, its tasks, threads and open files are gone, and the root logger is as it was."""
    with subject.client() as client:  # what the first life of all leaves is imports and caches
        client.get(PATH)
    house = subject.house()
    before = _standing()
    with subject.client(house) as client:
        client.get(PATH)
        client.stop()
        tasks = client.run(_tasks_left())
    left = [*tasks, *_left(before)]
    if left:
        raise Finding(
            f"after its stop there was still: {', '.join(left)}",
            "end in `stop` what `start` began, and wait for it: await tasks, join threads, close files",
        )


@needs_a_welcome
def a_client_that_goes_leaves_nothing_behind(subject: Subject) -> None:
    """An exchange that is cancelled while the app answers is observed once, and is no longer under way."""

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError("no lifespan")
        reached.set()
        await asyncio.Event().wait()

    async def goes() -> list[str]:
        before = asyncio.all_tasks()
        task = asyncio.ensure_future(client.house(http_scope("GET", PATH, subject.headers), _silence, _drop))
        with suppress(TimeoutError):
            await asyncio.wait_for(reached.wait(), PATIENCE)
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE)
        return await _tasks_left(before)

    reached = asyncio.Event()
    with subject.client(waits, subject.config(**{"last-eye": {"use": f"{__name__}:Eye"}})) as client:
        left = client.run(goes())
        eye = cast("Eye", client.house.guests[-1].plugin)
        if left or len(eye.seen) != 1 or len(eye.house.live):
            raise Finding(
                f"of one client that went, {len(eye.seen)} ends were observed, {len(eye.house.live)} exchanges are "
                f"still under way, and there is still: {', '.join(left) or 'no task'}",
                "a wrapper awaits its app itself: an app in a task of its own, or shielded, outlives its client",
            )


@needs_a_welcome
def two_instances_live_side_by_side(subject: Subject) -> None:
    """It may stand in the file twice: both are asked, and neither is in the other's way."""
    second = {**subject.table(), **subject.second}
    try:
        with Client(None, subject.config(second=second), limit=PATIENCE) as client:
            names = [guest.name for guest in client.house.guests]
    except (BootError, TimeoutError) as error:
        raise Finding(
            f"a second instance cannot live beside it: {error}",
            "give paths, names and files a setting, and say contract(..., second={...}) what a second one changes",
        ) from error
    if names[-2:] != [subject.name, "second"]:
        raise Finding(f"of two instances the house has {names}", "let every table make an object of its own")


@needs_a_welcome
def two_instances_share_nothing(subject: Subject) -> None:
    """What one instance has seen is kept in that instance: no class, module or default argument remembers it."""
    before = dict(_shared(subject))
    with subject.client() as client:
        for _ in range(2):
            client.get(PATH)
            client.websocket(PATH, ["a"])
        plugin = subject.plugin(client.house)
        with subject.client() as other:
            twins = _twins(plugin, subject.plugin(other.house))
    after = dict(_shared(subject))
    changed = sorted(name for name, state in after.items() if name in before and before[name] != state)
    if changed or twins:
        raise Finding(
            f"two instances share what changes: {', '.join([*changed, *twins])}",
            "keep it in an attribute that the constructor makes; a class variable is one for all",
        )


class EyeSettings(Settings):
    """Nothing to set."""


class Eye:
    """Observes every exchange, for the suite."""

    name = "eye"
    Settings = EyeSettings

    def __init__(self, settings: EyeSettings, house: House) -> None:  # noqa: ARG002  there are none
        self.house = house
        self.seen: list[Exchange] = []

    @hookimpl
    def observe(self, exchange: Exchange) -> None:
        """Remember it."""
        self.seen.append(exchange)


async def _silence() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError


async def _drop(message: object) -> None:
    """Take no notice."""


@contextmanager
def _errors() -> Generator[list[str]]:
    """Collect what is logged as an error meanwhile."""
    found: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            why = f": {record.exc_info[1]!r}" if record.exc_info else ""
            found.append(f"{record.getMessage()}{why}")

    collector, log = Collector(logging.ERROR), logging.getLogger("narthex")
    log.addHandler(collector)
    try:
        yield found
    finally:
        log.removeHandler(collector)


def _standing(*, files: bool = True) -> dict[str, object]:
    """What of a process a plugin may have added to: words to the thing itself."""
    found: dict[str, object] = {f"thread {thread.name}": thread for thread in threading.enumerate()}
    found |= {f"handler {one} of the root logger": one for one in logging.getLogger().handlers}
    with suppress(OSError):  # a system without /dev/fd
        for descriptor in Path("/dev/fd").iterdir() if files else ():
            with suppress(OSError):
                found[f"descriptor {descriptor.name}, {descriptor.readlink()}"] = True
    return found


def _left(before: dict[str, object]) -> list[str]:
    """What stands that did not before, as soon as it is nothing, or when patience ends."""
    deadline = time.monotonic() + PATIENCE
    while True:
        now = _standing()
        left = [name for name, thing in now.items() if before.get(name) is not thing]
        if not left or time.monotonic() > deadline:
            return left
        gc.collect()  # what is only garbage by now was let go
        time.sleep(0.01)


async def _tasks_left(but: Collection[object] = ()) -> list[str]:
    """The tasks of this loop, but for this one and those given; as soon as there is none, or when patience ends."""
    own = asyncio.current_task()
    deadline = time.monotonic() + PATIENCE
    while True:
        left = [f"task {task.get_name()}" for task in asyncio.all_tasks() if task is not own and task not in but]
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(0.01)


_CONTAINERS: Final = (list, dict, set, bytearray, deque)


def _is(value: object, *kinds: type) -> bool:
    """`isinstance`, without a type checker's guess at what is in a container."""
    return isinstance(value, kinds)


def _shared(subject: Subject) -> Iterator[tuple[str, object]]:
    """What all instances of a plugin see: class and module variables, default arguments."""
    modules = list(subject.modules())
    names = {module.__name__ for module in modules}
    for kind in subject.made_by.__mro__:
        if kind.__module__ in names:
            own: dict[str, object] = dict(vars(kind))
            for key, value in own.items():
                if not key.startswith("__") and not callable(value) and not hasattr(value, "__get__"):
                    yield f"{kind.__qualname__}.{key}", _frozen(value)
                for number, default in enumerate(getattr(value, "__defaults__", None) or ()):
                    yield f"default {number} of {kind.__qualname__}.{key}", _frozen(default)
    for module in modules:
        variables: dict[str, object] = vars(module)
        for key, value in variables.items():
            if not key.startswith("__") and _is(value, *_CONTAINERS, int, float, str):
                yield f"{module.__name__}.{key}", _frozen(value)


def _frozen(value: object, depth: int = 3) -> object:
    """A picture of a value that is another one when a container in it has changed."""
    if value is None or isinstance(value, (str, int, float, bytes)):
        return value
    if depth and _is(value, dict):
        inside = cast("dict[object, object]", value)
        return tuple((_frozen(key, 1), _frozen(one, depth - 1)) for key, one in inside.items())
    if depth and _is(value, list, deque, tuple):
        return tuple(_frozen(one, depth - 1) for one in cast("list[object]", value))
    if depth and _is(value, set, frozenset):
        return frozenset(map(id, cast("set[object]", value)))
    return bytes(value) if isinstance(value, bytearray) else id(value)


def _twins(one: object, other: object) -> list[str]:
    """Attributes under which two instances keep the very same container."""
    mine: dict[str, object] = getattr(one, "__dict__", {})
    theirs: dict[str, object] = getattr(other, "__dict__", {})
    return sorted(
        f"{type(one).__qualname__}().{key}"
        for key, value in mine.items()
        if _is(value, *_CONTAINERS) and theirs.get(key) is value
    )
