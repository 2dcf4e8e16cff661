"""ASGI types and header access; the only casts of the house."""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from operator import itemgetter
from typing import Any, Final

# ASGI dictionaries are open: each server and framework adds keys of its own, so their values have no one type.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[Any]]
"""An app returns nothing; one that does all the same is the server's to judge, so what it returns is passed on."""


class Names:
    """The names of a request's fields: the same for all requests of one client, and of most.

    Attributes:
        first: each name, in lower case, to the place of its first field.
        repeated: whether any field came more than once.
        ours: whether any may be one of `x-narthex-*`, in whatever spelling.
        count: of the fields.
    """

    __slots__ = ("count", "first", "ours", "repeated")

    def __init__(self, names: Sequence[bytes]) -> None:
        self.first: dict[bytes, int] = {}
        for place, name in enumerate(names):
            self.first.setdefault(name.lower(), place)  # ASGI wants lower case; a server that does not care hides none
        self.count = len(names)
        self.repeated = len(self.first) != self.count
        self.ours = any(b"narthex" in name for name in self.first)


name_of: Final = itemgetter(0)
"""The name of a field."""
known_names: Final[dict[bytes, Names]] = {}
"""By the names, joined with line breaks. Whoever looks compares `count` too: see `names_of`."""
_MOST_NAMES: Final = 1024
_LONGEST_NAMES: Final = 1024
"""Lists of names that are remembered, and the longest in bytes: under 4 MB, whatever is asked."""


def names_of(fields: Sequence[tuple[bytes, bytes]]) -> Names:
    """The names of these fields, found out once for all requests that have them. Cost: 0.4 µs for ten."""
    joined = b"\n".join(map(name_of, fields))
    known = known_names.get(joined)
    # As many names as lines: none of them holds a line break, by which two lists could be joined to the same bytes.
    if known is not None and known.count == len(fields):
        return known
    names = Names([name for name, _ in fields])
    if len(joined) <= _LONGEST_NAMES and joined.count(b"\n") + 1 == names.count:
        if len(known_names) >= _MOST_NAMES:
            known_names.clear()  # somebody makes names up; the usual ones come back by themselves
        known_names[joined] = names
    return names


class Headers(Mapping[str, str]):
    """Read-only header fields by case-insensitive name; repeats are kept.

    `headers["name"]` and `get` give the first value, `getlist` all of them in order, `raw` the pairs as they came.
    Making one costs about half a microsecond for ten fields; only what is asked for is decoded.

    Attributes:
        raw: the pairs as they came.
        repeated: whether any field came more than once.
        ours: whether any field may be one of `x-narthex-*`, in whatever spelling; False is certain.
    """

    __slots__ = ("_first", "ours", "raw", "repeated")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self.raw: Sequence[tuple[bytes, bytes]]
        self.raw = fields = [*raw]  # a copy: an app may write to the list that came
        names = names_of(fields)
        self._first = names.first
        self.repeated = names.repeated
        self.ours = names.ours

    def first(self, name: bytes) -> bytes | None:
        """The first value of a field, as bytes; `name` in lower case. Cost: one look-up."""
        place = self._first.get(name)
        return None if place is None else self.raw[place][1]

    def __getitem__(self, name: str) -> str:
        return self.raw[self._first[name.lower().encode("latin-1")]][1].decode("latin-1")

    def getlist(self, name: str) -> list[str]:
        """Every value of the field, in the order received."""
        key = name.lower().encode("latin-1")
        place = self._first.get(key)
        if place is None:
            return []
        if not self.repeated:
            return [self.raw[place][1].decode("latin-1")]
        return [value.decode("latin-1") for field, value in self.raw if field.lower() == key]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower().encode("latin-1", "replace") in self._first

    def __iter__(self) -> Iterator[str]:
        return iter([name.decode("latin-1") for name in self._first])

    def __len__(self) -> int:
        return len(self._first)

    def __repr__(self) -> str:
        # Values may be credentials: names only.
        return f"Headers({', '.join(self)})"


_name: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_value: Final = re.compile(rb"(?:[!-~\x80-\xff]+(?:[ \t]+[!-~\x80-\xff]+)*)?").fullmatch

_sound_names: Final[set[bytes]] = set()
_MOST_SOUND: Final = 256


def sendable(name: bytes, value: bytes) -> bool:
    """Whether a field can go on the wire: a token, and a value that no server refuses (RFC 9110 §5.1, §5.5).

    Servers answer 500, or split the response, where it is anything else.
    """
    if name not in _sound_names:
        if _name(name) is None:
            return False
        if len(_sound_names) < _MOST_SOUND:  # plugins have a few, for good
            _sound_names.add(name)
    return value.isalnum() or _value(value) is not None
