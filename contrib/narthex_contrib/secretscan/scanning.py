"""Looking through one text."""

import re
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import PurePosixPath
from typing import Final

from narthex.detectors.kinds import KINDS, Kind, Searcher, Surety
from narthex_contrib.secretscan.settings import ScanSettings

# In these a value without quotes is another name or a call; in all others it is text.
_CODE_ENDINGS: Final = """
.py .pyi .pyx .js .jsx .mjs .cjs .ts .tsx .java .kt .kts .scala .go .rs .c .h .cc .cpp .hpp .cs .fs .vb .swift
.m .mm .rb .php .pl .pm .lua .dart .ex .exs .erl .hs .clj .groovy .gradle .r .jl .sql .vue .svelte .html .htm
.css .scss .less .tf .hcl .proto .graphql .ipynb .json .xml
"""
_CODE: Final = frozenset(_CODE_ENDINGS.split())
# Here what a name gives away is the digest of a package, or the work of a program.
_MADE: Final = re.compile(
    r"(?:.*\.(?:lock|sum|map|svg|css|scss|less|snap|csv|tsv|pem\.pub|min\.js|po|pot)|package-lock\.json|pnpm-lock\.yaml|npm-shrinkwrap\.json)$"
)
_EXEMPTION: Final = re.compile(r"narthex:[ \t]?allow(?:\[(?P<kinds>[\w*?, -]{1,200})\])?(?P<reason>[^\n]{0,400})")
_ENDING: Final = re.compile(r"(?:\*/|-->|%>|#}|}}|\"\"\"|''')[\s\S]*$")
_TOO_SLOW: Final = 2.0
"""Seconds that the detectors of a configuration may take for one text."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret at a place.

    Attributes:
        path: as the user knows it, with `/`.
        line, column, end_line, end_column: where it begins and ends, from 1, in characters; the end is past the last.
        kind: the id of its kind.
        surety: how sure it is.
        shown: what may be shown of it.
        secret: itself; it is never written anywhere.
        note: what else is to be said, such as an exemption that has run out.
        reason: why it may stay; "" where nothing says so.
        exempted: by what: "comment", "configuration", "baseline".
        commit: the first commit that had it, where history was scanned.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    kind: str
    surety: Surety
    shown: str
    secret: str = field(repr=False)
    note: str = ""
    reason: str = ""
    exempted: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """An exemption written beside a secret."""

    path: str
    line: int
    kinds: tuple[str, ...]
    reason: str
    above: bool


class TooSlow(Exception):
    """A detector of the configuration took longer than a text may."""


@cache
def searchers(settings_json: str) -> tuple[Searcher, Searcher | None]:
    """The searchers of settings: ours, and that of the configuration's own detectors. Made once a process."""
    settings = ScanSettings.model_validate_json(settings_json)
    own = [one.kind() for one in settings.detector]
    return Searcher(KINDS, settings.disable), Searcher(own) if own else None


def scan_text(path: str, text: str, settings: ScanSettings) -> tuple[list[Finding], list[Comment]]:
    """All secrets in a text, those that a comment exempts marked as such; and the comments that exempt nothing.

    Args:
        path: says by its ending how values are written in it.
        text: of any length.
        settings: which kinds are looked for.

    Raises:
        TooSlow: a detector of the configuration does not come to an end.
    """
    ours, own = searchers(settings.model_dump_json())
    pure = PurePosixPath(path)
    found = ours.find(text, settings=pure.suffix.lower() not in _CODE, names=not _MADE.match(pure.name.lower()))
    if own is not None:
        with _limited(path):
            found += own.find(text, names=False)
    comments = list(_comments(path, text)) if "narthex:" in text else []
    if not found:
        return [], comments
    breaks = _Lines(text)
    findings: list[Finding] = []
    used: set[int] = set()
    for one in sorted(found, key=lambda each: each.start):
        if one.surety is Surety.POSSIBLE and settings.checksums and one.id in _CHECKED:
            continue
        line, column = breaks.place(one.start)
        end_line, end_column = breaks.place(one.end)
        secret = text[one.start : one.end]
        finding = Finding(path, line, column, end_line, end_column, one.id, one.surety, masked(secret, one.id), secret)
        findings.append(_excused(finding, comments, used))
    return findings, [comment for number, comment in enumerate(comments) if number not in used]


_CHECKED: Final = frozenset(one.id for one in KINDS if one.checksum is not None)
_PREFIX: Final[dict[str, Kind]] = {one.id: one for one in KINDS}


def masked(secret: str, kind: str) -> str:
    """What may be shown: the issuer's own prefix, of others an eighth, of short ones nothing; and the length."""
    known = _PREFIX.get(kind)
    own = known.prefix if known is not None and known.prefix < len(secret) // 2 else len(secret) // 8
    head = "".join(
        character if character.isprintable() and not character.isspace() else "" for character in secret[: min(own, 12)]
    )
    return f"{head if len(secret) >= 16 else ''}*** ({len(secret)} characters)"


def _excused(finding: Finding, comments: list[Comment], used: set[int]) -> Finding:
    for number, comment in enumerate(comments):
        near = (
            comment.line == finding.line
            or comment.line == finding.end_line
            or (comment.above and comment.line == finding.line - 1)
        )
        if not near or (comment.kinds and finding.kind not in comment.kinds):
            continue
        used.add(number)
        if not comment.reason:
            return replace(finding, note="the exemption beside it gives no reason")
        return replace(finding, reason=comment.reason, exempted="comment")
    return finding


def _comments(path: str, text: str) -> Iterator[Comment]:
    line, done = 1, 0
    for found in _EXEMPTION.finditer(text):
        line, done = line + text.count("\n", done, found.start()), found.start()
        kinds = tuple(one.strip() for one in (found["kinds"] or "").split(",") if one.strip())
        reason = _ENDING.sub("", found["reason"]).strip(" \t\r:-—,;\"')")
        before = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        alone = not before.strip(" \t#/*<!-;%'\"{rem")
        yield Comment(path, line, kinds, reason if len(reason) > 2 else "", alone)


class _Lines:
    """Where the lines of a text begin; found out once, where there is something to tell."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._line, self._at = 1, 0

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, of an offset not far before the last one asked for."""
        if offset < self._at:
            self._line -= self._text.count("\n", offset, self._at)
        else:
            self._line += self._text.count("\n", self._at, offset)
        self._at = offset
        return self._line, offset - self._text.rfind("\n", 0, offset)


@contextmanager
def _limited(path: str) -> Generator[None]:
    """Stop a pattern that does not come to an end: `re` looks at signals while it goes back and forth."""

    def stop(number: int, frame: object) -> None:  # noqa: ARG001  the signature of a signal handler
        raise TooSlow(f"{path}: the detectors of the configuration take longer than {_TOO_SLOW:.0f} s")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, _TOO_SLOW)  # of the processor's time: a busy machine does not count
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
