"""What an app counts itself, with the plugin and without."""

import asyncio
import subprocess
import sys
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from narthex.testing import Counted
from narthex_plugins.metrics import counter, timer
from narthex_plugins.metrics.operations import OPERATIONS

_numbers = count()


@pytest.fixture
def name() -> str:
    return f"test{next(_numbers)}"  # the registry lasts as long as the process


@pytest.fixture
def counted() -> Iterator[Counted]:
    sink = Counted()
    OPERATIONS.attach(sink, "test")
    yield sink
    OPERATIONS.detach(sink)


def test_a_counter_counts(name: str, counted: Counted) -> None:
    orders = counter(f"{name}_total", "Orders.", ["kind"])
    orders.inc("web")
    counter(f"{name}_total", "Orders.", ["kind"]).inc("web", by=2)
    assert counted[f"{name}_total", "web"] == 3


def test_a_timer_says_how_it_ended(name: str, counted: Counted) -> None:
    pay = timer(f"{name}_seconds", "Paying.", ["card"])
    with pay.time("visa"):
        pass
    with pytest.raises(KeyError), pay.time("visa"):
        raise KeyError
    with pytest.raises(asyncio.CancelledError), pay.time("visa"):
        raise asyncio.CancelledError
    assert {key[2]: len(values) for key, values in counted.values.items() if key[0] == f"{name}_seconds"} == {
        "ok": 1,
        "error": 1,
        "cancelled": 1,
    }


def test_functions_are_timed_until_they_have_ended(name: str, counted: Counted) -> None:
    pay = timer(f"{name}_seconds", "Paying.")

    @pay.timed()
    def plain(amount: int) -> int:
        return amount

    @pay.timed()
    async def slow() -> str:
        await asyncio.sleep(0.02)
        return "paid"

    assert (plain(7), asyncio.run(slow()), plain.__name__) == (7, "paid", "plain")
    assert [value >= 0.02 for value in counted[f"{name}_seconds", "ok"]] == [False, True]


def test_a_generator_is_not_timed_in_silence(name: str) -> None:
    def pages() -> Generator[int]:
        yield 1

    with pytest.raises(TypeError, match="generator"):
        timer(f"{name}_seconds", "Pages.").timed()(pages)


def test_it_may_be_used_from_threads(name: str, counted: Counted) -> None:
    orders = counter(f"{name}_total", "Orders.")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: orders.inc(), range(100)))
    assert counted[f"{name}_total"] == 100


@pytest.mark.parametrize("wrong", ["orders", "orders total", "narthex_orders_total", "1_total", "é_total"])
def test_a_counter_that_cannot_be_is_refused_at_once(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"_total at its end|letters"):
        counter(wrong, "Orders.")


@pytest.mark.parametrize("labels", [["le"], ["__name__"], ["outcome"], ["a-b"], ["a", "a"]])
def test_labels_that_cannot_be_are_refused_at_once(name: str, labels: list[str]) -> None:
    with pytest.raises(ValueError, match="label"):
        timer(f"{name}_seconds", "Orders.", labels)


@pytest.mark.parametrize("buckets", [[1.0, 1.0], [2.0, 1.0]])
def test_buckets_rise(name: str, buckets: list[float]) -> None:
    with pytest.raises(ValueError, match="rise"):
        timer(f"{name}_seconds", "Orders.", buckets=buckets)


def test_a_name_means_one_thing(name: str) -> None:
    counter(f"{name}_total", "Orders.")
    with pytest.raises(ValueError, match="already"):
        counter(f"{name}_total", "Orders.", ["kind"])


def test_wrong_labels_are_said_also_where_nobody_counts(name: str) -> None:
    with pytest.raises(ValueError, match="has the labels"):
        counter(f"{name}_total", "Orders.", ["kind"]).inc()
    with pytest.raises(ValueError, match="has the labels"), timer(f"{name}_seconds", "Orders.").time("x"):
        pass


def test_an_app_that_counts_imports_nothing_that_only_a_scrape_needs() -> None:
    code = """
import sys
from narthex_plugins.metrics import counter
counter("orders_total", "Orders.").inc()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"prometheus_client", "starlette", "pydantic"}))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "prometheus_client" not in told.stdout
