"""Make the tables of accounts, of failed attempts and of what was changed."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "auth_users",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("subject", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("canonical", sa.String(255), nullable=False),
        sa.Column("password", sa.String(255), nullable=True),
        sa.Column("password_set", sa.Float, nullable=True),
        sa.Column("password_until", sa.Float, nullable=True),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("permissions", sa.Text, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.UniqueConstraint("instance", "canonical", name="auth_users_canonical"),
    )
    op.create_table(
        "auth_attempts",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last", sa.Float, nullable=False),
        sa.Column("trusted_until", sa.Float, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
    )
    op.create_index("auth_attempts_expires", "auth_attempts", ["expires"])
    op.create_table(
        "auth_account_changes",
        sa.Column("log", sa.String(200), primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("subject", sa.String(32), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("change", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("auth_account_changes")
    op.drop_index("auth_attempts_expires", "auth_attempts")
    op.drop_table("auth_attempts")
    op.drop_table("auth_users")
