"""Two transcripts of one case, and where they part."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from tests.wire.differential.case import Loose
from tests.wire.differential.records import Line

_DATE: Final = re.compile(rb"(?im)^date: [^\r\n]*\r\n")
_ID: Final = re.compile(rb"(?m)^x-request-id: [0-9a-f]{32}\r\n")
_FIELDS: Final = ("http.response.start", "websocket.accept", "websocket.http.response.start")
_OWN: Final = re.compile(r"^(app [A-Z]+ |[A-Z]+ - .* - )(narthex|alembic)\.")  # its own loggers, and its store's
_LIFESPAN: Final = re.compile(r"(?i)lifespan.*(unsupported|without lifespan)")
"""What a server says of an app that knows no lifespan; Narthex knows one."""
_CHANCE: Final = re.compile(
    r"Traceback|app ERROR asyncio|^(transport|protocol):|Invalid HTTP request|h11._util.Local|transport error"
)
"""What comes or not as packets fall: a server at a connection that goes away under it."""
_LONGEST: Final = 600


@dataclass(frozen=True, slots=True)
class Transcript:
    """One case on one server.

    Attributes:
        said: what the client saw, piece by piece.
        lines: what the served process put on record.
    """

    said: Sequence[tuple[str, bytes]]
    lines: Sequence[Line]

    @property
    def text(self) -> str:
        """What the client saw, as one text to look for patterns in."""
        return " -".join(f"{what} -{data.decode('latin-1')}" if data else what for what, data in self.said)

    def without(self, tag: str) -> "Transcript":
        """The same without the number of the try, which the app may have echoed."""
        case = tag.rpartition("~")[0]
        said = [(what, data.replace(tag.encode(), case.encode())) for what, data in self.said]
        lines = [replace(line, fact=json.loads(json.dumps(line.fact).replace(tag, case))) for line in self.lines]
        return Transcript(said, lines)


View = Mapping[str, Sequence[str]]
"""What was seen of one case, line by line, from each side: "the client", "inside", "outside", "note"."""


def view(transcript: Transcript, *, observed: bool = False, loose: Loose = "no", ordered: bool = True) -> View:
    """A transcript as it is compared.

    Args:
        transcript: of one case on one server.
        observed: whether an `x-request-id` may have been added to a start; it is left out.
        loose: what of the app is left out, because it comes as packets fall.
        ordered: whether the app does one thing after the other. A framework that listens for the client in a task of
            its own does not, so there what was received is compared on its own, up to the end of the body.
    """
    said = [(what, _DATE.sub(b"", data)) for what, data in transcript.said]
    if observed:
        said = [(what, _ID.sub(b"", data, count=1)) for what, data in said]  # one, not several
    if loose == "unread":
        said = [(what, data.replace(b"connection: close\r\n", b"")) for what, data in said]
    found = {"the client": [f"{what}: {data!r}" for what, data in said]}
    if loose == "app":
        return found
    sides = ["inside", "outside", "note"]
    if any(line.what == "raised" and line.case == "lifespan" for line in transcript.lines):
        sides.remove("outside")  # the app knows no lifespan, and Narthex does
    for side in sides:
        found[side] = _seen(transcript, side, observed, loose, ordered)
    return found


def differences(bare: Sequence[View], dressed: View) -> list[str]:
    """Where a view parts from everything that the bare server was seen to do: a sentence for each side.

    A bare server may do one thing or another as packets fall; then it was played to several times.
    """
    found = []
    for side, lines in dressed.items():
        variants = [each[side] for each in bare if side in each]
        if variants and lines not in variants:
            found.append(_apart(side, variants[-1], lines))
    return found


def log_differences(bare: str, dressed: str) -> list[str]:
    """What was logged by one and not by the other, or the apps' exceptions more or less often.

    Left out are Narthex's own lines and the frames of tracebacks.
    """
    one, other = Counter(_log_lines(bare)), Counter(_log_lines(dressed))
    uneven = [line for line in one | other if not (one[line] and other[line])]
    uneven += [line for line in one & other if "raised" in line and one[line] != other[line]]
    return [f"logged {one[line]} times bare, {other[line]} behind: {line}" for line in uneven]


def _seen(transcript: Transcript, side: str, observed: bool, loose: Loose, ordered: bool) -> list[str]:
    lines = [line for line in transcript.lines if line.side == side]
    if loose == "sends":
        lines = [line for line in lines if line.what not in ("sent", "send raised")]
    if loose == "unread":
        lines = [line for line in lines if line.what != "received"]
    if ordered:
        lines.sort(key=lambda line: line.exchange)
    else:
        lines.sort(key=lambda line: (line.exchange, line.what.startswith("receive")))
        lines = [line for line in lines if not _is_afterwards(line)]
    merged: list[tuple[str, Any]] = []
    for line in lines:
        fact: Any = line.fact
        if line.what == "sent" and side == "outside" and observed:
            fact = _without_id(fact)
        before = merged[-1] if merged else ("", None)
        if line.what == "received" == before[0] and _is_body(fact) and _is_body(before[1]):
            merged[-1] = ("received", _joined(before[1], fact))
        else:
            merged.append((line.what, fact))
    return [f"{what}: {json.dumps(fact, sort_keys=True)}" for what, fact in merged]


def _is_afterwards(line: Line) -> bool:
    """Whether it comes or not by who is quicker: the end of a body that is empty, how the wait for the client ended."""
    if line.what == "receive raised":
        return True
    fact: Any = line.fact
    if line.what != "received" or "dict" not in fact:
        return False
    empty = _is_body(fact) and _size(fact["dict"].get("body", {"bytes": ""})) == 0
    return empty or fact["dict"]["type"] == "http.disconnect"


def _is_body(fact: Any) -> bool:
    return isinstance(fact, dict) and fact.get("dict", {}).get("type") == "http.request"


def _joined(one: Any, other: Any) -> Any:
    """How a body is cut is the network's doing where the app does nothing in between: only its size counts then."""
    sizes = [_size(each["dict"].get("body", {"bytes": ""})) for each in (one, other)]
    return {"dict": {**other["dict"], "body": {"bytes": f"{sum(sizes)} bytes, "}}}


