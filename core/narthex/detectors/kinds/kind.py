"""A kind of secret as scanning looks for it: exactly, since each false alarm is somebody's time.

The detectors beside this package hide secrets in logs, and take more rather than less; here the form has to fit to the
character, the checksum has to come out where the issuer has one, and what only stands in for a secret is left alone.
"""

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from narthex.detectors.kinds.plausible import entropy, is_stand_in

SPAN: Final = 4096
"""Characters that a pattern may look at from where its keyword stands, but for private keys."""

Check = Callable[[str], bool]


class Surety(enum.StrEnum):
    """How sure a finding is."""

    CERTAIN = "certain"
    """Its checksum or its inner structure is right: nobody types that by chance."""
    LIKELY = "likely"
    """It has the form that its issuer publishes, and looks drawn by chance."""
    POSSIBLE = "possible"
    """A name or the text round it says so, or the checksum of an issuer who has one is wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of secret.

    Attributes:
        id: stable, lower case with hyphens: what exemptions and findings name it by.
        description: a short noun phrase for people.
        source: who publishes the form.
        keywords: one of them stands, as it is written here, in every such secret or right before it.
        pattern: matched where the keyword stands, or up to `back` characters before; the group `secret`, the whole
            match where there is none, is the secret. Every repeat is bounded or possessive.
        back: how many characters before the keyword a match may begin.
        fixed: whether it begins exactly so many before it.
        prefix: characters at the beginning that are the issuer's own.
        entropy: bits a character that the rest has at least; 0 where the form alone is enough.
        checksum: whether the checksum is right; the name of it is in `checked`. None where the kind has none.
        structure: what else has to be so.
        checked: what the checksum or the structure is, for people.
        whole: blanks, quotes or line breaks may stand in it; it is looked for in the whole text, the others only in
            runs of characters that tokens have.
    """

    id: str
    description: str
    source: str
    keywords: tuple[str, ...]
    pattern: re.Pattern[str]
    back: int = 0
    fixed: bool = False
    prefix: int = 0
    entropy: float = 0.0
    checksum: Check | None = None
    structure: Check | None = None
    checked: str = ""
    whole: bool = False

    def judge(self, secret: str) -> Surety | None:
        """How sure it is that this text, of the kind's form, is a secret; None where it is none. Bounded by SPAN."""
        if is_stand_in(secret, self.prefix) or (self.entropy and entropy(secret[self.prefix :]) < self.entropy):
            return None
        if self.structure is not None and not self.structure(secret):
            return None
        if self.checksum is not None:
            return Surety.CERTAIN if self.checksum(secret) else Surety.POSSIBLE
        return Surety.CERTAIN if self.structure is not None and self.checked else Surety.LIKELY


# A letter or digit before it makes it part of something longer, but for the one of an escape such as \n.
BEFORE: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
AFTER: Final = r"(?![A-Za-z0-9_])"


def kind(  # noqa: PLR0913  a table's columns
    id: str,  # noqa: A002  as the attribute
    description: str,
    source: str,
    keywords: str,
    pattern: str,
    entropy: float = 3.0,
    *,
    back: int = 0,
    fixed: bool = False,
    checksum: Check | None = None,
    structure: Check | None = None,
    checked: str = "",
    prefix: int | None = None,
    bare: bool = False,
    whole: bool = False,
) -> Kind:
    """A kind whose keywords stand in one text with blanks between, and which ends and begins at a boundary.

    `bare` patterns say themselves where they begin and end; without `prefix` the shortest keyword is the prefix.
    """
    words = tuple(keywords.split())
    form = pattern if bare else f"{BEFORE}(?:{pattern}){AFTER}"
    inner = prefix is None and (back or "(?P<secret>" in pattern)
    own = 0 if inner else min(map(len, words)) if prefix is None else prefix
    return Kind(
        id,
        description,
        source,
        words,
        re.compile(form, re.ASCII),
        back,
        fixed,
        own,
        entropy,
        checksum,
        structure,
        checked,
        whole,
    )
