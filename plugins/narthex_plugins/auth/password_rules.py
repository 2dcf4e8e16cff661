"""What a new password may be.

Length, and that nobody would guess it first: no rule asks for capitals, digits or signs (ASVS 5.0 6.2.5), because they
make passwords that are hard to remember and no harder to guess. What is refused:

- fewer than `min_length` characters, not counting the words that an attacker tries first: the user's name and the
  service's (ASVS 6.2.11);
- more than 256, which is a bound on the work and not a rule;
- one of the 5,000 most common passwords of eight and more characters (ASVS 6.2.4 asks for 3,000), also in capitals and
  with digits and signs around it;
- one or two characters again and again;
- one that was in a breach, where the operator has a file of those (ASVS 6.2.12).
"""

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Final

from narthex_plugins.auth.account_settings import LONGEST_PASSWORD
from narthex_plugins.auth.breached import Breaches
from narthex_plugins.auth.passwords import normal

_SHORTEST_WORD: Final = 3
_AROUND: Final = "0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ "


class PasswordRefused(Exception):
    """A password that may not be set; its text says why, to the person who chose it."""


def check_new(password: str, *, min_length: int, words: Iterable[str] = (), breaches: Breaches | None = None) -> None:
    """Let a new password pass that nobody would guess first.

    Args:
        password: as it was typed.
        min_length: characters that it has at least, beside the words.
        words: names of the user and the service; parts of three and more characters count.
        breaches: what is known of them, where anything is.

    Raises:
        PasswordRefused: with the reason, in which the password is not repeated.
        DependencyError: nobody can say whether it was in a breach.
    Cost: microseconds; with a file of breaches, some reads of the disk.
    """
    secret = normal(password)
    if secret is None:
        raise PasswordRefused(f"a password has at most {LONGEST_PASSWORD} characters, which can all be written as text")
    text = secret.decode().casefold()
    if len(secret.decode()) < min_length:
        raise PasswordRefused(f"a password has at least {min_length} characters")
    if text in common() or text.strip(_AROUND) in common():
        raise PasswordRefused("this is one of those that are tried first")
    if len(set(text)) <= 2:
        raise PasswordRefused("this is the same character again and again")
    if len(_without(text, words)) < min_length:
        raise PasswordRefused(f"beside the user's and the service's name there are fewer than {min_length} characters")
    if breaches is not None and breaches.holds(password):
        raise PasswordRefused("this one was in a breach, so that those who guess have it")


def _without(text: str, words: Iterable[str]) -> str:
    """The text without the words; the longest are taken out first."""
    parts = {part for word in words for part in (word.casefold(), *re.split(r"[\W_]+", word.casefold()))}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _SHORTEST_WORD:
            text = text.replace(part, "")
    return text


@cache
def common() -> frozenset[str]:
    """The most common passwords, in small letters; read when first needed."""
    text = files("narthex_plugins.auth").joinpath("common-passwords.txt").read_text("utf-8")
    return frozenset(text.split())
