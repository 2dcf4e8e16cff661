"""What a plugin keeps in the store, and where the scripts are that make it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import MetaData

from narthex.errors import PluginError
from narthex.store.schema import metadata

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST: Final = 40
"""Characters of a name, so that its version table's name fits into PostgreSQL's 63 bytes."""


@dataclass(frozen=True, slots=True)
class Tables:
    """A plugin's tables, as its `tables` hook gives them.

    Two instances of a plugin share them: every table has an `instance` column.

    Args:
        name: the plugin class's `name`, not the instance's; at most 40 characters.
        metadata: the tables as the plugin's code of today uses them.
        revisions: the package that holds the Alembic revision scripts, "narthex_plugins.auth.revisions".

    Raises:
        PluginError: the name is not lower-case words joined by "-".
    """

    name: str
    metadata: MetaData
    revisions: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.name) > _LONGEST:
            hint = f'lower-case letters and digits, words joined by "-", at most {_LONGEST} characters'
            raise PluginError(f"tables cannot be called {self.name!r}", hint=hint)

    @property
    def version_table(self) -> str:
        """Alembic's version table of this plugin."""
        return f"narthex_version_{self.name.replace('-', '_')}"


CORE: Final = Tables("core", metadata, "narthex.store.revisions")
"""Core's own tables, which come before any plugin's."""


def with_core(given: Iterable[object]) -> tuple[Tables, ...]:
    """Core's tables, then those given, each name once.

    Raises:
        PluginError: what a hook gave is not `Tables`, or two plugins claim one name.
    """
    found: dict[str, Tables] = {CORE.name: CORE}
    for tables in given:
        if not isinstance(tables, Tables):
            raise PluginError(f"a `tables` hook gave a {type(tables).__name__}, not narthex.store.Tables")
        if found.setdefault(tables.name, tables) != tables:
            raise PluginError(f"two plugins have tables under the name {tables.name!r}")
    return tuple(found.values())
