"""Core's own tables. Their migrations are in `narthex/store/migrations`."""

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Integer, MetaData, String, Table, Text

metadata: Final = MetaData()

counters: Final = Table(
    "narthex_counters",
    metadata,
    Column("name", String(200), primary_key=True, comment="of the log"),
    Column("value", BigInteger, nullable=False, comment="the highest version handed out"),
)
"""One row per rising log, taken inside the writing transaction: versions rise in the order of commits."""

members: Final = Table(
    "narthex_members",
    metadata,
    Column("id", String(32), primary_key=True, comment="made anew at each start of a process"),
    Column("node", String(255), nullable=False, comment="host name"),
    Column("pid", Integer, nullable=False),
    Column("boot", String(64), nullable=False, comment="the host's boot: its clock starts again with it"),
    Column("digest", String(64), nullable=False, comment="of the chain the process serves"),
    Column("seen", Text, nullable=False, comment="log name to the version seen, as JSON"),
    Column("beat", Float, nullable=False, comment="seconds, on the clock all members share"),
)
"""Who serves. A row whose beat is old belongs to a process that is gone."""
