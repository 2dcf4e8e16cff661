"""The counters of rising logs, and who serves."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "narthex_counters",
        sa.Column("name", sa.String(200), primary_key=True, comment="of the log"),
        sa.Column("value", sa.BigInteger, nullable=False, comment="the highest version handed out"),
    )
    op.create_table(
        "narthex_members",
        sa.Column("id", sa.String(32), primary_key=True, comment="made anew at each start of a process"),
        sa.Column("node", sa.String(255), nullable=False, comment="host name"),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("boot", sa.String(64), nullable=False, comment="the host's boot: its clock starts again with it"),
        sa.Column("digest", sa.String(64), nullable=False, comment="of the chain the process serves"),
        sa.Column("seen", sa.Text, nullable=False, comment="log name to the version seen, as JSON"),
        sa.Column("beat", sa.Float, nullable=False, comment="seconds, on the clock all members share"),
    )


def downgrade() -> None:
    """Drop both."""
    op.drop_table("narthex_members")
    op.drop_table("narthex_counters")
