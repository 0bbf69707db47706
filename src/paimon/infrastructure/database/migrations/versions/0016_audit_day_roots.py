"""The days whose roots are in the object storage, and when each entry of the audit trail was sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0016_audit_day_roots"
down_revision = "0015_prices"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.add_column("audit_entries", sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=True), schema="ops")
    op.create_check_constraint(
        op.f("ck_audit_entries_sealed_at_sealed"), "audit_entries", "sealed_at IS NULL OR position IS NOT NULL", schema="ops"
    )
    op.create_table(
        "audit_day_roots",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("size >= 1", name=op.f("ck_audit_day_roots_size_positive")),
        sa.CheckConstraint("octet_length(root) = 32", name=op.f("ck_audit_day_roots_root_length")),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_audit_day_roots")),
        schema="ops",
    )


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.execute("DROP TRIGGER IF EXISTS keep_sealed ON ops.audit_entries")  # it depends on the column; the rights make their own
    op.drop_table("audit_day_roots", schema="ops")
    op.drop_constraint(op.f("ck_audit_entries_sealed_at_sealed"), "audit_entries", schema="ops")
    op.drop_column("audit_entries", "sealed_at", schema="ops")
