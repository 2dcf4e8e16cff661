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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, cast

import msgspec

from narthex.detectors import MASK, Redactor, Weight

LONGEST_TEXT: Final = 16_384
"""Characters of one text; of a longer one the middle is cut, since tracebacks say most at both ends."""
LONGEST_LINE: Final = 65_536
"""Bytes of one line, beyond which the fields that are not the house's own are left out."""

_MOST_VALUES = 1_000  # in one line, nested ones included
_DEEPEST = 8
_MOST_BITS = 12_000  # past 4,300 digits Python refuses to write a number out
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_MARGIN = 4096  # characters beyond a cut that are looked at and not shown: the secret that the cut goes through
_SHORT_NUMBER = 10**8
_KEPT = (
    *("time", "level", "logger", "message", "request_id", "trace_id", "status", "exception"),
    *("@timestamp", "log.level", "log.logger", "http.request.id", "trace.id", "http.response.status_code"),
    *("Timestamp", "SeverityText", "SeverityNumber", "InstrumentationScope", "Body", "TraceId"),
)

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


def plain(fields: Mapping[str, object], redactor: Redactor | None, known: Sequence[str] = ()) -> dict[str, object]:
    """Fields as JSON has them, without the secrets in them. Never raises.

    Args:
        fields: any.
        redactor: finds secrets by the names of keys, nested ones included, and in every text; None leaves all.
        known: values that are secret by themselves.
    """
    return dict(_Plain(redactor, known).items(fields))


def redacted(text: str, redactor: Redactor, known: Sequence[str] = (), longest: int = LONGEST_TEXT) -> str:
    """A text without the secrets in it, its middle cut out where it is longer: nobody pays for what is not shown."""
    if len(text) <= longest:
        return redactor.text(text, known)
    half, margin = longest // 2, min(_MARGIN, longest // 2)
    head, tail = (redactor.text(end, known) for end in (text[: half + margin], text[-half - margin :]))
    head, tail = head[: min(half, max(len(head) - margin, 0))], tail[max(margin, len(tail) - half) :]
    return f"{head} … {len(text) - longest} characters cut … {tail}"


class _Plain:
    """Turns values into what JSON has, within a budget of values and characters for the whole line."""

    __slots__ = ("_characters", "_known", "_left", "_redactor")

    def __init__(self, redactor: Redactor | None = None, known: Sequence[str] = ()) -> None:
        self._left = _MOST_VALUES
        self._characters = LONGEST_LINE  # more is not shown
        self._redactor = redactor
        self._known = known

    def items(self, fields: Mapping[str, object]) -> Iterator[tuple[str, object]]:
        for key, value in fields.items():
            yield self._string(key), MASK if self._is_secret(key, value) else self.value(value, 1)

    def value(self, value: object, depth: int) -> object:
        """A value of exactly the types that JSON has."""
        kind = type(value)
        if kind is str:
            return self._string(value)
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
        scalar = _scalar(value)
        return self._string(scalar) if isinstance(scalar, str) else scalar

    def _mapping(self, value: Mapping[object, object], depth: int) -> object:
        if depth >= _DEEPEST:
            return "…"
        plain: dict[str, object] = {}
        for key, inner in value.items():
            if not self._afford():
                plain["…"] = "cut"
                break
            plain[str(self.value(key, _DEEPEST))] = (
                MASK if self._is_secret(key, inner) else self.value(inner, depth + 1)
            )
        if self._redactor is not None:
            _hide_pairs(plain, self._redactor)
        return plain

    def _sequence(self, value: Iterable[object], depth: int) -> object:
        """Element by element. Behind one that names a secret stands one: header fields in pairs, `["--token", "x"]`."""
        if depth >= _DEEPEST:
            return "…"
        plain: list[object] = []
        before: object = None
        for inner in value:
            if not self._afford():
                plain.append("…")
                break
            plain.append(MASK if self._is_secret(before, inner) else self.value(inner, depth + 1))
            before = inner
        return plain

    def _is_secret(self, name: object, value: object) -> bool:
        """Whether the name says that the value is one; a number that only counts is none."""
        if self._redactor is None or not isinstance(name, str | bytes) or value is None or value == "":
            return False
        weight = self._redactor.names.weight(name if isinstance(name, str) else name.decode("latin-1"))
        if weight <= Weight.MAYBE or isinstance(value, bool):
            return False
        return weight > Weight.TOKEN or not isinstance(value, int | float) or abs(value) >= _SHORT_NUMBER

    def _string(self, value: object) -> str:
        if self._redactor is None:
            return _text(value)
        text = str(value)
        if self._characters <= 0:
            return "…"
        self._characters -= min(len(text), LONGEST_TEXT)
        return _text(redacted(text, self._redactor, self._known))

    def _afford(self) -> bool:
        self._left -= 1
        return self._left >= 0


def _hide_pairs(plain: dict[str, object], redactor: Redactor) -> None:
    """Hide values whose name is a value itself: `{"name": "DB_PASSWORD", "value": "x"}`."""
    if "loc" in plain and "input" in plain:
        plain["input"] = MASK  # what pydantic did not accept, of which field `loc` says
    if "value" in plain:
        names = [name for name in (plain.get("name"), plain.get("key")) if isinstance(name, str)]
        if any(redactor.names.weight(name) > Weight.MAYBE for name in names):
            plain["value"] = MASK


def _scalar(value: object) -> object:
    match value:
        case int():
            return int(value) if value.bit_length() < _MOST_BITS else hex(value)[:LONGEST_TEXT]
        case float() if math.isfinite(value):
            return float(value)
        case bytes() | bytearray():
            return value.decode("utf-8", "backslashreplace")
        case dt.date() | dt.time():
            return value.isoformat()
        case BaseException():
            return f"{type(value).__qualname__}: {value}"
        case _:
            return str(value)


def _text(text: object) -> str:
    """Text that can be encoded, cut in the middle where it is too long."""
    # A subclass of str may answer `str()` with itself, which the encoder does not take.
    plain = text if type(text) is str else str.encode(str(text), "utf-8", "backslashreplace").decode()
    if len(plain) > LONGEST_TEXT:
        half = LONGEST_TEXT // 2
        plain = f"{plain[:half]} … {len(plain) - LONGEST_TEXT} characters cut … {plain[-half:]}"
    return plain if plain.isascii() else plain.encode("utf-8", "backslashreplace").decode()
