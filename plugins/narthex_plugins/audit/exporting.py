"""Records as lines of JSON or as CSV: what leaves the house in whole.

A line of JSON holds the record's own bytes and where it stands, so that it can be verified elsewhere. CSV is for people
and spreadsheets, which take a cell that begins with `=` for a formula: such a cell gets an apostrophe before it (OWASP,
"CSV Injection"), also where the sign comes behind spaces, or is a full-width one.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from narthex_plugins.audit.querying import Row
from narthex_plugins.audit.record import NAMES

Format = Literal["jsonl", "csv"]
MEDIA: Final[dict[Format, str]] = {"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8; header=present"}
COLUMNS: Final = (*NAMES, "position", "chain", "sequence", "hash")
_FORMULA: Final = re.compile(r"\s*[=+\-@\t\r\n|%\uff1d\uff0b\uff0d\uff20]")


def head(kind: Format) -> bytes:
    """What stands before the records."""
    return _csv([COLUMNS]) if kind == "csv" else b""


def lines(kind: Format, rows: Sequence[Row]) -> bytes:
    """The records, each on a line of its own, or more where a CSV cell holds line ends."""
    if kind == "csv":
        return _csv(map(_cells, rows))
    return b"".join(map(json_line, rows))


def json_line(row: Row) -> bytes:
    """A record and its place; the line is canonical JSON, because the record is."""
    place = f'"chain":"{row.chain}","hash":"{row.hash.hex()}","position":{row.position}'
    return f'{{{place},"record":{row.record},"sequence":{row.sequence}}}\n'.encode()


def _cells(row: Row) -> list[str]:
    facts = row.facts
    texts = [_text(facts[name]) for name in NAMES]
    return [*map(_safe, texts), str(row.position), row.chain, str(row.sequence), row.hash.hex()]


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _safe(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue().encode()
