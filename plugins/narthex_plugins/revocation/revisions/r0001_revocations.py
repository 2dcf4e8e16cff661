"""Make the log of revocations and the table of those who read it."""

import sqlalchemy as sa
from alembic import op

revision = "revocation_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "revocation_log",
        sa.Column("log", sa.String(200), primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("cut", sa.Float, nullable=True),
        sa.Column("expires", sa.Float, nullable=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("by", sa.Text, nullable=True),
        sa.Column("reason", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("revocation_log_at", "revocation_log", ["log", "at"])
    op.create_table(
        "revocation_readers",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("seen", sa.BigInteger, nullable=False),
        sa.Column("page", sa.String(100), nullable=False),
        sa.Column("lease", sa.Float, nullable=False),
        sa.Column("doubt", sa.String(32), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("revocation_readers")
    op.drop_index("revocation_log_at", "revocation_log")
    op.drop_table("revocation_log")
