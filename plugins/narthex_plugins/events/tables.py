"""The plugin's tables. Their migrations are in `revisions`."""

from typing import Final

from sqlalchemy import Column, Float, Index, MetaData, String, Table, Text

from narthex.store import Tables, log_columns

metadata: Final = MetaData()

kept: Final = Table(
    "events_kept",
    metadata,
    *log_columns(),
    Column("mark", String(8), nullable=False, comment="drawn at random: tells this log from one that was put back"),
    Column("at", Float, nullable=False, comment="seconds since the epoch, UTC"),
    Column("topic", String(200), nullable=False),
    Column("body", Text, nullable=False, comment="the event as JSON, without its id"),
    Index("events_kept_at", "log", "at"),
)
"""Rising logs of durable topics, one for each instance. A version is missing only below all that are there."""

passing: Final = Table(
    "events_passing",
    metadata,
    *log_columns(),
    Column("origin", String(32), nullable=False, comment="the process that published it, and has told its own clients"),
    Column("at", Float, nullable=False, comment="seconds since the epoch, UTC"),
    Column("topic", String(200), nullable=False),
    Column("body", Text, nullable=False, comment="the event as JSON"),
    Index("events_passing_at", "log", "at"),
)
"""Rising logs of transient topics, kept for a minute: by them the other processes hear of what one has published."""

told: Final = Table(
    "events_told",
    metadata,
    Column("instance", String(100), primary_key=True),
    Column("fact", String(300), primary_key=True, comment="something that every process tells of"),
    Column("at", Float, nullable=False, comment="seconds since the epoch, UTC"),
    Index("events_told_at", "instance", "at"),
)
"""Facts of the house that are in the log of durable topics, so that each is there once."""

tables: Final = Tables("events", metadata, "narthex_plugins.events.revisions")
"""Alembic revisions of the plugin events."""
