import asyncio
import contextvars
from collections.abc import Generator, Iterator

import anyio.to_thread
import pytest

from narthex.context import current_exchange, current_identity, exchange_var, log_context, log_fields
from narthex.exchange import Exchange, Hall
from narthex.identity import Identity
from narthex.plan import Plan
from narthex.proxies import TrustedProxies
from narthex.services import CorePermissions
from narthex.testing import http_scope


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    hall = Hall(TrustedProxies(()), CorePermissions)
    exchange = Exchange(http_scope("GET", "/"), "http", Plan(), hall, started=0.0)
    token = exchange_var.set(exchange)
    yield exchange
    exchange_var.reset(token)


def test_outside_any_exchange_there_is_nobody() -> None:
    assert current_exchange() is None
    assert current_identity() is None
    assert log_fields() == {}


def test_the_identity_is_that_of_the_current_exchange(exchange: Exchange) -> None:
    assert current_exchange() is exchange
    assert current_identity() is None
    exchange.identity = Identity(subject="alice")
    assert current_identity() is exchange.identity


def test_blocks_nest_override_and_give_back() -> None:
    with log_context(order=1, shop="north"):
        with log_context(order=2, item="lamp"):
            assert log_fields() == {"order": 2, "shop": "north", "item": "lamp"}
        assert log_fields() == {"order": 1, "shop": "north"}
    assert log_fields() == {}


def test_an_exception_gives_the_fields_back_and_passes() -> None:
    with pytest.raises(LookupError), log_context(order=1):
        raise LookupError
    assert log_fields() == {}


def test_the_fields_cannot_be_changed_by_the_reader() -> None:
    with log_context(order=1), pytest.raises(TypeError):
        log_fields()["order"] = 2  # type: ignore[index]


def test_one_block_may_be_entered_twice() -> None:
    block = log_context(order=1)
    with block, block:
        assert log_fields() == {"order": 1}
    assert log_fields() == {}


def test_tasks_do_not_see_one_another() -> None:
    seen: dict[str, list[object]] = {"a": [], "b": []}

    async def work(name: str) -> None:
        with log_context(task=name):
            for _ in range(3):
                await asyncio.sleep(0)
                seen[name].append(log_fields()["task"])

    async def both() -> None:
        await asyncio.gather(work("a"), work("b"))

    asyncio.run(both())
    assert seen == {"a": ["a"] * 3, "b": ["b"] * 3}


def test_threads_that_copy_the_context_see_it(exchange: Exchange) -> None:
    def ask() -> tuple[Exchange | None, dict[str, object]]:
        return current_exchange(), dict(log_fields())

    async def from_threads() -> list[tuple[Exchange | None, dict[str, object]]]:
        with log_context(order=1):
            return [await asyncio.to_thread(ask), await anyio.to_thread.run_sync(ask)]

    assert asyncio.run(from_threads()) == [(exchange, {"order": 1})] * 2


def test_a_block_left_in_another_context_is_no_error() -> None:
    def generator() -> Generator[None, None, None]:
        with log_context(order=1):
            yield

    begun = generator()
    contextvars.copy_context().run(next, begun)
    contextvars.copy_context().run(begun.close)
    assert log_fields() == {}
