"""The audit trail: its entries, and the subtrees and roots of its tree. Functions and triggers come with the rights."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013_audit_trail"
down_revision = "0012_api_keys"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("retention", sa.String(), nullable=False),
        sa.Column("actor", postgresql.BYTEA(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("payload_hash", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("leaf", postgresql.BYTEA(), nullable=True),
        sa.CheckConstraint("retention IN ('LOW', 'MEDIUM', 'HIGH')", name=op.f("ck_audit_entries_retention_known")),
        sa.CheckConstraint("outcome IN ('DONE', 'REFUSED')", name=op.f("ck_audit_entries_outcome_known")),
        sa.CheckConstraint("octet_length(actor) = 20", name=op.f("ck_audit_entries_actor_length")),
        sa.CheckConstraint("octet_length(payload_hash) = 32", name=op.f("ck_audit_entries_payload_hash_length")),
        sa.CheckConstraint("octet_length(leaf) = 32", name=op.f("ck_audit_entries_leaf_length")),
        sa.CheckConstraint("(position IS NULL) = (leaf IS NULL)", name=op.f("ck_audit_entries_sealed_whole")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
        schema="ops",
    )
    for name, columns, condition, unique in (
        ("uq_audit_entries_position", ["position"], "position IS NOT NULL", True),
        ("ix_audit_entries_unsealed", ["id"], "position IS NULL", False),
        ("ix_audit_entries_resource", ["resource", "id"], None, False),
        ("ix_audit_entries_actor", ["actor", "id"], "actor IS NOT NULL", False),
        ("ix_audit_entries_operation", ["operation", "id"], None, False),
        ("ix_audit_entries_expiring", ["retention", "at"], "payload IS NOT NULL", False),
    ):
        where = None if condition is None else sa.text(condition)
        op.create_index(op.f(name), "audit_entries", columns, unique=unique, schema="ops", postgresql_where=where)
    op.create_table(
        "audit_subtrees",
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("level >= 1", name=op.f("ck_audit_subtrees_level_above_leaves")),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_audit_subtrees_hash_length")),
        sa.PrimaryKeyConstraint("level", "index", name=op.f("pk_audit_subtrees")),
        schema="ops",
    )
    op.create_table(
        "audit_roots",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("size >= 1", name=op.f("ck_audit_roots_size_positive")),
        sa.CheckConstraint("octet_length(root) = 32", name=op.f("ck_audit_roots_root_length")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_roots")),
        schema="ops",
    )


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    for table in ("audit_roots", "audit_subtrees", "audit_entries"):
        op.drop_table(table, schema="ops")
