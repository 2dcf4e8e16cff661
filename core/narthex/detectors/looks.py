"""How a secret looks when no name stands beside it."""

import binascii
import re
from base64 import b64decode
from typing import Final

_SHORTEST: Final = 6
_LONG: Final = 24  # characters; few words have as many
_WINDOW: Final = 32
_CHANGES_OF_CHANCE: Final = 11  # neighbours of different classes; 32 random characters have 20, camelCase words 7
_PUNCTUATION: Final = re.compile(r"[^A-Za-z0-9]++")
_CLASSES: Final = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "a" * 26 + "A" * 26 + "0" * 10
)
_CHANGES: Final = re.compile(r"(?<=a)[A0]|(?<=A)[a0]|(?<=0)[aA]")


def is_random(run: str) -> bool:
    """Whether letters and digits are mixed as only chance mixes them. UUIDs, hex digests and camelCase names are not.

    One of two hundred random texts of 32 characters is missed, of 43 next to none. A long path does not hide one.
    """
    classes = _PUNCTUATION.sub("", run).translate(_CLASSES)
    if "A" not in classes or "a" not in classes or "0" not in classes:
        return False
    return any(_is_mixed(classes[start : start + _WINDOW]) for start in range(0, max(len(classes) - _WINDOW, 0) + 8, 8))


def _is_mixed(classes: str) -> bool:
    few = classes.count("A") < 2 or classes.count("a") < 2 or "0" not in classes
    return not few and len(_CHANGES.findall(classes)) >= _CHANGES_OF_CHANCE


def has_digit(text: str) -> bool:
    """Whether any digit is in it."""
    return any(character.isdigit() for character in text)


def is_no_word(text: str) -> bool:
    """Whether it is neither a word of prose nor a number: letters with digits, or capitals within."""
    bare = text.strip(".,:;!?'\"()[]<>`")
    mixed = any(character.isalpha() for character in bare) and has_digit(bare)
    within = bare[1:] != bare[1:].lower() and bare != bare.upper()
    return len(bare) >= _SHORTEST and (mixed or within or len(bare) >= _LONG)


def decoded(run: str) -> str:
    """The text that this is the base64 of, "" where it is of none: of twelve random bytes one in 100,000 is text."""
    plain = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        data = b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        text = data.decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return text if text.isprintable() else ""
