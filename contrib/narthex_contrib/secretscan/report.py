"""Findings as text for people and JSON for programs. No secret is in either."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from narthex.detectors.kinds import DESCRIPTIONS
from narthex_contrib.secretscan.exemptions import Stale
from narthex_contrib.secretscan.files import Skipped
from narthex_contrib.secretscan.scanning import Finding
from narthex_contrib.secretscan.settings import ScanSettings


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scan.

    Attributes:
        findings: all, in the order of paths and lines, the exempted ones marked as such.
        stale: exemptions that nothing needs.
        skipped: files that were not looked at, and why.
        files, size, seconds: how many were looked at, their bytes, and how long that took.
        complete: false where it ended at the first finding.
    """

    findings: list[Finding]
    stale: list[Stale] = field(default_factory=list[Stale])
    skipped: list[tuple[str, Skipped]] = field(default_factory=list[tuple[str, Skipped]])
    files: int = 0
    size: int = 0
    seconds: float = 0.0
    complete: bool = True

    @property
    def open(self) -> list[Finding]:
        """Those that nothing exempts."""
        return [one for one in self.findings if not one.exempted]

    @property
    def unreadable(self) -> list[str]:
        """Files that should have been looked at and could not be."""
        return [path for path, why in self.skipped if why is Skipped.UNREADABLE]


def descriptions(settings: ScanSettings) -> dict[str, str]:
    """What each kind is, by its id; those of the configuration among them."""
    return {**DESCRIPTIONS} | {one.id: one.description for one in settings.detector}


def lines(outcome: Outcome, told: dict[str, str]) -> Iterator[str]:
    """A line for each open finding: place, kind, what it is, and as much of it as may be shown."""
    for one in outcome.open:
        commit = f" in {one.commit[:12]}" if one.commit else ""
        note = f"; {one.note}" if one.note else ""
        place = f"{one.path}:{one.line}:{one.column}:{commit}"
        yield f"{place} {one.kind}: {told.get(one.kind, '')}, {one.surety}: {one.shown}{note}"


def summary(outcome: Outcome) -> Iterator[str]:
    """What else is to be said, for standard error."""
    for stale in outcome.stale:
        yield f"stale exemption, {stale.where}: {stale.what}"
    for path, why in outcome.skipped:
        if why in (Skipped.LARGE, Skipped.UNREADABLE):
            yield f"not looked at, {why}: {path}"
    exempted = Counter(one.exempted for one in outcome.findings if one.exempted)
    skipped = Counter(str(why) for _, why in outcome.skipped)
    count = len(outcome.open)
    yield (
        f"{count or 'no'} secret{'s' * (count != 1)} in {outcome.files} file{'s' * (outcome.files != 1)}, "
        f"{outcome.size / 1e6:.1f} MB, {outcome.seconds:.1f} s"
        + "".join(f"; {number} exempted by {how}" for how, number in sorted(exempted.items()))
        + "".join(f"; {number} skipped: {why}" for why, number in sorted(skipped.items()))
        + ("" if outcome.complete else "; ended at the first finding")
    )


def as_json(outcome: Outcome, told: dict[str, str]) -> str:
    """One document: findings with those that are exempted, stale exemptions, and what was not looked at."""
    document: dict[str, Any] = {
        "version": 1,
        "complete": outcome.complete,
        "files": outcome.files,
        "bytes": outcome.size,
        "findings": [_finding(one, told) for one in outcome.findings],
        "stale": [{"where": one.where, "what": one.what} for one in outcome.stale],
        "skipped": [{"path": path, "reason": str(why)} for path, why in outcome.skipped],
    }
    return json.dumps(document, indent=1, ensure_ascii=True)


def _finding(one: Finding, told: dict[str, str]) -> dict[str, Any]:
    about: dict[str, Any] = {
        "path": one.path,
        "line": one.line,
        "column": one.column,
        "end_line": one.end_line,
        "end_column": one.end_column,
        "kind": one.kind,
        "description": told.get(one.kind, ""),
        "surety": str(one.surety),
        "shown": one.shown,
    }
    more = {"note": one.note, "exempted": one.exempted, "reason": one.reason, "commit": one.commit}
    return about | {key: value for key, value in more.items() if value}
