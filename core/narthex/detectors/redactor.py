"""Takes secrets out of texts, at the price of a log line.

Most texts hold nothing that could be one, and that is seen at a glance: no mark behind which a value could stand, no
word such as "token", no sixteen letters and digits in a row. What is left is gone through by the labels first and then
by the detectors, once as it is and once with its escapes undone: percent, unicode, HTML.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from narthex.detectors.catalogue import DETECTORS
from narthex.detectors.detector import RUN, Detector, Finder, Finding
from narthex.detectors.labelled import find_labelled, names_secret
from narthex.detectors.looks import decoded
from narthex.detectors.names import Names

MASK: Final = "[redacted]"

_SHORTEST: Final = 4
_MARKS: Final = ("=", ":", '"', "'", "%", "<")
_WORDS: Final = (
    "oken", "assw", "assph", "ecret", "earer", "asic ", "ession", "ookie", "ode ", "otp", "pin ", "jwt",
    "redential", "key", " -",
)  # fmt: skip
_RUN: Final = re.compile(rf"[\w+-]{{{RUN}}}", re.ASCII)
_ESCAPE: Final = re.compile(
    r"%(?:25){0,3}+([2-7][0-9A-Fa-f])|\\{1,2}+u00([2-7][0-9A-Fa-f])|\\{1,2}+x([2-7][0-9A-Fa-f])"
    r"|&(?:amp;)?(quot|apos|amp|lt|gt|#34|#39|#x22|#x27);"
)
_ENTITIES: Final = {
    "quot": '"',
    "apos": "'",
    "amp": "&",
    "lt": "<",
    "gt": ">",
    "#34": '"',
    "#39": "'",
    "#x22": '"',
    "#x27": "'",
}
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*+[A-Za-z]")
_BASE64: Final = re.compile(r"(?<![\w+/-])[\w+/-]{16,}+={0,2}", re.ASCII)
_USER_AND_PASSWORD: Final = re.compile(r"[^\s:]{1,100}+:\S{4,}+")
# SQL parameters: SQLAlchemy shows them behind the statement, without their names.
_PARAMETERS: Final = re.compile(r"\[parameters: (?P<values>[^\n]*+)")


class Redactor:
    """Hides secrets in texts.

    Args:
        names: judges names; with further patterns of your own where there are any.
        detectors: the kinds that are looked for.
    """

    def __init__(self, names: Names | None = None, detectors: Iterable[Detector] = DETECTORS) -> None:
        self.names = names or Names()
        every = tuple(detectors)
        self._short = Finder(detector for detector in every if detector.run < RUN)
        self._every = Finder(every)

    def text(self, text: str, known: Sequence[str] = ()) -> str:
        """The text with every secret replaced by `[redacted]`, with the kind where its form gave it away.

        Args:
            text: anything; cut it before to what will be shown, since the cost grows with it.
            known: values that are secret by themselves, wherever they stand.

        Returns:
            The very same object where there is none.

        Cost: 1 µs for 60 characters of prose, 5 where it has labels, at most 1 µs a character for the worst.
        """
        if "\x1b" in text:
            text = _COLOURS.sub("", text)  # structlog and rich put them between a name and its value
        for value in known:
            if value in text:
                text = text.replace(value, MASK)
        if len(text) < _SHORTEST:
            return text
        longest = max(map(len, text.split()), default=0) >= RUN and _RUN.search(text) is not None
        if not (longest or _is_suspicious(text)):
            return text
        hidden = self._hide(text, longest=longest)
        if "%" in hidden or "\\" in hidden or "&" in hidden:
            plain = _ESCAPE.sub(_unescape, hidden)
            if plain is not hidden and plain != hidden:
                again = self._hide(plain, longest=True)
                return hidden if again == plain else again
        return hidden

    def names_secret(self, text: str) -> bool:
        """Whether any name in the text announces a secret."""
        return names_secret(text, self.names) or bool(self._short.find(f"{text} a1b2c3d4"))

    def _hide(self, text: str, *, longest: bool) -> str:
        found = [Finding(start, end, "") for start, end in find_labelled(text, self.names)]
        found += (self._every if longest else self._short).find(text)
        if "[parameters: " in text:
            found += [Finding(*match.span("values"), "") for match in _PARAMETERS.finditer(text)]
        if longest:
            found += self._in_base64(text)
        return _replace(text, found) if found else text

    def _in_base64(self, text: str) -> list[Finding]:
        """Runs that are the base64 of a text with a secret in it."""
        found: list[Finding] = []
        for run in _BASE64.finditer(text):
            inner = decoded(run[0])
            if inner and (_USER_AND_PASSWORD.fullmatch(inner) or self._every.find(inner) or self._labelled(inner)):
                found.append(Finding(*run.span(), "base64"))
        return found

    def _labelled(self, text: str) -> bool:
        return next(find_labelled(text, self.names), None) is not None


def _is_suspicious(text: str) -> bool:
    for mark in _MARKS:  # takes half as long as `any`
        if mark in text:
            return True
    lowered = text.lower()
    return next((True for word in _WORDS if word in lowered), False)


def _unescape(escape: re.Match[str]) -> str:
    """The character, but for white space: that would end a value early."""
    if escape[4]:
        return _ENTITIES[escape[4]]
    character = chr(int(escape[1] or escape[2] or escape[3], 16))
    return character if character.isprintable() and character != " " else escape[0]


def _beginning(finding: Finding) -> int:
    return finding.start


def _replace(text: str, found: list[Finding]) -> str:
    found.sort(key=_beginning)
    parts: list[str] = []
    done = 0
    for finding in found:
        if finding.start >= done:
            parts += (text[done : finding.start], f"[redacted:{finding.id}]" if finding.id else MASK)
        done = max(done, finding.end)
    parts.append(text[done:])
    return "".join(parts)
