"""A file of findings that are known: each with a reason and, if it shall be looked at again, a last day.

The file is committed, so it must not give the secrets away: of each there is an scrypt digest (RFC 7914) with the
file's own salt, some milliseconds a guess. It is made only for findings of a kind and a path that the file has.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Final

from narthex.config import read_text
from narthex.errors import ConfigError
from narthex_contrib.secretscan.exemptions import Stale
from narthex_contrib.secretscan.scanning import Finding

VERSION: Final = 1
UNEXPLAINED: Final = "known when the baseline was made"
_COST: Final = {"n": 2**12, "r": 8, "p": 1}


class Baseline:
    """The findings that a file knows.

    Args:
        entries: of the file, each a table with path, kind, digest, reason and until.
        salt: of the file.
        source: its name, for messages.
        today: on which day it is read.
    """

    def __init__(self, entries: Iterable[Mapping[str, Any]], salt: bytes, source: str, today: date) -> None:
        self._salt = salt
        self._source = source
        self._today = today
        self._entries = {(one["path"], one["kind"], one["digest"]): one for one in entries}
        self._places = {(path, kind) for path, kind, _ in self._entries}
        self._used: set[tuple[str, str, str]] = set()

    def judge(self, finding: Finding) -> Finding:
        """The finding, exempted where the file has it; one whose day is past is named. 10 ms for one it may have."""
        if finding.exempted or (finding.path, finding.kind) not in self._places:
            return finding
        key = (finding.path, finding.kind, _digest(finding.secret, self._salt))
        entry = self._entries.get(key)
        if entry is None:
            return finding
        self._used.add(key)
        until = date.fromisoformat(entry["until"]) if entry.get("until") else None
        if until is not None and until < self._today:
            return replace(finding, note=f"the baseline knew it until {until}: {entry['reason']}")
        return replace(finding, reason=entry["reason"], exempted="baseline", note="")

    def stale(self, scanned: frozenset[str], *, everything: bool) -> list[Stale]:
        """Entries that are not found any more, of the paths that were looked at, or of all."""
        return [
            Stale(self._source, f"{kind} in {path}: {self._entries[path, kind, digest]['reason']}")
            for path, kind, digest in self._entries
            if (everything or path in scanned) and (path, kind, digest) not in self._used
        ]


def load(file: Path, today: date) -> Baseline:
    """Read a baseline.

    Raises:
        ConfigError: it cannot be read, or is none.
    """
    try:
        document = json.loads(read_text(file))
        if document["version"] != VERSION:
            raise ConfigError(f"is a baseline of version {document['version']}, not {VERSION}", where=str(file))
        for one in document["findings"]:
            if (
                not all(isinstance(one[key], str) for key in ("path", "kind", "digest", "reason"))
                or not one["reason"].strip()
            ):
                raise ConfigError(
                    f"{one.get('kind', 'a finding')} in {one.get('path', '?')} has no reason", where=str(file)
                )
            if one.get("until"):
                date.fromisoformat(one["until"])
        return Baseline(document["findings"], bytes.fromhex(document["salt"]), str(file), today)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"is no baseline: {error!r}", where=str(file), hint="`narthex scan --write-baseline FILE` makes one"
        ) from None


def write(file: Path, findings: Iterable[Finding], reason: str, until: date | None) -> int:
    """Write all findings that nothing exempts into a new baseline; reasons and days of the old one stay.

    Returns:
        How many.

    Raises:
        ConfigError: the old one is none, or the new one cannot be written.
    """
    old: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    salt = secrets.token_bytes(16)
    if file.exists():
        load(file, date.min)
        document = json.loads(read_text(file))
        salt = bytes.fromhex(document["salt"])
        old = {(one["path"], one["kind"], one["digest"]): one for one in document["findings"]}
    entries: dict[tuple[str, str, str], dict[str, Any]] = {}
    for one in findings:
        if one.exempted not in ("", "baseline"):
            continue
        key = (one.path, one.kind, _digest(one.secret, salt))
        known = old.get(key)
        told = (
            {"reason": known["reason"], "until": known.get("until")}
            if known
            else {"reason": reason, "until": until and until.isoformat()}
        )
        entries[key] = {
            "path": key[0],
            "kind": key[1],
            "line": one.line,
            "digest": key[2],
            **{name: value for name, value in told.items() if value},
        }
    whole = {"version": VERSION, "salt": salt.hex(), "findings": [entries[key] for key in sorted(entries)]}
    try:
        file.write_text(json.dumps(whole, indent=1, ensure_ascii=True) + "\n", "utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(file)) from None
    return len(entries)


def _digest(secret: str, salt: bytes) -> str:
    return hashlib.scrypt(secret.encode("utf-8", "surrogatepass"), salt=salt, dklen=20, maxmem=2**26, **_COST).hex()
