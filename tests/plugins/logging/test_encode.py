import dataclasses
import datetime as dt
import decimal
import enum
import json
import time
import uuid
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narthex_plugins.logging.encode import LONGEST_LINE, LONGEST_TEXT, _encode_anything, encode


class Spiteful:
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


class Stubborn(str):
    __slots__ = ()

    def __str__(self) -> str:
        return self


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Card:
    owner: str
    number: str = dataclasses.field(repr=False)


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(exclude_categories=())),
        st.binary(),
        st.dates(),
        st.datetimes(),
        st.decimals(),
        st.uuids(),
        st.builds(Spiteful),
        st.builds(msgspec.Raw, st.binary()),
        st.builds(ValueError, st.text()),
    ),
    lambda inner: st.one_of(
        st.lists(inner),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(st.characters(exclude_categories=())), st.integers(), st.binary()), inner),
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=())), anything))
def test_any_fields_make_one_valid_line(fields: dict[str, object]) -> None:
    line = encode(fields)
    assert isinstance(json.loads(line), dict)
    assert line.endswith(b"}\n")
    assert line.decode().splitlines() == [line.decode()[:-1]]


@settings(deadline=None)
@given(st.text())
def test_text_comes_back_as_it_was(text: str) -> None:
    assert json.loads(encode({"text": text})) == {"text": text}


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b2J", "\u2028", "\u202e", "\r\n{}", "\x7f"])
def test_what_a_terminal_would_obey_is_escaped(text: str) -> None:
    line = encode({"text": text})
    assert line[:-1].decode().isprintable()
    assert json.loads(line)["text"] == text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (float("nan"), "nan"),
        (-float("inf"), "-inf"),
        (b"ab\xff", "ab\\xff"),
        (Colour.RED, "red"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), "2026-01-02T03:04:05+00:00"),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("\ud800", "\\ud800"),
        ({1: {2}}, {"1": [2]}),
        (KeyError("x"), "KeyError: 'x'"),
        (Spiteful(), "<unprintable Spiteful>"),
        (Stubborn("text"), "text"),
        (2**64, 2**64),
        pytest.param(2**15_000, "0x1000", id="endless"),
        (msgspec.Raw(b'1}\n{"forged":1'), "<msgspec.Raw"),
    ],
)
def test_values_that_json_lacks_are_written_as_people_read_them(value: object, written: object) -> None:
    got = json.loads(encode({"value": value}))["value"]
    assert got == written or (isinstance(written, str) and got.startswith(written))


def test_the_short_way_writes_what_the_long_way_writes() -> None:
    fields = {"text": "ü\x85", "number": -7, "yes": True, "half": 0.5, "nothing": None, "big": 2**70}
    assert encode(fields) == _encode_anything(fields)


def test_what_a_repr_masks_stays_masked() -> None:
    assert b"4111" not in encode({"card": Card("alice", "4111 1111"), "cards": [Card("bob", "4111")]})


def test_a_long_text_keeps_both_its_ends() -> None:
    text: str = json.loads(encode({"text": "a" * 50_000 + "the end"}))["text"]
    assert text.startswith("aaa")
    assert text.endswith("the end")
    assert len(text) < LONGEST_TEXT + 50


def test_a_long_line_keeps_what_names_it() -> None:
    line = encode({"level": "info", "message": "m", "request_id": "r", **{f"extra{n}": "x" * 9_999 for n in range(20)}})
    assert len(line) < LONGEST_LINE
    assert json.loads(line) == {"level": "info", "message": "m", "request_id": "r", "truncated": 200_277}


def test_cycles_and_bombs_end() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    bomb: list[Any] = ["x"]
    for _ in range(7):
        bomb = [bomb] * 100
    began = time.perf_counter()
    assert json.loads(encode({"cycle": cycle, "bomb": bomb}))
    assert time.perf_counter() - began < 1
