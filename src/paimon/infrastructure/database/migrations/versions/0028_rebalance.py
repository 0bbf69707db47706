"""Rebalancing: each decision with its inputs and what came of it, and what is known of each condition."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0028_rebalance"
down_revision = "0027_stand_ins"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_TRIGGERS = "trigger IN ('liquidity', 'threshold', 'event', 'scheduled', 'manual')"
_STATUSES = (
    "status IN ('PROPOSED', 'SUBMITTED', 'EXECUTED', 'PARTIALLY_EXECUTED', 'NOT_EXECUTED', 'SUPERSEDED', 'REFUSED',"
    " 'NOTHING_TO_DO')"
)


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "rebalance_history",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("conditions", postgresql.JSONB(), nullable=False),
        sa.Column("calls", postgresql.JSONB(), nullable=False),
        sa.Column("requested_by", postgresql.BYTEA(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.Column("block_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=True),
        sa.Column("outcome", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint(_TRIGGERS, name=op.f("ck_rebalance_history_trigger_known")),
        sa.CheckConstraint(_STATUSES, name=op.f("ck_rebalance_history_status_known")),
        sa.CheckConstraint("octet_length(block_hash) = 32", name=op.f("ck_rebalance_history_block_hash_length")),
        sa.CheckConstraint("octet_length(requested_by) = 20", name=op.f("ck_rebalance_history_requested_by_length")),
        sa.CheckConstraint(
            "(status IN ('PROPOSED', 'SUBMITTED')) = (closed_at IS NULL)", name=op.f("ck_rebalance_history_closed_when_ended")
        ),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (close_reason IS NULL)", name=op.f("ck_rebalance_history_closed_with_reason")
        ),
        sa.CheckConstraint(
            "(status IN ('SUBMITTED', 'EXECUTED', 'PARTIALLY_EXECUTED', 'NOT_EXECUTED')) = (plan_id IS NOT NULL)",
            name=op.f("ck_rebalance_history_plan_when_submitted"),
        ),
        sa.CheckConstraint(
            "(status IN ('EXECUTED', 'PARTIALLY_EXECUTED')) = (outcome IS NOT NULL)",
            name=op.f("ck_rebalance_history_outcome_when_executed"),
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["ops.plans.id"], name=op.f("fk_rebalance_history_plan_id_plans")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rebalance_history")),
        sa.UniqueConstraint("plan_id", name=op.f("uq_rebalance_history_plan_id")),
        schema="ops",
    )
    op.create_index("ix_rebalance_history_created_at", "rebalance_history", ["created_at", "id"], schema="ops")
    op.create_index(
        "ix_rebalance_history_open",
        "rebalance_history",
        ["status"],
        schema="ops",
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "rebalance_triggers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("figure", sa.Numeric(78, 0), nullable=False),
        sa.Column("fires", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_armed", sa.Boolean(), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(_TRIGGERS, name=op.f("ck_rebalance_triggers_trigger_known")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rebalance_triggers")),
        schema="ops",
    )


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.drop_table("rebalance_triggers", schema="ops")
    op.drop_table("rebalance_history", schema="ops")
