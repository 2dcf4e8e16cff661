"""The plugin's tables, those of accounts first. Their migrations are in `revisions`."""

from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from narthex.store import Tables, log_columns

metadata: Final = MetaData()


def _instance() -> Column[Any]:
    return Column("instance", String(100), primary_key=True, comment="the plugin's, of which there may be several")


users: Final = Table(
    "auth_users",
    metadata,
    _instance(),
    Column("subject", String(32), primary_key=True, comment="never given to anybody else, never changed"),
    Column("name", String(255), nullable=False, comment="as it was written"),
    Column("canonical", String(255), nullable=False, comment="as it is compared"),
    Column("password", String(255), nullable=True, comment="an Argon2id hash in PHC form; NULL: nobody can log in"),
    Column("password_set", Float, nullable=True, comment="seconds since the epoch, UTC"),
    Column("password_until", Float, nullable=True, comment="when a drawn password runs out; NULL: never"),
    Column("roles", Text, nullable=False, comment="a JSON list of words"),
    Column("permissions", Text, nullable=False, comment="a JSON list of words"),
    Column("disabled", Boolean, nullable=False),
    Column("created", Float, nullable=False, comment="seconds since the epoch, UTC"),
    UniqueConstraint("instance", "canonical", name="auth_users_canonical"),
)

attempts: Final = Table(
    "auth_attempts",
    metadata,
    _instance(),
    Column("key", String(64), primary_key=True, comment="SHA-256 of what is counted: people type passwords as names"),
    Column("failures", Integer, nullable=False),
    Column("last", Float, nullable=False, comment="the last failure, seconds since the epoch, UTC"),
    Column("trusted_until", Float, nullable=False, comment="the account has logged in from this address; 0: never"),
    Column("expires", Float, nullable=False, comment="from when on the row says nothing any more"),
    Index("auth_attempts_expires", "expires"),
)
"""One row for each account, address and pair of them that has failed lately."""

account_changes: Final = Table(
    "auth_account_changes",
    metadata,
    *log_columns(),
    Column("at", Float, nullable=False, comment="seconds since the epoch, UTC"),
    Column("subject", String(32), nullable=False),
    Column("name", String(255), nullable=False),
    Column("change", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_with_rowid=False,
)
"""A rising log: what every process of the deployment tells its plugins of."""

keys: Final = Table(
    "auth_keys",
    metadata,
    _instance(),
    Column("kid", String(43), primary_key=True, comment="JWK thumbprint"),
    Column("algorithm", String(16), nullable=False),
    Column("sealed", LargeBinary, nullable=False, comment="PKCS #8 under AES-256-GCM"),
    Column("created", Float, nullable=False, comment="seconds since the epoch, UTC"),
    Column("signs_at", Float, nullable=False),
    Column("lifetime", Float, nullable=False, comment="longest life of a token it signed, seconds"),
)

sessions: Final = Table(
    "auth_sessions",
    metadata,
    _instance(),
    Column("id", String(22), primary_key=True),
    Column("subject", String(255), nullable=False),
    Column("created", Float, nullable=False, comment="seconds since the epoch, UTC"),
    Column("expires", Float, nullable=False),
    Column("last_seen", Float, nullable=False, comment="written at most once a minute"),
    Column("address", String(64), nullable=True),
    Column("agent", String(200), nullable=True),
    Column("methods", Text, nullable=False, comment="amr words, a JSON list"),
    Column("cookie", LargeBinary, nullable=True, comment="SHA-256 of the cookie's value"),
    Column("ended", Float, nullable=True),
    Column("reason", String(100), nullable=True),
    UniqueConstraint("instance", "cookie", name="auth_sessions_cookie"),
    Index("auth_sessions_subject", "instance", "subject"),
    Index("auth_sessions_expires", "instance", "expires"),
)

refresh_tokens: Final = Table(
    "auth_refresh_tokens",
    metadata,
    _instance(),
    Column("digest", LargeBinary, primary_key=True, comment="SHA-256 of the token"),
    Column("session", String(22), nullable=False),
    Column("expires", Float, nullable=False, comment="seconds since the epoch, UTC"),
    Column("used", Float, nullable=True, comment="when it was exchanged for its successor"),
    Column("successor", LargeBinary, nullable=True, comment="digest of the token it was exchanged for"),
    Column("sealed", LargeBinary, nullable=True, comment="the successor, which only this token opens; with grace only"),
    Index("auth_refresh_tokens_session", "instance", "session"),
    Index("auth_refresh_tokens_expires", "instance", "expires"),
)

ended: Final = Table(
    "auth_ended",
    metadata,
    *log_columns(),
    Column("session", String(22), nullable=False),
    Column("at", Float, nullable=False, comment="seconds since the epoch, UTC"),
    sqlite_with_rowid=False,
)
"""A rising log of sessions that were ended before their time."""

tables: Final = Tables("auth", metadata, "narthex_plugins.auth.revisions")
