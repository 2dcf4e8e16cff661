"""Make the tables of the queue, the attempts and the channels' gates."""

import sqlalchemy as sa
from alembic import op

revision = "notifications_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notifications_queue",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("channel", sa.String(60), nullable=False),
        sa.Column("template", sa.String(100), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("recipients", sa.Text),
        sa.Column("dedup_key", sa.String(200)),
        sa.Column("request_id", sa.String(200)),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("due", sa.Float),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("allowed", sa.Integer, nullable=False),
        sa.Column("lease", sa.String(32)),
        sa.Column("ended", sa.Float),
        sa.Column("error", sa.String(500), nullable=False),
    )
    waiting = sa.text("due IS NOT NULL")
    op.create_index(
        "notifications_queue_due",
        "notifications_queue",
        ["instance", "channel", "due"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_index(
        "notifications_queue_dedup", "notifications_queue", ["instance", "channel", "dedup_key"], unique=True
    )
    op.create_index("notifications_queue_status", "notifications_queue", ["instance", "status", "id"])
    op.create_index("notifications_queue_channel", "notifications_queue", ["instance", "channel", "id"])
    op.create_index("notifications_queue_both", "notifications_queue", ["instance", "channel", "status", "id"])
    op.create_index("notifications_queue_ended", "notifications_queue", ["instance", "status", "ended"])
    op.create_table(
        "notifications_attempts",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("notification", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("started", sa.Float, nullable=False),
        sa.Column("duration", sa.Float),
        sa.Column("outcome", sa.String(10)),
        sa.Column("code", sa.Integer),
        sa.Column("answer", sa.String(500), nullable=False),
        sa.Column("error", sa.String(500), nullable=False),
        sa.Column("worker", sa.String(100), nullable=False),
    )
    op.create_table(
        "notifications_gates",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("channel", sa.String(60), primary_key=True),
        sa.Column("arrival", sa.Float, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("closed_until", sa.Float, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("notifications_gates")
    op.drop_table("notifications_attempts")
    op.drop_table("notifications_queue")
