"""The plugin's table. Its migrations are in `revisions`."""

from typing import Final

from sqlalchemy import Boolean, Column, Float, MetaData, String, Table

from narthex.store import Tables, log_columns

metadata: Final = MetaData()

grants: Final = Table(
    "access_grants",
    metadata,
    *log_columns(),
    Column("role", String(100), nullable=False),
    Column("permission", String(200), nullable=False, comment="words joined by :, * for one word"),
    Column("granted", Boolean, nullable=False, comment="false: withdrawn"),
    Column("at", Float, nullable=False, comment="seconds since the epoch, UTC"),
    Column("by", String(255), nullable=False, comment="the subject who did it"),
    sqlite_with_rowid=False,
)
"""A rising log of what was granted to roles and withdrawn again; what holds is what it adds up to."""

tables: Final = Tables("access", metadata, "narthex_plugins.access.revisions")
