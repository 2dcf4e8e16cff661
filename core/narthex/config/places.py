"""Where each setting was said: on which line of which file, or by which variable of the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from narthex.config.toml_lines import Line

KeyPath = tuple[str | int, ...]
"""Way to a setting from the top of the file: ("plugins", "access", "rules", 0, "path")."""

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Places:
    """Places of all settings of one source.

    Attributes:
        source: the file as it was named, or "" for a mapping made by a program.
        lines: the file's keys, or None without a file.
        variables: of the keys that the environment set, by which variable.
    """

    source: str = ""
    lines: Line | None = field(default=None, repr=False)
    variables: Mapping[KeyPath, str] = field(default_factory=lambda: MappingProxyType({}))

    def where(self, path: KeyPath) -> str:
        """Give "narthex.toml:12", "environment NARTHEX_STORE", or "" where nobody can say.

        Of a key that the file does not have, the line of the table it belongs to.
        """
        for length in range(len(path), 0, -1):
            variable = self.variables.get(path[:length])
            if variable:
                return f"environment {variable}"
        made = [variable for key, variable in self.variables.items() if key[: len(path)] == path]
        if made and len(path) > table_depth(path) and not (self.lines and self.lines.find(path)):
            return f"environment {made[0]}"
        return f"{self.source}:{self.line(path)}" if self.lines else self.source

    def line(self, path: KeyPath) -> int:
        """Line of the key, or of the nearest above it; 0 without a file."""
        return self.lines.nearest(path) if self.lines else 0


def key_text(path: KeyPath) -> str:
    """A key as people write it: `rules[0].path`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if _BARE.fullmatch(step) else quoted(step))
    return text


def table_depth(path: KeyPath) -> int:
    """How many steps of a path name its table: `narthex`, or `plugins.access`."""
    return 2 if path[:1] == ("plugins",) else 1


def setting_text(path: KeyPath) -> str:
    """A setting with its table: `[plugins.access] rules[0].path`."""
    depth = table_depth(path)
    table, key = path[:depth], path[depth:]
    return f"[{key_text(table)}] {key_text(key)}".strip() if table else ""


def quoted(text: str, limit: int = 60) -> str:
    """A text between double quotes, on one line, cut where it is long."""
    return f'"{printable(text if len(text) <= limit else f"{text[:limit]}…")}"'


def printable(text: str) -> str:
    """A text with its line ends and control characters escaped: it may reach a terminal or a log."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
