"""The plugin's tables. Their migrations are in `revisions`."""

from typing import Any, Final

from sqlalchemy import Column, Float, Index, Integer, MetaData, String, Table, Text, text

from narthex.store import Tables

metadata: Final = MetaData()


def _instance() -> Column[Any]:
    return Column("instance", String(100), primary_key=True, comment="the plugin's, of which there may be several")


queue: Final = Table(
    "notifications_queue",
    metadata,
    _instance(),
    Column("id", String(32), primary_key=True, comment="begins with the time: in the order of the ids they were made"),
    Column("channel", String(60), nullable=False),
    Column("template", String(100), nullable=False),
    Column("data", Text, nullable=False, comment="JSON for the template; '{}' once it is sent"),
    Column("recipients", Text, comment="JSON, a list of addresses; NULL for the channel's own"),
    Column("dedup_key", String(200)),
    Column("request_id", String(200), comment="of the request that it came from"),
    Column("status", String(10), nullable=False),
    Column("created", Float, nullable=False, comment="seconds since the epoch, UTC"),
    Column("due", Float, comment="when it is to be taken next: a lease's end while it is sent; NULL once it is over"),
    Column("attempts", Integer, nullable=False, comment="begun so far"),
    Column("allowed", Integer, nullable=False, comment="attempts after which it is given up"),
    Column("lease", String(32), comment="of the worker that has it; who lost it writes nothing here"),
    Column("ended", Float, comment="when it was sent, given up or cancelled"),
    Column("error", String(500), nullable=False, comment="of the last attempt, or ''"),
    Index("notifications_queue_dedup", "instance", "channel", "dedup_key", unique=True),
    Index(
        "notifications_queue_due",
        "instance",
        "channel",
        "due",
        sqlite_where=text("due IS NOT NULL"),
        postgresql_where=text("due IS NOT NULL"),
    ),
    Index("notifications_queue_status", "instance", "status", "id"),
    Index("notifications_queue_channel", "instance", "channel", "id"),
    Index("notifications_queue_both", "instance", "channel", "status", "id"),
    Index("notifications_queue_ended", "instance", "status", "ended"),
)

attempts: Final = Table(
    "notifications_attempts",
    metadata,
    _instance(),
    Column("notification", String(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="from 1"),
    Column("started", Float, nullable=False, comment="seconds since the epoch, UTC"),
    Column("duration", Float, comment="seconds; NULL while it lasts, and where its worker died"),
    Column("outcome", String(10), comment="sent, failed, lost (its worker died); NULL while it lasts"),
    Column("code", Integer, comment="of the answer: an HTTP status, an SMTP reply"),
    Column("answer", String(500), nullable=False, comment="what the receiver said, shortened"),
    Column("error", String(500), nullable=False),
    Column("worker", String(100), nullable=False, comment="host:pid"),
)

gates: Final = Table(
    "notifications_gates",
    metadata,
    _instance(),
    Column("channel", String(60), primary_key=True),
    Column("arrival", Float, nullable=False, comment="theoretical arrival time of the rate limit, seconds"),
    Column("failures", Integer, nullable=False, comment="in a row"),
    Column("closed_until", Float, nullable=False, comment="nothing is sent before then: the circuit is open"),
)
"""What limits a channel over all processes."""

tables: Final = Tables("notifications", metadata, "narthex_plugins.notifications.revisions")
