"""Handlers given to the event loop: what a signal tells them is kept back, let go, and never lost or sent astray."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop

from narthex import Narthex
from narthex.asgi import Message, Receive, Scope, Send
from narthex.signals import StopSignals
from narthex.testing import config, request, websocket_scope
from narthex.wakeup import Wakeup
from tests.apps import Hello, calls, http
from tests.core.test_lifespan import Server
from tests.guests import offer

Heard = list[int]
Loop = asyncio.AbstractEventLoop


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[Loop]:
    """A loop in this thread, the main one, that is closed and has put its handlers back by the end."""
    make: Callable[[], Loop] = request.param
    made = make()
    before = signal.getsignal(signal.SIGTERM)
    yield made
    made.close()
    signal.signal(signal.SIGTERM, before)
    assert signal.set_wakeup_fd(-1) == -1


def heard_by(loop: Loop, *numbers: int) -> Heard:
    """What the loop's own handlers hear."""
    heard: Heard = []
    for number in numbers or (signal.SIGTERM,):
        loop.add_signal_handler(number, heard.append, number)
    return heard


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.001)


async def turns() -> None:
    """Let the loop look at its descriptors a few times."""
    for _ in range(5):
        await asyncio.sleep(0.005)


def descriptors() -> int:
    """How many this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_the_loop_hears_once_when_the_signal_is_passed_on(loop: Loop) -> None:
    heard, told = heard_by(loop), list[bool]()

    async def main() -> None:
        signals = StopSignals()
        signals.listen(told.append, hold=False)
        signal.raise_signal(signal.SIGTERM)
        await turns()
        assert (told, heard) == ([False], [])
        signals.pass_on()
        await turns()
        signals.restore()

    loop.run_until_complete(main())
    assert heard == [signal.SIGTERM]


def test_a_second_time_it_is_heard_at_once_and_so_is_every_other_signal(loop: Loop) -> None:
    heard = heard_by(loop, signal.SIGTERM, signal.SIGUSR1)

    async def main() -> None:
        signals = StopSignals()
        signals.listen(lambda _held: None, hold=False)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGUSR1)
        await until(lambda: signal.SIGUSR1 in heard)
        assert heard == [signal.SIGUSR1]
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: signal.SIGTERM in heard)
        signals.restore()
        signals.pass_on()
        await turns()

    loop.run_until_complete(main())
    assert heard == [signal.SIGUSR1, signal.SIGTERM, signal.SIGTERM]


def test_after_the_end_the_loop_listens_as_before_and_has_missed_nothing(loop: Loop) -> None:
    heard = heard_by(loop, signal.SIGTERM, signal.SIGUSR1)

    async def main() -> None:
        before = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(before)
        files = descriptors()
        signals = StopSignals()
        signals.listen(lambda _held: None, hold=True)
        signal.raise_signal(signal.SIGUSR1)
        signals.restore()
        assert descriptors() == files
        assert signal.set_wakeup_fd(before) == before
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: len(heard) == 2)

    loop.run_until_complete(main())
    assert heard == [signal.SIGUSR1, signal.SIGTERM]


def test_where_the_loop_is_run_once_more_it_is_kept_from_hearing_there_too(loop: Loop) -> None:
    heard, signals = heard_by(loop), StopSignals()

    async def start() -> None:
        signals.listen(lambda _held: None, hold=False)

    async def serve() -> None:
        await asyncio.sleep(0.1)
        signal.raise_signal(signal.SIGTERM)
        await turns()
        assert heard == []
        signals.pass_on()
        await until(lambda: heard)
        signals.restore()

    loop.run_until_complete(start())
    loop.run_until_complete(serve())
    assert heard == [signal.SIGTERM]


def test_where_nobody_listens_for_bytes_nothing_is_touched() -> None:
    async def main() -> None:
        assert signal.set_wakeup_fd(-1) == -1
        wakeup = Wakeup()
        wakeup.take()
        wakeup.keep(signal.SIGTERM)
        assert signal.set_wakeup_fd(-1) == -1
        wakeup.let_go()
        wakeup.restore()

    asyncio.run(main())


def test_a_descriptor_that_was_closed_and_left_there_keeps_no_house_from_starting(loop: Loop) -> None:
    async def main() -> None:
        theirs = os.pipe()
        os.set_blocking(theirs[1], False)
        signal.set_wakeup_fd(theirs[1])
        for end in theirs:
            os.close(end)
        wakeup = Wakeup()
        wakeup.take()
        wakeup.restore()
        assert signal.set_wakeup_fd(-1) != theirs[1]  # a number that somebody else may have by now

    loop.run_until_complete(main())


def test_an_interrupt_ends_an_idle_loop_as_it_would_without_a_house(loop: Loop) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever is started in the background ignores it
    loop.add_signal_handler(signal.SIGUSR1, lambda: None)
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()

    async def main() -> None:
        StopSignals().listen(lambda _held: None, hold=False)
        await asyncio.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(main())
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("again", [False, True])
def test_two_houses_in_one_process_make_a_chain_and_no_ring(loop: Loop, again: bool) -> None:
    heard, houses = heard_by(loop), [StopSignals(), StopSignals()]

    async def start() -> None:
        for signals in houses:
            signals.listen(lambda _held: None, hold=False)
        if not again:
            await serve()

    async def serve() -> None:
        await asyncio.sleep(0.1)
        signal.raise_signal(signal.SIGTERM)
        await turns()
        for signals in houses:
            signals.pass_on()
        await until(lambda: heard)
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: len(heard) > 1)
        for signals in houses:
            signals.restore()
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: len(heard) > 2)
        await turns()

    loop.run_until_complete(start())
    if again:
        loop.run_until_complete(serve())
    assert heard == [signal.SIGTERM] * 3


def test_nothing_is_written_to_whoever_has_the_number_of_the_descriptor_by_now() -> None:
    async def main() -> bytes:
        theirs = os.pipe()
        os.set_blocking(theirs[1], False)
        signal.set_wakeup_fd(theirs[1])
        wakeup = Wakeup()
        wakeup.take()
        wakeup.keep(signal.SIGUSR1)
        mine = os.pipe()
        os.set_blocking(mine[0], False)
        os.dup2(mine[1], theirs[1])
        signal.raise_signal(signal.SIGUSR1)
        await turns()
        wakeup.let_go()
        wakeup.restore()
        assert signal.set_wakeup_fd(-1) == -1
        said = b""
        with suppress(BlockingIOError):
            said = os.read(mine[0], 16)
        for end in (*theirs, *mine):
            os.close(end)
        return said

    before = signal.signal(signal.SIGUSR1, lambda _number, _frame: None)
    try:
        assert asyncio.run(main()) == b""
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_without_a_lifespan_plugins_are_released_before_the_loop_hears(loop: Loop) -> None:
    diary: list[str] = []
    heard = heard_by(loop)
    table = offer(stop=lambda: diary.append(f"stopped, the loop has heard {len(heard)}"))

    async def main() -> None:
        house = Narthex(Hello(), config(a=table))
        assert (await request(house, "GET", "/")).status == 200
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: heard)

    loop.run_until_complete(main())
    assert diary == ["stopped, the loop has heard 0"]
    assert heard == [signal.SIGTERM]


async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
    """A websocket that says nothing by itself."""
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


def test_in_each_of_its_lives_the_house_closes_sockets_before_the_loop_hears(loop: Loop) -> None:
    heard, house, diary = heard_by(loop), Narthex(http(echo), config(a=offer())), list[str]()

    async def send(message: Message) -> None:
        diary.append(f"{message['type']}, the loop has heard {len(heard)}")

    async def live() -> None:
        server = Server(house)
        await server.tell("startup")
        client = asyncio.Queue[Message]()
        client.put_nowait({"type": "websocket.connect"})
        socket = asyncio.ensure_future(house(websocket_scope("/"), client.get, send))
        await until(lambda: diary)
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: heard)
        await socket
        await server.tell("shutdown")
        await server.task

    for _ in range(2):
        loop.run_until_complete(live())
        assert diary == ["websocket.accept, the loop has heard 0", "websocket.close, the loop has heard 0"]
        assert heard == [signal.SIGTERM]
        diary.clear()
        heard.clear()


def test_a_signal_that_comes_while_the_house_is_released_is_passed_on(loop: Loop) -> None:
    heard, begun, enough = heard_by(loop), asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await enough.wait()

    async def main() -> None:
        house = Narthex(calls(wait), config(a=offer()))
        server = Server(house)
        await server.tell("startup")
        slow = asyncio.ensure_future(request(house, "GET", "/"))
        await begun.wait()
        end = asyncio.ensure_future(server.tell("shutdown"))
        await turns()
        signal.raise_signal(signal.SIGTERM)
        await turns()
        enough.set()
        assert (await slow).status == 200
        await end
        await until(lambda: heard)
        await server.task

    loop.run_until_complete(main())
    assert heard == [signal.SIGTERM]
