"""Emergencies and drills with their timeline, and the risk event of one that runs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030_emergencies"
down_revision = "0029_rebalance_deviation"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_KINDS_BEFORE = (
    *("RECONCILIATION_BREAK", "NAV_UNEXPLAINED", "LOW_GAS", "FINALITY_LAG", "FINAL_BLOCK_CHANGED", "ORPHANED_EFFECT"),
    *("CHAIN_BEHIND", "EFFECT_UNKNOWN", "UNSIGNED_MOVEMENT", "UNSIGNED_GRANT", "SPLIT_REDEMPTIONS", "DUST_REDEMPTIONS"),
    *("INDICATOR_BREACH", "RISK_LEVEL", "PRICE_UNTRUSTED", "USDT_OFF_PARITY", "INVALID_VOTE", "UNSIGNED_POLICY"),
    *("TICKET_VOID", "UNAPPROVED_EXECUTION", "CONTRACT_CHANGED", "VALUATION_FAILED", "LIQUIDITY_SHORTAGE"),
    "REBALANCE_DEVIATION",
)
_ADDED = "EMERGENCY"
_STATES = "state IN ('ARMED', 'DECLARED', 'CONTAINING', 'FREEING', 'STABLE', 'LEAVING', 'CLOSED', 'STOOD_DOWN')"
_ENTRIES = (
    "kind IN ('DRILL_STARTED', 'STATE', 'PROPOSED', 'SUBMITTED', 'SIGNED', 'DONE', 'DECLINED', 'PROPOSED_AGAIN', 'WITHDRAWN')"
)
_STEPS = (
    "step IN ('PAUSE_VAULT', 'PAUSE_REDEMPTIONS', 'OPEN_EXIT', 'FREE_LIQUIDITY', 'UNPAUSE_VAULT', 'UNPAUSE_REDEMPTIONS',"
    " 'CLOSE_EXIT')"
)


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "emergencies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("is_drill", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_by", postgresql.BYTEA(), nullable=True),
        sa.Column("evidence", postgresql.JSONB(), nullable=False),
        sa.Column("state_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("critical_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("steps", postgresql.JSONB(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("end_evidence", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint(_STATES, name=op.f("ck_emergencies_state_known")),
        sa.CheckConstraint("octet_length(started_by) = 20", name=op.f("ck_emergencies_started_by_length")),
        sa.CheckConstraint(
            "(state IN ('CLOSED', 'STOOD_DOWN')) = (ended_at IS NOT NULL)", name=op.f("ck_emergencies_ended_at_with_state")
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name=op.f("ck_emergencies_ended_with_reason")),
        sa.CheckConstraint("is_drill = (started_by IS NOT NULL)", name=op.f("ck_emergencies_drill_by_a_person")),
        sa.CheckConstraint("is_drill OR state <> 'ARMED'", name=op.f("ck_emergencies_only_drills_are_armed")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergencies")),
        schema="ops",
    )
    op.create_index(
        "uq_emergencies_open",
        "emergencies",
        [sa.text("(ended_at IS NULL)")],
        unique=True,
        schema="ops",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "emergency_timeline",
        sa.Column("emergency_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=True),
        sa.Column("actor", postgresql.BYTEA(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.CheckConstraint(_ENTRIES, name=op.f("ck_emergency_timeline_kind_known")),
        sa.CheckConstraint(_STEPS, name=op.f("ck_emergency_timeline_step_known")),
        sa.CheckConstraint("octet_length(actor) = 20", name=op.f("ck_emergency_timeline_actor_length")),
        sa.CheckConstraint("number > 0", name=op.f("ck_emergency_timeline_number_from_one")),
        sa.ForeignKeyConstraint(
            ["emergency_id"], ["ops.emergencies.id"], name=op.f("fk_emergency_timeline_emergency_id_emergencies")
        ),
        sa.PrimaryKeyConstraint("emergency_id", "number", name=op.f("pk_emergency_timeline")),
        schema="ops",
    )
    _replace_kinds((*_KINDS_BEFORE, _ADDED))


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    _require_none_kept()
    _replace_kinds(_KINDS_BEFORE)
    op.drop_table("emergency_timeline", schema="ops")
    op.drop_table("emergencies", schema="ops")


def _require_none_kept() -> None:
    """Refuse to revert: emergencies and their events are evidence, which no earlier version reads."""
    for table, condition in (("emergencies", "true"), ("risk_events", f"kind = '{_ADDED}'")):
        found = sa.text(f"SELECT EXISTS (SELECT FROM ops.{table} WHERE {condition})")  # noqa: S608
        if op.get_bind().execute(found).scalar():
            raise RuntimeError(f"ops.{table} has what emergencies left: no earlier version keeps it")


def _replace_kinds(kinds: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_risk_events_kind_known"), "risk_events", schema="ops")
    # Each row has met a check as strict as this one: reading them all again would hold the table's strongest lock.
    op.create_check_constraint(
        op.f("ck_risk_events_kind_known"), "risk_events", f"kind IN {kinds}", schema="ops", postgresql_not_valid=True
    )
