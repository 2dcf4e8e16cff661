"""Make the tables of logs, keys, segments, chains, checkpoints and pseudonyms; and what refuses changes to them.

The tables of records are made while the plugin runs, one for each segment; going back takes them away too.
"""

import sqlalchemy as sa
from alembic import op

revision = "audit_0001"
down_revision = None
branch_labels = None
depends_on = None

_KEPT = ("audit_logs", "audit_keys", "audit_segments", "audit_chains", "audit_checkpoints")


def upgrade() -> None:
    op.create_table(
        "audit_logs",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("log", sa.String(32), nullable=False),
        sa.Column("started", sa.String(32), nullable=False),
    )
    op.create_table(
        "audit_keys",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("public", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
    )
    op.create_table(
        "audit_segments",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("relation", sa.Integer, nullable=False, unique=True),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("frontier", sa.LargeBinary, nullable=False),
        sa.Column("opened", sa.String(32), nullable=False),
    )
    op.create_table(
        "audit_chains",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("chain", sa.String(32), primary_key=True),
        sa.Column("segment", sa.Integer, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
    )
    op.create_index("audit_chains_segment", "audit_chains", ["instance", "segment"])
    op.create_table(
        "audit_checkpoints",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("frontier", sa.LargeBinary, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("audit_checkpoints_size", "audit_checkpoints", ["instance", "size"])
    op.create_table(
        "audit_subjects",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("subject", sa.LargeBinary, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "audit_pseudonyms",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("pseudonym", sa.String(64), primary_key=True),
        sa.Column("subject", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("search", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_index("audit_pseudonyms_subject", "audit_pseudonyms", ["instance", "subject"])
    op.create_index("audit_pseudonyms_search", "audit_pseudonyms", ["instance", "search"])
    op.create_table(
        "audit_published",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("place", sa.String(500), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
    )
    op.create_table(
        "audit_heard",
        sa.Column("instance", sa.String(100), primary_key=True),
        sa.Column("key", sa.String(300), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
    )
    _guard()


def _guard() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    if not sqlite:
        op.execute(
            "CREATE FUNCTION narthex_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'what is in % is never changed', TG_TABLE_NAME"
            " USING ERRCODE = 'insufficient_privilege'; END $$"
        )
    for table in _KEPT:
        if sqlite:
            refuse = f"SELECT RAISE(ABORT, 'what is in {table} is never changed')"
            for event in ("UPDATE", "DELETE"):
                name = f"{table}_no_{event.lower()}"
                op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} BEGIN {refuse}; END")
        else:
            does = f"ON {table} FOR EACH STATEMENT EXECUTE FUNCTION narthex_audit_refuse()"
            op.execute(f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE OR TRUNCATE {does}")


def downgrade() -> None:
    bind = op.get_bind()
    for relation in bind.execute(sa.text("SELECT relation FROM audit_segments")).scalars().all():
        op.execute(f"DROP TABLE IF EXISTS audit_records_{int(relation)}")
    op.drop_table("audit_heard")
    op.drop_table("audit_published")
    op.drop_table("audit_pseudonyms")
    op.drop_table("audit_subjects")
    for table in reversed(_KEPT):
        op.drop_table(table)
    if bind.dialect.name != "sqlite":
        op.execute("DROP FUNCTION narthex_audit_refuse()")
