"""ASGI types and header access; the only casts of the house."""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Final

# ASGI dictionaries are open: each server and framework adds keys of its own, so their values have no one type.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[Any]]
"""An app returns nothing; one that does all the same is the server's to judge, so what it returns is passed on."""


class Headers(Mapping[str, str]):
    """Read-only header fields by case-insensitive name; repeats are kept.

    `headers["name"]` and `get` give the first value, `getlist` all of them in order, `raw` the pairs as they came.
    They are read when the object is made, about 1 µs for ten fields; only what is asked for is decoded.

    Attributes:
        index: lower-case name to first value, as bytes.
        names: every name in lower case, one a line: cheap to search for a prefix that is hardly ever there.
        repeated: whether any field came more than once.
    """

    __slots__ = ("index", "names", "raw", "repeated")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        fields: Sequence[tuple[bytes, bytes]] = raw if isinstance(raw, (list, tuple)) else list(raw)
        first = dict(fields)
        names = b"\n".join(first)
        lowered = names.lower()
        if names != lowered:  # ASGI wants lower case; a server that does not care must not hide a field
            first = dict(reversed([(name.lower(), value) for name, value in fields]))
        elif len(first) != len(fields):
            first = dict(reversed(fields))  # reversed: the first of several stays
        self.raw = fields
        self.index = first
        self.names = lowered
        self.repeated = len(first) != len(fields)

    def __getitem__(self, name: str) -> str:
        return self.index[name.lower().encode("latin-1")].decode("latin-1")

    def getlist(self, name: str) -> list[str]:
        """Every value of the field, in the order received."""
        key = name.lower().encode("latin-1")
        index = self.index
        if key not in index:
            return []
        if not self.repeated:
            return [index[key].decode("latin-1")]
        return [value.decode("latin-1") for field, value in self.raw if field.lower() == key]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower().encode("latin-1", "replace") in self.index

    def __iter__(self) -> Iterator[str]:
        return iter([name.decode("latin-1") for name in self.index])

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        # Values may be credentials: names only.
        return f"Headers({', '.join(self)})"


_name: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_value: Final = re.compile(rb"(?:[!-~\x80-\xff]+(?:[ \t]+[!-~\x80-\xff]+)*)?").fullmatch


def sendable(name: bytes, value: bytes) -> bool:
    """Whether a field can go on the wire: a token, and a value that no server refuses (RFC 9110 §5.1, §5.5).

    Servers answer 500, or split the response, where it is anything else.
    """
    return _name(name) is not None and _value(value) is not None
