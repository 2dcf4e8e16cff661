"""Make the table of visits."""

import sqlalchemy as sa
from alembic import op

revision = "guestbook_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guestbook_visits",
        sa.Column("log", sa.String(200), primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float, nullable=False, comment="seconds since the epoch, UTC"),
        sa.Column("method", sa.String(32), nullable=False),
        sa.Column("path", sa.String(2000), nullable=False),
        sa.Column("status", sa.Integer, nullable=True),
        sa.Column("request_id", sa.String(128), nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("guestbook_visits")
