"""Roles and permissions out of a foreign token's claims: which claims hold them, and what their words mean here."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from narthex_plugins.auth.strict import is_list, is_object

_UNFIT: Final = re.compile(r"[\s,\x00-\x1f\x7f-\x9f]")
"""What no word of ours holds: lists of words are written with spaces and commas in many places."""


def steps_of(path: str | Sequence[str]) -> tuple[str, ...]:
    """The names that lead to a claim: "realm_access.roles" is two, a list is what it is."""
    return tuple(path.split(".")) if isinstance(path, str) else tuple(path)


def words_at(claims: Mapping[str, object], path: Sequence[str]) -> list[str]:
    """The words that stand at a place in the claims.

    Args:
        claims: of a verified token.
        path: names, from the outside in.

    Returns:
        The texts of a list as they are, or the words of a text; none where something else stands there, or nothing.
    """
    value: object = claims
    for name in path:
        if not is_object(value) or name not in value:
            return []
        value = value[name]
    if isinstance(value, str):
        return value.split()
    return [one for one in value if isinstance(one, str)] if is_list(value) else []


class Words:
    """Takes one kind of word, roles or permissions, out of claims.

    Args:
        paths: where they stand.
        table: their words and ours; a word that is not in it is dropped. None: theirs are ours.
        always: words of ours that everybody has.
        wildcards: whether `*` may stand in a word that comes without a table.
    """

    def __init__(
        self,
        paths: Collection[str | Sequence[str]],
        table: Mapping[str, Collection[str]] | None,
        always: Collection[str] = (),
        *,
        wildcards: bool = False,
    ) -> None:
        self._paths = [steps_of(path) for path in paths]
        self._table = None if table is None else {theirs: frozenset(ours) for theirs, ours in table.items()}
        self._always = frozenset(always)
        self._wildcards = wildcards

    def of(self, claims: Mapping[str, object]) -> frozenset[str]:
        """The words, in our language."""
        theirs = {word for path in self._paths for word in words_at(claims, path)}
        if self._table is not None:
            return self._always.union(*(self._table.get(word, ()) for word in theirs))
        return self._always | {word for word in theirs if self._is_fit(word)}

    def _is_fit(self, word: str) -> bool:
        return bool(word) and not _UNFIT.search(word) and (self._wildcards or "*" not in word)
