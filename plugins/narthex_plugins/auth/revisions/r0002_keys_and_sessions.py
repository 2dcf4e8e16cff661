"""Make the tables of signing keys, sessions and refresh tokens."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0002"
down_revision = "auth_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "auth_keys",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("kid", sa.String(43), primary_key=True),
        sa.Column("algorithm", sa.String(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("signs_at", sa.Float, nullable=False),
        sa.Column("lifetime", sa.Float, nullable=False),
    )
    op.create_table(
        "auth_sessions",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("id", sa.String(22), primary_key=True),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
        sa.Column("last_seen", sa.Float, nullable=False),
        sa.Column("address", sa.String(64), nullable=True),
        sa.Column("agent", sa.String(200), nullable=True),
        sa.Column("methods", sa.Text, nullable=False),
        sa.Column("cookie", sa.LargeBinary, nullable=True),
        sa.Column("ended", sa.Float, nullable=True),
        sa.Column("reason", sa.String(100), nullable=True),
        sa.UniqueConstraint("instance", "cookie", name="auth_sessions_cookie"),
    )
    op.create_index("auth_sessions_subject", "auth_sessions", ["instance", "subject"])
    op.create_index("auth_sessions_expires", "auth_sessions", ["instance", "expires"])
    op.create_table(
        "auth_refresh_tokens",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("session", sa.String(22), nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
        sa.Column("used", sa.Float, nullable=True),
        sa.Column("successor", sa.LargeBinary, nullable=True),
        sa.Column("sealed", sa.LargeBinary, nullable=True),
    )
    op.create_index("auth_refresh_tokens_session", "auth_refresh_tokens", ["instance", "session"])
    op.create_index("auth_refresh_tokens_expires", "auth_refresh_tokens", ["instance", "expires"])
    op.create_table(
        "auth_ended",
        sa.Column("log", sa.String(200), primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("session", sa.String(22), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in ("auth_ended", "auth_refresh_tokens", "auth_sessions", "auth_keys"):
        op.drop_table(table)
