"""A sample of `make fuzz`, and proof that it sees what it is there to see."""

import logging
import os
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from narthex import guards
from tests.fuzz.generate import case
from tests.fuzz.planted import FAULTS
from tests.fuzz.report import play_alone, shrunk, sort_of
from tests.fuzz.run import block

COUNT: Final = int(os.environ.get("FUZZ_COUNT", "20000"))
SEED: Final = 20_260_722
BLOCK: Final = 1000
SHARE: Final = max(2 * BLOCK, COUNT // 10)  # of one test, so that none runs long on a machine that others use too


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    """Hundreds of faults a second are not worth a line each; and the process is left as it was found."""
    logger = logging.getLogger("narthex")
    level, in_use = logger.level, guards.in_use
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(level)
    guards.in_use = in_use


def faults_of(seed: int, first: int, last: int) -> list[str]:
    """The faults of some cases, each with the words that play its case again."""
    return [f"{fault}: make fuzz ARGS='--replay {seed}:{number}'" for number, fault in block(seed, first, last).faults]


@pytest.mark.parametrize("first", range(0, COUNT, SHARE))
def test_no_exchange_whatever_breaks_a_promise(first: int) -> None:
    last = min(COUNT, first + SHARE)
    for start in range(first, last, BLOCK):
        assert not faults_of(SEED, start, min(start + BLOCK, last))


@pytest.mark.parametrize("plant", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert any(faults_of(SEED, start, start + 250) for start in range(0, 5000, 250))


def test_the_same_seed_gives_the_same_cases() -> None:
    assert [case(7, number) for number in range(50)] == [case(7, number) for number in range(50)]
    assert case(7, 1) != case(8, 1)


def test_a_case_that_fails_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS["a guard that raises lets pass"](monkeypatch)
    found = next(one for one in block(SEED, 0, BLOCK).faults if "was reached after" in one[1])
    small = shrunk(case(SEED, found[0]), found[1])
    assert sort_of(found[1]) in map(sort_of, play_alone(small).faults)
    assert len(small.plan.seats) <= 2
    assert len(small.app) <= 2
    assert not small.plan.settings
