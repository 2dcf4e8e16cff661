"""Looking for all kinds in one text, in time that grows with its length and no faster.

Tokens are runs of at least `RUN` characters without a blank, and there are few in most texts: those are cut out and
strung together first, so that some 200 keywords are looked for in a small part of the whole. What has blanks or quotes
within it, and names with values behind them, are looked for in all of it. At each place that a keyword names, a pattern
looks at a bounded number of characters.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from narthex.detectors.kinds.assigned import Assigned, assigned
from narthex.detectors.kinds.catalogue import KINDS, name_kind
from narthex.detectors.kinds.kind import Kind, Surety

RUN: Final = 20
_IN_RUNS: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.~+/=:|!%@$?&;-")
_CLASSES: Final = bytes(97 if code in _IN_RUNS else 32 for code in range(256))
_LONG: Final = b"a" * RUN
_CHANCE: Final = re.compile(r"[0-9]|[a-z][A-Z].{0,2}[A-Z]|[A-Z][a-z][A-Z]")  # or capitals as no name has them
_LETTERS: Final = re.compile(r"[A-Za-z]{30}")  # no token is of fewer letters and nothing else
_EXEMPLARY: Final = re.compile(
    r"(?i)example|sample|fake|dummy|placeholder|invalid|mock|redacted|not.?real|expired|revoked"
)
_REACH: Final = 400  # characters behind a keyword that does not begin the secret
_LINE: Final = 160  # characters round a find in which a word may say that it is only an example


@dataclass(frozen=True, slots=True)
class Found:
    """A secret in a text: `text[start:end]`, the id of its kind, and how sure that is."""

    start: int
    end: int
    id: str
    surety: Surety


class Searcher:
    """Looks for kinds in texts.

    Args:
        kinds: those with a form of their own.
        off: ids of kinds that are left out, those that a name gives away among them.
    """

    def __init__(self, kinds: Iterable[Kind] = KINDS, off: Iterable[str] = ()) -> None:
        self._off = frozenset(off)
        every = tuple(kinds)
        self._rank = {one.id: rank for rank, one in enumerate(every)}
        wanted = [one for one in every if one.id not in self._off]
        self._in_runs = [(word, one) for one in wanted if not one.whole for word in one.keywords]
        self._in_all = [(word, one) for one in wanted if one.whole for word in one.keywords]

    def find(self, text: str, *, settings: bool = True, names: bool = True) -> list[Found]:
        """Every secret, in the order of the text; none overlaps another.

        Args:
            text: anything.
            settings: whether values stand without quotes in it, as in a file of settings, a log, or prose.
            names: whether what a name gives away is looked for.

        Cost: about 70 ns a character of source code.
        """
        found = [*self._runs(text), *self._whole(text)]
        if names:
            lowered = text.lower()
            if len(lowered) != len(text):  # a few letters, such as the Turkish I with a dot, grow
                lowered = "".join(map(_lower, text))
            found += self._assigned(text, lowered, settings=settings)
        return self._apart(found)

    def _runs(self, text: str) -> Iterator[Found]:
        pieces: list[str] = []
        starts: list[int] = []
        places: list[int] = []
        at = 0
        for start, end in _runs(text):
            piece = text[start:end]
            if _CHANCE.search(piece) or _LETTERS.search(piece):
                pieces.append(piece)
                starts.append(at)
                places.append(start)
                at += len(piece) + 1
        if not pieces:
            return
        joined = "\n".join(pieces)
        for word, one in self._in_runs:
            for start, end, surety in _at_keywords(joined, word, one):
                place = bisect_right(starts, start) - 1
                begin = places[place] + start - starts[place]
                if surety is not Surety.POSSIBLE or not _is_shown(text, begin):
                    yield Found(begin, begin + end - start, one.id, surety)

    def _whole(self, text: str) -> Iterator[Found]:
        for word, one in self._in_all:
            for start, end, surety in _at_keywords(text, word, one):
                yield Found(start, end, one.id, surety)

    def _assigned(self, text: str, lowered: str, *, settings: bool) -> Iterator[Found]:
        for one in assigned(text, lowered, settings=settings):
            name = name_kind(one.name, one.value, password=one.password).id
            if name not in self._off and not _is_url(text, one):
                yield Found(one.start, one.end, name, Surety.POSSIBLE)

    def _apart(self, found: list[Found]) -> list[Found]:
        """Of finds that overlap, the one that has a form of its own; of two such the longer, then the first kind."""
        last = len(self._rank)
        found.sort(key=lambda one: (one.id not in self._rank, one.start - one.end, self._rank.get(one.id, last)))
        kept: list[Found] = []
        taken: list[tuple[int, int]] = []
        for one in found:
            place = bisect_right(taken, (one.start, one.end))
            before = place > 0 and taken[place - 1][1] > one.start
            after = place < len(taken) and taken[place][0] < one.end
            if not before and not after:
                taken.insert(place, (one.start, one.end))
                kept.append(one)
        kept.sort(key=lambda one: one.start)
        return kept


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Where the runs stand. What is no ASCII counts as one more letter; a table and two searches are all it takes."""
    mapped = text.encode("ascii", "replace").translate(_CLASSES)
    start = mapped.find(_LONG)
    while start >= 0:
        end = mapped.find(b" ", start + RUN)
        end = len(mapped) if end < 0 else end
        yield start, end
        start = mapped.find(_LONG, end)


def _at_keywords(text: str, word: str, one: Kind) -> Iterator[tuple[int, int, Surety]]:
    group = "secret" if "secret" in one.pattern.groupindex else 0
    at = text.find(word)
    done = 0
    while at >= 0:
        if one.back and not one.fixed:
            match = one.pattern.search(text, max(at - one.back, done), at + _REACH)
            if match is not None and match.start() > at:
                match = None
        else:
            match = one.pattern.match(text, at - one.back) if at >= one.back else None
        ahead = at + len(word)
        if match is not None:
            start, end = match.span(group)
            surety = one.judge(text[start:end])
            if surety is not None:
                yield start, end, surety
            ahead = done = max(match.end(), ahead)
        at = text.find(word, ahead)


def _is_shown(text: str, start: int) -> bool:
    """Whether a word on the line says that a token whose checksum is wrong is only shown."""
    before = text.rfind("\n", max(start - _LINE, 0), start)
    after = text.find("\n", start, start + _LINE)
    line = text[before + 1 if before >= 0 else max(start - _LINE, 0) : after if after >= 0 else start + _LINE]
    return _EXEMPLARY.search(line) is not None


def _is_url(text: str, one: Assigned) -> bool:
    """Whether the name is the user of a URL, whose password has a kind of its own."""
    return text.startswith("//", one.start) or (
        text[one.end : one.end + 1] == "@" and "://" in text[max(one.start - 80, 0) : one.start]
    )


def _lower(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else character
