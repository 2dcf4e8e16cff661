"""Make the logs of durable and of transient topics, and the table of facts that were told."""

import sqlalchemy as sa
from alembic import op

revision = "events_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "events_kept",
        sa.Column("log", sa.String(200), primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("mark", sa.String(8), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("topic", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("events_kept_at", "events_kept", ["log", "at"])
    op.create_table(
        "events_passing",
        sa.Column("log", sa.String(200), primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("origin", sa.String(32), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("topic", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("events_passing_at", "events_passing", ["log", "at"])
    op.create_table(
        "events_told",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("fact", sa.String(300), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("events_told_at", "events_told", ["instance", "at"])


def downgrade() -> None:
    op.drop_table("events_told")
    op.drop_table("events_passing")
    op.drop_table("events_kept")
