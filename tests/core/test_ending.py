"""Which exchanges are ended, when and with which words: the register and the end of one, driven by hand."""

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from narthex import Identity
from narthex.asgi import Message
from narthex.ending import Ending, Gone, is_gone
from narthex.events import EventBus, ExchangeClosed
from narthex.exchange import Exchange
from narthex.live import LiveExchanges
from narthex.tasks import Tasks
from narthex.testing import an_exchange


def exchange_of(**identity: Any) -> Exchange:
    exchange = an_exchange("GET", "/")
    exchange.identity = Identity(subject="alice", **identity)
    return exchange


class Stream:
    """A stream under way, as the register and the ending see it."""

    def __init__(self, live: LiveExchanges | None = None, *, open_ended: bool = False, takes: float = 0) -> None:
        self.exchange = exchange_of(issuer="https://one", token_id="t1", expires_at=1000.0)
        self.lives_long, self.open_ended = True, open_ended
        self.complete, self.sized, self.sound = False, False, True
        self.task: asyncio.Task[object] | None = None
        self.orders: list[tuple[str, int]] = []
        self.last: list[Message | None] = []
        self._live, self._takes = live, takes

    def end(self, reason: str, code: int = 4401) -> None:
        self.orders.append((reason, code))
        if self._live is not None:
            asyncio.get_running_loop().call_later(self._takes, self._live.discard, self)

    def hang_up(self) -> None:
        """The app is heard no more."""

    async def say_last(self, message: Message | None) -> None:
        self.last.append(message)


def until(condition: Callable[[], object]) -> Any:
    async def wait() -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.001)

    return wait()


def test_an_issuer_alone_closes_all_of_its_exchanges_and_no_others() -> None:
    live, mine = LiveExchanges(), [Stream(), Stream()]
    other = Stream()
    other.exchange = exchange_of(issuer="https://two", token_id="t1")
    for one in (*mine, other):
        live.add(one)
    assert (live.close(issuer="https://one"), live.close(issuer="https://two", token_id="t2")) == (2, 0)
    assert ([one.orders for one in mine], other.orders) == ([[("revoked", 4401)]] * 2, [])


def test_one_whose_loop_is_gone_does_not_keep_the_others_open() -> None:
    class Left(Stream):
        def end(self, reason: str, code: int = 4401) -> None:
            raise RuntimeError("Event loop is closed")

    live, left, here = LiveExchanges(), Left(), Stream()
    live.add(left)
    live.add(here)
    assert (live.close(subject="alice"), len(here.orders)) == (1, 1)


def test_a_long_stream_is_ended_early_enough_to_be_gone_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narthex.live.GRACE", 1.0)

    async def main() -> tuple[int, list[tuple[str, int]]]:
        live = LiveExchanges()
        stream = Stream(live, takes=0.3)
        live.add(stream)
        return await live.drain(2.2), stream.orders[:1]

    assert asyncio.run(main()) == (0, [("stopping", 1001)])


def test_what_is_open_ended_is_hung_up_on_and_the_rest_goes_on() -> None:
    async def main() -> tuple[list[object], list[object]]:
        live = LiveExchanges()
        events, download = Stream(live, open_ended=True, takes=0.05), Stream(live)
        live.add(events)
        live.add(download)
        await asyncio.wait_for(live.hang_up(60), 10)
        return [*events.orders[:1]], [*download.orders, len(live)]

    assert asyncio.run(main()) == ([("stopping", 1001)], [1])


class Bench:
    """An ending, its stream, its clock, and what was told."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.told: list[ExchangeClosed] = []
        self.stream = Stream()
        bus = EventBus(Tasks())
        bus.subscribe(ExchangeClosed, self.told.append)
        self.ending = Ending(self.stream, bus, lambda: self.now)


def test_the_first_order_counts_and_is_told_once() -> None:
    async def main() -> Bench:
        bench = Bench()
        bench.ending.give_order("revoked", 4401)
        bench.ending.give_order("stopping", 1001)
        async with asyncio.timeout(10):
            await bench.ending.said()
        assert bench.stream.last == [{"type": "http.response.body", "body": b"", "more_body": False}]
        return bench

    bench = asyncio.run(main())
    assert bench.ending.order == ("revoked", 4401)
    assert [(event.reason, event.subject) for event in bench.told] == [("revoked", "alice")]


def test_at_the_exact_second_it_has_expired() -> None:
    async def main() -> tuple[str, int] | None:
        bench = Bench(now=1000.0)
        bench.ending.expire()
        return bench.ending.order

    assert asyncio.run(main()) == ("expired", 4401)


def test_a_clock_that_is_set_forward_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narthex.ending._LONGEST_WAIT", 0.01)

    async def main() -> tuple[str, int] | None:
        bench = Bench(now=-1_000_000.0)
        bench.ending.expire()
        await asyncio.sleep(0.03)
        assert bench.ending.order is None
        bench.now = 2000.0
        await until(lambda: bench.ending.order)
        return bench.ending.order

    assert asyncio.run(main()) == ("expired", 4401)


def test_what_has_ended_by_itself_does_not_expire_afterwards() -> None:
    async def main() -> tuple[str, int] | None:
        bench = Bench(now=999.98)
        bench.ending.expire()
        bench.ending.forget()
        bench.now = 1001.0
        await asyncio.sleep(0.05)
        return bench.ending.order

    assert asyncio.run(main()) is None


def test_an_order_from_a_thread_goes_by_the_loops_own_way() -> None:
    """In debug mode a loop refuses to be called from elsewhere."""

    async def main() -> list[Message | None]:
        bench = Bench()
        bench.stream.task = asyncio.current_task()
        await asyncio.to_thread(bench.ending.give_order, "revoked", 4401)
        await asyncio.wait_for(bench.ending.said(), 10)
        bench.stream.task = None
        return bench.stream.last

    assert len(asyncio.run(main(), debug=True)) == 1


@pytest.mark.parametrize("cause", [True, False])
def test_what_a_framework_makes_of_the_end_is_known_for_it(cause: bool) -> None:
    def send() -> NoReturn:
        raise Gone("ended")

    def wrapped() -> BaseException:
        try:
            try:
                send()
            except Gone as gone:
                raise LookupError("the stream broke") from (gone if cause else None)
        except LookupError as error:
            return error

    assert (is_gone(wrapped()), is_gone(LookupError()), is_gone(Gone())) == (True, False, True)