def _size(body: Any) -> int:
    (text,) = body.values()
    counted = re.match(r"(\d+) bytes, ", text)
    return int(counted[1]) if counted else len(text)


def _without_id(fact: Any) -> Any:
    """A start as it was before the id was appended; a tuple or generator of fields is a list by then."""
    if not isinstance(fact, dict) or fact.get("dict", {}).get("type") not in _FIELDS:
        return fact
    message = dict(fact["dict"])
    fields = cast("list[Any]", next(iter(message.get("headers", {"list": []}).values())))
    message["headers"] = {"list": [each for each in fields if "x-request-id" not in json.dumps(each)]}
    return {"dict": message}


def _apart(side: str, one: Sequence[str], other: Sequence[str]) -> str:
    at = next(
        (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other))
    )
    bare, behind = (_around(each[at] if at < len(each) else "nothing", one, other, at) for each in (one, other))
    return f"{side}, step {at}\n  bare    {bare}\n  behind  {behind}"


def _around(text: str, one: Sequence[str], other: Sequence[str], at: int) -> str:
    if len(text) <= _LONGEST or at >= min(len(one), len(other)):
        return text[:_LONGEST]
    parts = next((index for index, pair in enumerate(zip(one[at], other[at], strict=False)) if pair[0] != pair[1]), 0)
    return f"…{text[max(0, parts - 200) : parts + 200]}…"


def _log_lines(log: str) -> Iterable[str]:
    for line in log.splitlines():
        ours = _OWN.search(line) or _LIFESPAN.search(line) or _CHANCE.search(line)
        if line and not line.startswith(" ") and not ours:
            timeless = re.sub(r"0x[0-9a-f]+|\d{4}-\d\d-\d\d[T ][\d:,.]+( ?[+-]\d{4})?", "…", line)
            yield re.sub(r"\b(\d{3,}|pid \d+)\b", "…", timeless)  # ports and process ids
