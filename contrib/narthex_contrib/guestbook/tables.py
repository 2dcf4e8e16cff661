"""The plugin's table. Its migrations are in `revisions`."""

from typing import Final

from sqlalchemy import Column, Float, Integer, MetaData, String, Table

from narthex.store import Tables, log_columns

metadata: Final = MetaData()

visits: Final = Table(
    "guestbook_visits",
    metadata,
    *log_columns(),
    Column("at", Float, nullable=False, comment="seconds since the epoch, UTC"),
    Column("method", String(32), nullable=False),
    Column("path", String(2000), nullable=False),
    Column("status", Integer, nullable=True),
    Column("request_id", String(128), nullable=False),
    sqlite_with_rowid=False,
)

tables: Final = Tables("guestbook", metadata, "narthex_contrib.guestbook.revisions")
