"""Where the store is: what the file says, made absolute and checked, before anything is opened."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from uuid import uuid4

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from narthex.errors import ConfigError

Kind = Literal["memory", "sqlite", "postgresql"]
_FORMS: Final = 'write "memory", "sqlite:///narthex.db" or "postgresql://user@host/database"'


@dataclass(frozen=True, slots=True)
class Address:
    """A store that can be opened.

    Attributes:
        url: with the driver that is used; the password masks itself in `repr`.
        file: the database file of SQLite on disk, absolute, without symbolic links; None elsewhere.
    """

    kind: Kind
    url: URL
    file: Path | None = None

    def __str__(self) -> str:
        return "memory" if self.kind == "memory" else str(self.file or self.url.render_as_string(hide_password=True))


def parse(text: str, directory: Path) -> Address:
    """Understand `store`.

    Args:
        text: as in the file.
        directory: where a relative path starts.

    Raises:
        ConfigError: it is none of the known forms. The text is not repeated: it may hold a password.
    """
    if text == "memory":
        # SQLite's own shared memory file system: several connections, each transaction isolated, nothing on disk.
        query = {"vfs": "memdb", "uri": "true"}
        return Address("memory", URL.create("sqlite", database=f"file:/narthex-{uuid4().hex}", query=query))
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigError("the store's address cannot be read", hint=_FORMS) from None
    if url.drivername == "sqlite":
        if not url.database or url.database == ":memory:" or url.query:
            raise ConfigError("a SQLite store names a file, and nothing else", hint=_FORMS)
        # Without symbolic links, as SQLite has it: its log, our locks and the link's page stand beside the real file.
        file = Path(os.path.realpath(directory / url.database))
        return Address("sqlite", URL.create("sqlite", database=str(file)), file)
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        if not url.database:
            raise ConfigError("a PostgreSQL store names a database", hint=_FORMS)
        return Address("postgresql", url.set(drivername="postgresql+psycopg"))
    raise ConfigError(f"a store of kind {url.drivername!r} is not known", hint=_FORMS)
