"""What was found wrong, for people to take up."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "risk_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("observed", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("owner_role", sa.String(), nullable=True),
        sa.Column("owner_address", sa.LargeBinary(length=20), nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_seen_block", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_block", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.LargeBinary(length=20), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_block", sa.BigInteger(), nullable=True),
        sa.Column("resolved_by", sa.LargeBinary(length=20), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(acknowledged_at IS NULL) = (acknowledged_by IS NULL)", name=op.f("ck_risk_events_acknowledged_by_with_time")
        ),
        sa.CheckConstraint(
            "(state = 'RESOLVED') = (resolved_at IS NOT NULL)", name=op.f("ck_risk_events_resolved_at_when_resolved")
        ),
        sa.CheckConstraint("first_seen_block <= last_seen_block", name=op.f("ck_risk_events_seen_in_order")),
        sa.CheckConstraint("kind IN ('RECONCILIATION_BREAK', 'NAV_UNEXPLAINED')", name=op.f("ck_risk_events_kind_known")),
        sa.CheckConstraint("num_nonnulls(owner_role, owner_address) = 1", name=op.f("ck_risk_events_one_owner")),
        sa.CheckConstraint(
            "num_nonnulls(resolved_block, resolved_by) = CASE WHEN resolved_at IS NULL THEN 0 ELSE 1 END",
            name=op.f("ck_risk_events_resolved_by_check_or_person"),
        ),
        sa.CheckConstraint("octet_length(acknowledged_by) = 20", name=op.f("ck_risk_events_acknowledged_by_length")),
        sa.CheckConstraint("octet_length(owner_address) = 20", name=op.f("ck_risk_events_owner_address_length")),
        sa.CheckConstraint("octet_length(resolved_by) = 20", name=op.f("ck_risk_events_resolved_by_length")),
        sa.CheckConstraint(
            "owner_role IN ('viewer', 'operator', 'admin', 'super_admin')", name=op.f("ck_risk_events_owner_role_known")
        ),
        sa.CheckConstraint("severity IN ('WARNING', 'CRITICAL')", name=op.f("ck_risk_events_severity_known")),
        sa.CheckConstraint(
            "state <> 'ACKNOWLEDGED' OR acknowledged_at IS NOT NULL",
            name=op.f("ck_risk_events_acknowledged_at_when_acknowledged"),
        ),
        sa.CheckConstraint("state IN ('OPEN', 'ACKNOWLEDGED', 'RESOLVED')", name=op.f("ck_risk_events_status_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_risk_events")),
        schema="owned",
    )
    op.create_index("ix_risk_events_subject", "risk_events", ["kind", "subject"], unique=False, schema="owned")
    op.create_index(
        "uq_risk_events_unresolved",
        "risk_events",
        ["kind", "subject"],
        unique=True,
        schema="owned",
        postgresql_where="state <> 'RESOLVED'",
    )


def downgrade() -> None:
    op.drop_table("risk_events", schema="owned")
