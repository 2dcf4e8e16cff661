import logging
from collections.abc import Iterator

import pytest

from narthex import levels


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root = logging.getLogger().level
    yield
    for name in levels.changed():
        levels.change(name, levels.DEFAULT)
    logging.getLogger().setLevel(root)


def test_a_level_is_changed_and_given_back() -> None:
    logger = logging.getLogger("levels.a")
    logger.setLevel(logging.ERROR)
    levels.change("levels.a", "debug")
    levels.change("levels.a", "warning")
    assert (logger.level, levels.changed()) == (logging.WARNING, {"levels.a": "warning"})
    levels.change("levels.a", levels.DEFAULT)
    assert (logger.level, levels.changed()) == (logging.ERROR, {})


def test_a_level_given_back_that_was_never_changed_is_no_error() -> None:
    levels.change("levels.b", levels.DEFAULT)
    assert logging.getLogger("levels.b").level == logging.NOTSET


def test_what_was_changed_holds_for_the_loggers_below() -> None:
    levels.change("levels", "debug")
    levels.change("root", "error")
    assert levels.changed_for("levels.a.b") == logging.DEBUG
    assert levels.changed_for("levelsx") == logging.ERROR
    assert levels.lowest_changed() == logging.DEBUG


def test_an_unknown_level_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no level is called 'loud': it is one of debug, info"):
        levels.change("levels.a", "loud")
    assert levels.changed() == {}


def test_an_own_level_waits_until_the_given_one_is_taken_back() -> None:
    levels.change("levels.c", "debug")
    levels.own("levels.c", logging.ERROR)
    assert logging.getLogger("levels.c").level == logging.DEBUG
    levels.change("levels.c", levels.DEFAULT)
    assert logging.getLogger("levels.c").level == logging.ERROR


def test_who_watches_is_told_until_it_ends() -> None:
    told: list[int] = []
    end = levels.watch(lambda: told.append(1))
    levels.change("levels.a", "debug")
    end()
    levels.change("levels.a", "info")
    assert told == [1]
