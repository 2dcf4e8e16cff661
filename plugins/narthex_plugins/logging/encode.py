"""Any fields as one line of JSON, whatever they hold.

Log lines are made of what strangers send and what programmers pass as `extra`, so nothing is taken on trust:
lone surrogates, reference cycles, values whose `str` raises, a megabyte of repr. The rules, in one place:

- One line is one JSON object and one newline, always, and about `LONGEST_LINE` at most.
- Control characters are escaped, and so are the C1 controls, bidirectional overrides and Unicode's own line
  separators, which JSON would let through: a terminal obeys some of them, and a line reader splits at others.
  A JSON parser gives every one of them back.
- Objects that JSON does not know are written as their `str`, never field by field: a `repr` masks what its author
  wants masked, an encoder that walks the fields does not.
"""

import datetime as dt
import enum
import math
import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, cast

import msgspec

LONGEST_TEXT: Final = 16_384
"""Characters of one text; of a longer one the middle is cut, since tracebacks say most at both ends."""
LONGEST_LINE: Final = 65_536
"""Bytes of one line, beyond which the fields that are not the house's own are left out."""

_MOST_VALUES = 1_000  # in one line, nested ones included
_DEEPEST = 8
_MOST_BITS = 12_000  # past 4,300 digits Python refuses to write a number out
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_KEPT = ("time", "level", "logger", "message", "request_id", "trace_id", "status", "exception")

_HARMFUL = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

# enc_hook is for what `_Plain` did not reach, which should be nothing.
to_json: Final = msgspec.json.Encoder(enc_hook=str).encode


def encode(fields: Mapping[str, object]) -> bytes:
    """One line of JSON with its newline. Never raises. Costs about 2 µs for ten plain values, else ten times that."""
    kinds = set(map(type, fields.values()))
    if kinds <= _SCALARS:
        try:
            data = to_json(fields)
        except (ValueError, TypeError):  # a lone surrogate, an endless number, a key that is no text
            pass
        else:
            # So no text in it is longer, and no NaN or infinity was written as null.
            if len(data) <= LONGEST_TEXT and not (float in kinds and b":null" in data):
                return finish(data)
    return _encode_anything(fields)


def _encode_anything(fields: Mapping[str, object]) -> bytes:
    tame = {_text(key): value for key, value in _Plain().items(fields)}
    data = to_json(tame)
    if len(data) > LONGEST_LINE:
        kept = {key: tame[key] for key in _KEPT if key in tame}
        data = to_json({**kept, "truncated": len(data)})
    return finish(data)


def finish(data: bytes) -> bytes:
    """Escape in valid JSON what terminals and line readers would act upon, and end the line."""
    if not data.isascii() or b"\x7f" in data:
        data = _HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", data.decode()).encode()
    return data + b"\n"


class _Plain:
    """Turns values into what JSON has, within a budget of values for the whole line."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = _MOST_VALUES

    def items(self, fields: Mapping[str, object]) -> Iterable[tuple[str, object]]:
        return ((key, self.value(value, 1)) for key, value in fields.items())

    def value(self, value: object, depth: int) -> object:
        """A value of exactly the types that JSON has."""
        kind = type(value)
        if kind is str:
            return _text(value)
        if value is None or kind is bool:
            return value
        try:
            return self._other(value, depth)
        except Exception:  # noqa: BLE001  a property or method of any object may raise anything
            return f"<unprintable {kind.__qualname__}>"

    def _other(self, value: object, depth: int) -> object:
        if isinstance(value, enum.Enum):
            return self.value(value.value, depth)
        if isinstance(value, Mapping):
            return self._mapping(cast("Mapping[object, object]", value), depth)
        if isinstance(value, (list, tuple, AbstractSet)):
            return self._sequence(cast("Iterable[object]", value), depth)
        return _scalar(value)

    def _mapping(self, value: Mapping[object, object], depth: int) -> object:
        if depth >= _DEEPEST:
            return "…"
        plain: dict[str, object] = {}
        for key, inner in value.items():
            if not self._afford():
                plain["…"] = "cut"
                break
            plain[str(self.value(key, _DEEPEST))] = self.value(inner, depth + 1)
        return plain

    def _sequence(self, value: Iterable[object], depth: int) -> object:
        if depth >= _DEEPEST:
            return "…"
        plain: list[object] = []
        for inner in value:
            if not self._afford():
                plain.append("…")
                break
            plain.append(self.value(inner, depth + 1))
        return plain

    def _afford(self) -> bool:
        self._left -= 1
        return self._left >= 0


def _scalar(value: object) -> object:
    match value:
        case int():
            return int(value) if value.bit_length() < _MOST_BITS else hex(value)[:LONGEST_TEXT]
        case float() if math.isfinite(value):
            return float(value)
        case bytes() | bytearray():
            return _text(value[:LONGEST_TEXT].decode("utf-8", "backslashreplace"))
        case dt.date() | dt.time():
            return value.isoformat()
        case BaseException():
            return _text(f"{type(value).__qualname__}: {value}")
        case _:
            return _text(str(value))


def _text(text: object) -> str:
    """Text that can be encoded, cut in the middle where it is too long."""
    # A subclass of str may answer `str()` with itself, which the encoder does not take.
    plain = text if type(text) is str else str.encode(str(text), "utf-8", "backslashreplace").decode()
    if len(plain) > LONGEST_TEXT:
        half = LONGEST_TEXT // 2
        plain = f"{plain[:half]} … {len(plain) - LONGEST_TEXT} characters cut … {plain[-half:]}"
    return plain if plain.isascii() else plain.encode("utf-8", "backslashreplace").decode()
