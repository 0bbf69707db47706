"""The risk event of a rebalance whose result is not what its plan expected."""

import sqlalchemy as sa
from alembic import op

revision = "0029_rebalance_deviation"
down_revision = "0028_rebalance"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_KINDS_BEFORE = (
    *("RECONCILIATION_BREAK", "NAV_UNEXPLAINED", "LOW_GAS", "FINALITY_LAG", "FINAL_BLOCK_CHANGED", "ORPHANED_EFFECT"),
    *("CHAIN_BEHIND", "EFFECT_UNKNOWN", "UNSIGNED_MOVEMENT", "UNSIGNED_GRANT", "SPLIT_REDEMPTIONS", "DUST_REDEMPTIONS"),
    *("INDICATOR_BREACH", "RISK_LEVEL", "PRICE_UNTRUSTED", "USDT_OFF_PARITY", "INVALID_VOTE", "UNSIGNED_POLICY"),
    *("TICKET_VOID", "UNAPPROVED_EXECUTION", "CONTRACT_CHANGED", "VALUATION_FAILED", "LIQUIDITY_SHORTAGE"),
)
_ADDED = "REBALANCE_DEVIATION"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    _replace_kinds((*_KINDS_BEFORE, _ADDED))


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    _require_none_kept()
    _replace_kinds(_KINDS_BEFORE)


def _require_none_kept() -> None:
    """Refuse to revert: the events are evidence, notifications refer to them, and no earlier version reads them."""
    found = sa.text("SELECT EXISTS (SELECT FROM ops.risk_events WHERE kind = :added)")
    if op.get_bind().execute(found, {"added": _ADDED}).scalar():
        raise RuntimeError(f"ops.risk_events has events of the kind {_ADDED}: no earlier version keeps them")


def _replace_kinds(kinds: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_risk_events_kind_known"), "risk_events", schema="ops")
    # Each row has met a check as strict as this one: reading them all again would hold the table's strongest lock.
    op.create_check_constraint(
        op.f("ck_risk_events_kind_known"), "risk_events", f"kind IN {kinds}", schema="ops", postgresql_not_valid=True
    )
