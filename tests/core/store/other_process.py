"""Another process at the same store: `python -m tests.core.store.other_process WHAT URL`. It reports by lines."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from narthex.clock import SystemClock
from narthex.errors import DependencyError
from narthex.store import Store
from narthex.store.address import parse
from tests.core.store.ground import log, metadata, note, open_store

ROOT: Final = Path(__file__).parents[3]


def say(*words: object) -> None:
    """Report a line."""
    sys.stdout.write(f"{' '.join(map(str, words))}\n")
    sys.stdout.flush()


async def member(store: Store) -> None:
    """Be a member until standard input ends."""
    say("up", store.membership.id)
    await asyncio.to_thread(sys.stdin.read)


async def watch(store: Store) -> None:
    """Watch the mark of a topic in a tight loop, and tell when it changes: the time, and what is in the store."""
    mark = store.link.mark("notes")
    store.link.subscribe("notes", lambda: say("heard"))
    say("up")
    while store.link.mark("notes") == mark:
        await asyncio.sleep(0)
    at = time.monotonic()
    say("changed", at, await store.read(log.last))
    await asyncio.sleep(0.2)


async def announce(store: Store) -> None:
    """Announce a topic, once per line of standard input."""

    def append(connection: Connection) -> Any:
        store.link.announce(connection, "notes")
        return note("announced")(connection)

    say("up")
    while await asyncio.to_thread(sys.stdin.readline):
        await store.write(append)
        say("told")


async def freeze(store: Store) -> None:
    """After a line of standard input, take the write lock and be stopped with it, by SIGSTOP, once."""
    stops: list[None] = []

    def job(connection: Connection) -> None:
        note("of the one that was stopped")(connection)
        if not stops:
            stops.append(None)
            say("inside")
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # to this thread: it is not to go one step on

    say("up")
    await asyncio.to_thread(sys.stdin.readline)
    try:
        await store.write(job)
        say("written")
    except DependencyError:
        say("refused")


async def fork(store: Store) -> None:
    """Fork with the store open: the child must be refused, and must not harm the parent."""
    child = os.fork()
    if child == 0:
        os._exit(_in_child(store))
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    say("child", os.waitstatus_to_exitcode(status))
    say("parent", await store.write(note("after the fork")), await store.read(log.last))


def _in_child(store: Store) -> int:
    """How many of the ways in are closed."""

    async def ask() -> int:
        refused = 0
        ways: list[Callable[[], Awaitable[object]]] = [
            lambda: store.write(note("child")),
            lambda: store.read(log.last),
            lambda: asyncio.to_thread(store.write_blocking, note("child")),
            lambda: asyncio.to_thread(store.read_blocking, log.last),
        ]
        for way in ways:
            try:
                await asyncio.wait_for(way(), 5)
            except DependencyError:
                refused += 1
        refused += not store.post(note("child"))
        await asyncio.wait_for(asyncio.to_thread(store._close), 5)
        return refused

    asyncio.set_event_loop(None)
    asyncio._set_running_loop(None)
    return asyncio.run(ask())


async def leave(url: str) -> None:
    """End without stopping the store, right after posting."""
    store = Store(parse(url, Path("/")), SystemClock())
    await store.start()
    await store.write(metadata.create_all)
    for number in range(500):
        store.post(note(str(number)))


COMMANDS: Final = {one.__name__: one for one in (member, watch, announce, freeze, fork)}


@contextmanager
def other(what: str, url: str) -> Iterator["subprocess.Popen[str]"]:
    """Run one of the above as a process of its own, up when the block begins."""
    command = [sys.executable, "-m", "tests.core.store.other_process", what, url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(OSError):
                process.communicate(timeout=20)
            process.kill()


def line(process: "subprocess.Popen[str]") -> list[str]:
    """The next line it reports, in words."""
    assert process.stdout is not None
    return process.stdout.readline().split()


async def main(what: str, url: str) -> None:
    """Open the store and do it."""
    if what == "leave":
        await leave(url)
        return
    async with open_store(url, Path("/"), ttl=1.0) as store:
        await COMMANDS[what](store)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
