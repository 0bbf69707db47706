"""Tickets of plans, with what ends them, and their risk events."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019_plan_tickets"
down_revision = "0018_users_by_grants"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_STATUSES_BEFORE = ("PENDING", "PARTIALLY_APPROVED", "APPROVED", "REJECTED", "CANCELLED")
_STATUSES = (*_STATUSES_BEFORE, "EXPIRED", "VOID")
_VERDICTS_BEFORE = ("APPROVE", "REJECT")
_VERDICTS = (*_VERDICTS_BEFORE, "CANCEL")
_KINDS_BEFORE = (
    *("RECONCILIATION_BREAK", "NAV_UNEXPLAINED", "LOW_GAS", "FINALITY_LAG", "FINAL_BLOCK_CHANGED", "ORPHANED_EFFECT"),
    *("CHAIN_BEHIND", "EFFECT_UNKNOWN", "UNSIGNED_MOVEMENT", "UNSIGNED_GRANT", "SPLIT_REDEMPTIONS"),
    *("DUST_REDEMPTIONS", "INDICATOR_BREACH", "RISK_LEVEL", "PRICE_UNTRUSTED", "USDT_OFF_PARITY", "INVALID_VOTE"),
    "UNSIGNED_POLICY",
)
_ADDED_KINDS = ("TICKET_VOID", "UNAPPROVED_EXECUTION")
_ADDED_COLUMNS = ("plan_id", "requested_by", "passed_when_raised", "void_reason", "at_deadline")
_OF_A_REDEMPTION = ("request_id", "owner", "receiver")
_TICKETS = "approval_tickets"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    for column in _OF_A_REDEMPTION:
        op.alter_column(_TICKETS, column, nullable=True, schema="ops")
    op.add_column(_TICKETS, sa.Column("plan_id", sa.Uuid(), nullable=True), schema="ops")
    op.add_column(_TICKETS, sa.Column("requested_by", postgresql.BYTEA(), nullable=True), schema="ops")
    op.add_column(_TICKETS, sa.Column("passed_when_raised", sa.Boolean(), nullable=True), schema="ops")
    op.add_column(_TICKETS, sa.Column("void_reason", sa.Text(), nullable=True), schema="ops")
    op.add_column(_TICKETS, sa.Column("at_deadline", sa.String(), server_default="ALERT", nullable=False), schema="ops")
    op.create_foreign_key(
        op.f("fk_approval_tickets_plan_id_plans"),
        _TICKETS,
        "plans",
        ["plan_id"],
        ["id"],
        source_schema="ops",
        referent_schema="ops",
    )
    op.create_unique_constraint(op.f("uq_approval_tickets_plan_id"), _TICKETS, ["plan_id"], schema="ops")
    _check("requested_by_length", "octet_length(requested_by) = 20")
    _check("at_deadline_known", "at_deadline IN ('ALERT', 'REJECT')")
    _check(
        "one_subject",
        "num_nulls(request_id, owner, receiver) IN (0, 3)"
        " AND num_nulls(plan_id, requested_by, passed_when_raised) IN (0, 3)"
        " AND (request_id IS NULL) <> (plan_id IS NULL)",
    )
    _check("void_with_reason", "(status = 'VOID') = (void_reason IS NOT NULL) OR closed_at IS NOT NULL")
    _replace_known(_TICKETS, "status", _STATUSES)
    _replace_known("approval_records", "verdict", _VERDICTS)
    _replace_known("risk_events", "kind", (*_KINDS_BEFORE, *_ADDED_KINDS))


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    # Tickets of plans are evidence that the earlier version cannot hold, and it would execute their plans without them.
    if op.get_bind().execute(sa.text("SELECT EXISTS (SELECT FROM ops.approval_tickets WHERE plan_id IS NOT NULL)")).scalar():
        raise RuntimeError("ops.approval_tickets has tickets of plans: no earlier version keeps them")
    op.execute(f"DELETE FROM ops.risk_events WHERE kind IN {_ADDED_KINDS}")  # noqa: S608
    _replace_known("risk_events", "kind", _KINDS_BEFORE)
    _replace_known("approval_records", "verdict", _VERDICTS_BEFORE)
    _replace_known(_TICKETS, "status", _STATUSES_BEFORE)
    # The triggers name the columns. The earlier version's `paimon db upgrade` makes its own.
    for trigger in ("keep_columns", "follow_votes", "follow_safe"):
        op.execute(f"DROP TRIGGER IF EXISTS {trigger} ON ops.approval_tickets")
    op.execute("DROP FUNCTION IF EXISTS ops.follow_safe()")
    for name in ("void_with_reason", "one_subject", "at_deadline_known", "requested_by_length"):
        op.drop_constraint(op.f(f"ck_approval_tickets_{name}"), _TICKETS, type_="check", schema="ops")
    for column in _ADDED_COLUMNS:
        op.drop_column(_TICKETS, column, schema="ops")
    for column in _OF_A_REDEMPTION:
        op.alter_column(_TICKETS, column, nullable=False, schema="ops")


def _check(name: str, condition: str) -> None:
    op.create_check_constraint(op.f(f"ck_approval_tickets_{name}"), _TICKETS, condition, schema="ops")


def _replace_known(table: str, column: str, values: tuple[str, ...]) -> None:
    name = op.f(f"ck_{table}_{column}_known")
    op.drop_constraint(name, table, type_="check", schema="ops")
    listed = ", ".join(f"'{value}'" for value in values)
    op.create_check_constraint(name, table, f"{column} IN ({listed})", schema="ops")
