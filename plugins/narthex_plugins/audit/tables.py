"""The plugin's tables. Their migrations are in `revisions`; records lie in tables of their own (see `segments`).

Rows of `logs`, `keys`, `chains`, `segments` and `checkpoints` are put in and never changed: triggers refuse it.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from narthex.store import Tables

metadata: Final = MetaData()


def _instance() -> Column[Any]:
    return Column("instance", String(100), primary_key=True, comment="the plugin's, of which there may be several")


def _number(comment: str) -> Column[Any]:
    return Column("number", Integer, primary_key=True, autoincrement=False, comment=comment)


logs: Final = Table(
    "audit_logs",
    metadata,
    _instance(),
    Column("log", String(32), nullable=False, comment="drawn at random: no two logs are mixed up"),
    Column("started", String(32), nullable=False, comment="RFC 3339"),
)

keys: Final = Table(
    "audit_keys",
    metadata,
    _instance(),
    _number("from 1; the last one signs"),
    Column("public", LargeBinary, nullable=False, comment="Ed25519, 32 bytes"),
    Column("sealed", LargeBinary, nullable=False, comment="the private key under AES-256-GCM"),
    Column("created", String(32), nullable=False, comment="RFC 3339"),
)

segments: Final = Table(
    "audit_segments",
    metadata,
    _instance(),
    _number("from 1; records go into the last one"),
    Column("relation", Integer, nullable=False, unique=True, comment="its table is audit_records_<relation>"),
    Column("first", BigInteger, nullable=False, comment="position of its first record"),
    Column("frontier", LargeBinary, nullable=False, comment="of the Merkle tree over all records before it"),
    Column("opened", String(32), nullable=False, comment="RFC 3339"),
)
"""A segment ends where the next begins. Its table is gone once a signed checkpoint says that the log begins later."""

chains: Final = Table(
    "audit_chains",
    metadata,
    _instance(),
    Column("chain", String(32), primary_key=True),
    Column("segment", Integer, nullable=False),
    Column("description", Text, nullable=False, comment="canonical JSON; its hash is what the chain begins with"),
    Index("audit_chains_segment", "instance", "segment"),
)

checkpoints: Final = Table(
    "audit_checkpoints",
    metadata,
    _instance(),
    _number("from 1"),
    Column("size", BigInteger, nullable=False, comment="records that it covers, from the first there ever was"),
    Column("frontier", LargeBinary, nullable=False, comment="of the Merkle tree of this size; its root is signed"),
    Column("document", Text, nullable=False, comment="canonical JSON with the signature, as it is published"),
    Index("audit_checkpoints_size", "instance", "size"),
)

subjects: Final = Table(
    "audit_subjects",
    metadata,
    _instance(),
    Column("subject", LargeBinary, primary_key=True, comment="HMAC of who it is, under the log's own key"),
    Column("sealed", LargeBinary, nullable=False, comment="their key; without it nobody can say who they are"),
)

pseudonyms: Final = Table(
    "audit_pseudonyms",
    metadata,
    _instance(),
    Column("pseudonym", String(64), primary_key=True, comment="as it stands in records"),
    Column("subject", LargeBinary, nullable=False, comment="whose key it was made with"),
    Column("kind", String(16), nullable=False, comment="actor, session or address"),
    Column("search", LargeBinary, nullable=False, comment="HMAC of the value, under the log's own key"),
    Column("sealed", LargeBinary, nullable=False, comment="the value, under the subject's key"),
    Index("audit_pseudonyms_subject", "instance", "subject"),
    Index("audit_pseudonyms_search", "instance", "search"),
)

published: Final = Table(
    "audit_published",
    metadata,
    _instance(),
    Column("place", String(500), primary_key=True, comment="where checkpoints go"),
    Column("number", Integer, nullable=False, comment="of the last checkpoint that arrived there"),
)

heard: Final = Table(
    "audit_heard",
    metadata,
    _instance(),
    Column("key", String(300), primary_key=True, comment="of a fact that every process tells of"),
    Column("at", Float, nullable=False, comment="seconds since the epoch, UTC"),
)
"""Facts that are in the log, so that they are put there once; taken away after some days."""

KEPT: Final = ("audit_logs", "audit_keys", "audit_segments", "audit_chains", "audit_checkpoints")
"""Tables whose rows nobody changes or takes away."""

tables: Final = Tables("audit", metadata, "narthex_plugins.audit.revisions")
