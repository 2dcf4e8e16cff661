r"""One kind of secret, and how it is looked for.

Texts come from strangers, and the time to look through one must grow with its length and no faster. Python's `re`
promises nothing of the kind, so each pattern keeps two rules, to which a test holds it with a megabyte of every trap:

- No backtracking: repeats are of a fixed length, possessive (`++`), or lazy within an atomic group.
- No overlap: an attempt that fails has looked at a bounded number of characters, or only at such as the next attempt
  cannot begin in. A look-behind for the run's own alphabet sees to that: `(?<![\w-])` before `[\w-]++`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

RUN: Final = 16
"""Letters, digits, `_`, `+` and `-`, of which the secrets that stand for themselves have so many in a row."""


Check = Callable[[str], bool]


def always(secret: str) -> bool:  # noqa: ARG001  the signature of a check
    """Take whatever the pattern has found."""
    return True


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """A kind of secret.

    Attributes:
        id: stable, lower case with hyphens: what exemption lists and findings name it by.
        description: a short noun phrase for people.
        keywords: in lower case; one of them is in the lower-case form of every text that has such a secret, so that
            most texts are done with after a look for them. Empty: the pattern looks at everything.
        pattern: finds it; the group `secret` is what has to be hidden, the whole match where there is none.
        check: given what was found, says whether it is one: its digits, its checksum.
        run: letters, digits, `_`, `+` and `-` that every text with such a secret has in a row; 0 where it may be none.
    """

    id: str
    description: str
    keywords: tuple[str, ...]
    pattern: re.Pattern[str]
    check: Check = always
    run: int = RUN

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it stands in the text. Linear in the text's length."""
        group = "secret" if "secret" in self.pattern.groupindex else 0
        for found in self.pattern.finditer(text):
            start, end = found.span(group)
            if end > start and self.check(text[start:end]):
                yield start, end


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret in a text: `text[start:end]`. The text itself is not kept."""

    start: int
    end: int
    id: str


class Finder:
    """Looks for several kinds at once.

    Args:
        detectors: the kinds; where two find the very same text, the first names it.
    """

    def __init__(self, detectors: Iterable[Detector]) -> None:
        self.detectors = tuple(detectors)
        self._keyed = tuple((keyword, detector) for detector in self.detectors for keyword in detector.keywords)
        self._unkeyed = [detector for detector in self.detectors if not detector.keywords]

    def find(self, text: str) -> list[Finding]:
        """Every secret, in the order of their beginnings; they may overlap.

        Cost: 30 ns for each keyword and 60 characters, and a pass over the text for each detector whose keyword is
        in it.
        """
        lowered = text.lower()
        chosen = [detector for keyword, detector in self._keyed if keyword in lowered] + self._unkeyed
        found = [
            Finding(start, end, detector.id)
            for detector in dict.fromkeys(chosen)
            for start, end in detector.spans(text)
        ]
        found.sort(key=_beginning)
        return found


def _beginning(finding: Finding) -> int:
    return finding.start
