"""Names of accounts: how they are compared, and which there may be."""

import re
import unicodedata
from typing import Final

LONGEST_NAME: Final = 128
"""Characters; folding makes at most three times as many bytes of the table's 255 of what people really use."""
_PUNCTUATION: Final = frozenset("!#$%&'*+-./=?@^_`{|}~:")
"""ASCII that stands in e-mail addresses and in names of other systems."""

_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
).match
"""Letters and marks that nobody sees (Default_Ignorable_Code_Point of Unicode): two names would look like one."""


def canonical(name: str) -> str | None:
    """The name as it is compared: case, width and composition of characters make no difference.

    Letters, marks and digits of any script, and what stands in e-mail addresses; no spaces, and nothing that cannot be
    seen. "Alice", "ALICE" and the same in full-width letters are one account.

    Returns:
        None for what cannot be anybody's name.

    Source: RFC 8265 §3.3 (UsernameCaseMapped), with NFKC and full case folding, which map more alike.
    """
    if not 0 < len(name) <= LONGEST_NAME:
        return None
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    fits = 0 < len(folded) <= LONGEST_NAME and all(_may_stand(one) for one in folded)
    return folded if fits else None


def _may_stand(character: str) -> bool:
    return character in _PUNCTUATION or (unicodedata.category(character)[0] in "LMN" and not _UNSEEN(character))
