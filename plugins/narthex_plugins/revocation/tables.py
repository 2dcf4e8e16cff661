"""The plugin's tables. Their migrations are in `revisions`."""

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, MetaData, String, Table, Text

from narthex.store import Tables, log_columns

metadata: Final = MetaData()

revocations: Final = Table(
    "revocation_log",
    metadata,
    *log_columns(),
    Column("kind", String(16), nullable=False, comment="token, session, subject or issuer"),
    Column("name", Text, nullable=False, comment="jti, session id or subject; empty for an issuer"),
    Column("issuer", Text, nullable=False),
    Column("cut", Float, nullable=True, comment="what was issued before is refused; seconds since the epoch, UTC"),
    Column("expires", Float, nullable=True, comment="of a token"),
    Column("at", Float, nullable=False, comment="seconds since the epoch, UTC"),
    Column("by", Text, nullable=True, comment="who did it"),
    Column("reason", Text, nullable=False),
    Index("revocation_log_at", "log", "at"),
    sqlite_with_rowid=False,
)
"""A rising log: what was revoked, and its history."""

readers: Final = Table(
    "revocation_readers",
    metadata,
    Column("instance", String(100), primary_key=True, comment="the plugin's, of which there may be several"),
    Column("id", String(32), primary_key=True, comment="made anew at each start of a process"),
    Column("seen", BigInteger, nullable=False, comment="version up to which it has said that it knows"),
    Column("page", String(100), nullable=False, comment="names the memory by which it sees changes at once"),
    Column("lease", Float, nullable=False, comment="seconds"),
    Column("doubt", String(32), nullable=False, comment="who wants to know whether it lives; empty: nobody"),
)
"""The processes that go by the log. A revoke call waits for those that have not seen it."""

tables: Final = Tables("revocation", metadata, "narthex_plugins.revocation.revisions")
