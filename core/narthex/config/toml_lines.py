"""On which line of a TOML file each key stands.

`tomllib` gives values and no lines. This scanner gives lines and no values: it walks the same text, knows
just enough of the grammar to find where keys and values begin and end, and leaves every judgement to `tomllib`,
which has accepted the text before. The result is a tree of the file's keys, so that time and memory grow with
the length of the file and not with the depth of its keys; nesting costs no recursion.

Of a table, the line is that of its `[header]`; where it has none (`a.b = 1` makes `a`), that of the first key
that makes it. Of an array of tables, that of its first header; of its elements, each its own. Inside arrays
and inline tables every element has its own line too.

Source: TOML 1.0.0, https://toml.io/en/v1.0.0; newlines in inline tables (TOML 1.1) are read as well.
"""

import contextlib
import re
import tomllib
from dataclasses import dataclass, field
from typing import Final

_BLANK: Final = re.compile(r"[ \t]*+")
_BLANK_LINES: Final = re.compile(r"(?:[ \t\n]++|#[^\n]*+)*+")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]++")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}'
    r"|'''(?:[^']++|'(?!''))*+'{3,5}"
    r'|"(?:[^"\\\n]++|\\.)*+"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
_OTHER_SCALAR: Final = re.compile(r"[^,\]}#\n]++")


@dataclass(slots=True)
class Line:
    """A key of the file, where it stands, and the keys below it.

    Attributes:
        number: line of the file, from 1.
        below: keys of a table, or 0, 1, 2... of an array.
        array: whether `below` counts elements.
    """

    number: int
    below: "dict[str | int, Line]" = field(default_factory=lambda: {})  # noqa: PIE807  dict would lose the types
    array: bool = False

    def child(self, step: str | int, number: int) -> "Line":
        """The key below, made on that line unless it is there already."""
        found = self.below.get(step)
        if found is None:
            found = self.below[step] = Line(number)
        return found

    def append(self, number: int) -> "Line":
        """One more element of an array."""
        return self.child(len(self.below), number)

    def latest(self) -> "Line":
        """What a header that names this key goes on from: of an array of tables, its last element."""
        # An array that has keys as well is not TOML; then any answer will do.
        return self.below.get(len(self.below) - 1, self) if self.array else self

    def find(self, path: tuple[str | int, ...]) -> "Line | None":
        """The key at `path`, or None where the file does not have it."""
        here: Line | None = self
        for step in path:
            here = here.below.get(step) if here else None
        return here

    def nearest(self, path: tuple[str | int, ...]) -> int:
        """Line of the key at `path`, or of the nearest key above it that the file has."""
        here = self
        for step in path:
            found = here.below.get(step)
            if found is None:
                break
            here = found
        return here.number


class _LostError(Exception):
    """The text is not the TOML this scanner knows."""


class _Scanner:
    """Position in the text, and the line it is on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.line = 1

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def take(self, pattern: re.Pattern[str]) -> str:
        """Move behind what the pattern matches here, counting the lines in it."""
        match = pattern.match(self.text, self.position)
        if match is None:
            raise _LostError
        self.line += self.text.count("\n", self.position, match.end())
        self.position = match.end()
        return match.group()

    def expect(self, mark: str) -> None:
        if not self.text.startswith(mark, self.position):
            raise _LostError
        self.position += len(mark)

    def key(self) -> list[str]:
        """Read a key, dotted or not, and the blanks round it."""
        parts: list[str] = []
        while True:
            self.take(_BLANK)
            quoted = self.peek() in {'"', "'"}
            token = self.take(_STRING if quoted else _BARE_KEY)
            parts.append(_unquoted(token) if quoted else token)
            self.take(_BLANK)
            if self.peek() != ".":
                return parts
            self.position += 1


def _unquoted(token: str) -> str:
    if token[0] == "'" or "\\" not in token:
        return token[1:-1]
    return str(tomllib.loads(f"key = {token}")["key"])


def locate(text: str) -> Line:
    """Find the line of every key of a TOML document.

    Args:
        text: a document that `tomllib` accepts. Of any other, the keys up to the first surprise are found.

    Returns:
        the document itself: line 1, with its keys below.

    Cost: one pass; about 10 MB/s.
    """
    root = Line(1)
    scanner = _Scanner(text.replace("\r\n", "\n"))
    with contextlib.suppress(_LostError, tomllib.TOMLDecodeError):  # beyond this point the nearest key answers
        _document(scanner, root)
    return root


def _document(scanner: _Scanner, root: Line) -> None:
    table = root
    while True:
        scanner.take(_BLANK_LINES)
        mark = scanner.peek()
        if not mark:
            return
        if mark == "[":
            table = _header(scanner, root)
        else:
            _value(scanner, _assigned(scanner, table))


def _header(scanner: _Scanner, root: Line) -> Line:
    """Read `[a.b]` or `[[a.b]]`, and give the table that the keys below it belong to."""
    line = scanner.line
    many = scanner.text.startswith("[[", scanner.position)
    scanner.position += 2 if many else 1
    *parents, last = scanner.key()
    scanner.expect("]]" if many else "]")
    table = root
    for part in parents:
        table = table.child(part, line).latest()
    table = table.child(last, line)
    if many:
        table.array = True
        return table.append(line)
    table.number = line  # `[a.b]` before `[a]` made `a` in passing; its own header is the better line
    return table


def _assigned(scanner: _Scanner, table: Line) -> Line:
    """Read `a.b =`, and give the key that the value behind it belongs to."""
    line = scanner.line
    for part in scanner.key():
        table = table.child(part, line)
    scanner.expect("=")
    scanner.take(_BLANK)
    return table


def _value(scanner: _Scanner, key: Line) -> None:
    """Read one value, with all that arrays and inline tables in it hold."""
    inside: list[Line] = []
    _begin(scanner, key, inside)
    while inside:
        scanner.take(_BLANK_LINES)
        mark = scanner.peek()
        if mark == ",":
            scanner.position += 1
        elif mark in {"]", "}"}:
            scanner.position += 1
            inside.pop()
        elif inside[-1].array:
            _begin(scanner, inside[-1].append(scanner.line), inside)
        else:
            _begin(scanner, _assigned(scanner, inside[-1]), inside)


def _begin(scanner: _Scanner, key: Line, inside: list[Line]) -> None:
    """Read a scalar, or step into an array or inline table."""
    mark = scanner.peek()
    if mark in {"[", "{"}:
        scanner.position += 1
        key.array = mark == "["
        inside.append(key)
    else:
        scanner.take(_STRING if mark in {'"', "'"} else _OTHER_SCALAR)
