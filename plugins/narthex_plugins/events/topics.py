"""Topics and patterns over them: words joined by dots, `*` for one word, `>` at the end for one or more."""

import re
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 200
"""Characters of a topic or a pattern."""
_WORD: Final = r"[A-Za-z0-9_-]+"
_TOPIC: Final = re.compile(rf"{_WORD}(\.{_WORD})*", re.ASCII)
_PATTERN: Final = re.compile(rf"(({_WORD}|\*|\{{[a-z_]+\}})\.)*({_WORD}|\*|>|\{{[a-z_]+\}})", re.ASCII)
_LITERAL, _ONE, _REST, _END = range(4)


def is_topic(text: str) -> bool:
    """Whether it is a topic: letters, digits, `_` and `-` in words joined by dots, at most 200 characters."""
    return len(text) <= LONGEST and _TOPIC.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which topics are meant. Two patterns with the same words are equal.

    Attributes:
        words: literal ones, "*", "{name}" and, at the end, ">".
    """

    words: tuple[str, ...]

    @classmethod
    def read(cls, text: str, *, names: bool = False) -> "Pattern":
        """Read `canvas.*`, `canvas.>` or `canvas.{collection}.saved`.

        Args:
            text: as somebody wrote it.
            names: whether a word may have a name; it stands for one word, as `*` does.

        Raises:
            ValueError: it is no pattern; says what to write.
        """
        if len(text) > LONGEST or not _PATTERN.fullmatch(text) or ("{" in text and not names):
            raise ValueError("a pattern is words joined by dots, * for one of them, > at the end for all that follow")
        return cls(tuple(text.split(".")))

    @property
    def exact(self) -> bool:
        """Whether it means one topic."""
        return all(_kind(word) == _LITERAL for word in self.words)

    @property
    def width(self) -> tuple[int, ...]:
        """Of two patterns that match one topic the narrower one has the smaller width, compared from the left."""
        return (*map(_kind, self.words), _END)

    def matches(self, topic: tuple[str, ...]) -> bool:
        """Whether a topic, as its words, is meant."""
        return self._meets(topic)

    def meets(self, other: "Pattern") -> bool:
        """Whether some topic is meant by both."""
        return self._meets(other.words)

    def named(self, topic: tuple[str, ...]) -> dict[str, str]:
        """What the named words are in a topic that matches."""
        return {word[1:-1]: given for word, given in zip(self.words, topic, strict=False) if word.startswith("{")}

    def _meets(self, other: tuple[str, ...]) -> bool:
        for own, word in zip(self.words, other, strict=False):
            if own == ">" or word == ">":
                return True
            if _kind(own) == _LITERAL == _kind(word) and own != word:
                return False
        return len(self.words) == len(other)

    def __str__(self) -> str:
        return ".".join(self.words)


def _kind(word: str) -> int:
    if word == ">":
        return _REST
    return _ONE if word == "*" or word.startswith("{") else _LITERAL
