"""The last forecast of the fund's liquidity by horizon, and the risk event of a shortage."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026_liquidity_forecasts"
down_revision = "0025_subject_keys"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_KINDS_BEFORE = (
    *("RECONCILIATION_BREAK", "NAV_UNEXPLAINED", "LOW_GAS", "FINALITY_LAG", "FINAL_BLOCK_CHANGED", "ORPHANED_EFFECT"),
    *("CHAIN_BEHIND", "EFFECT_UNKNOWN", "UNSIGNED_MOVEMENT", "UNSIGNED_GRANT", "SPLIT_REDEMPTIONS", "DUST_REDEMPTIONS"),
    *("INDICATOR_BREACH", "RISK_LEVEL", "PRICE_UNTRUSTED", "USDT_OFF_PARITY", "INVALID_VOTE", "UNSIGNED_POLICY"),
    *("TICKET_VOID", "UNAPPROVED_EXECUTION", "CONTRACT_CHANGED", "VALUATION_FAILED"),
)
_ADDED = "LIQUIDITY_SHORTAGE"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "liquidity_forecasts",
        sa.Column("horizon", sa.String(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.Column("block_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("policy_version", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("horizon IN ('1d', '7d', '30d')", name=op.f("ck_liquidity_forecasts_horizon_known")),
        sa.CheckConstraint("octet_length(block_hash) = 32", name=op.f("ck_liquidity_forecasts_block_hash_length")),
        sa.PrimaryKeyConstraint("horizon", name=op.f("pk_liquidity_forecasts")),
        schema="ops",
    )
    _replace_kinds((*_KINDS_BEFORE, _ADDED))


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.execute("ALTER TABLE ops.risk_events DISABLE TRIGGER USER")  # they are evidence: the triggers refuse it
    op.execute(f"DELETE FROM ops.risk_events WHERE kind = '{_ADDED}'")  # noqa: S608
    op.execute("ALTER TABLE ops.risk_events ENABLE TRIGGER USER")
    _replace_kinds(_KINDS_BEFORE)
    op.drop_table("liquidity_forecasts", schema="ops")


def _replace_kinds(kinds: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_risk_events_kind_known"), "risk_events", schema="ops")
    op.create_check_constraint(op.f("ck_risk_events_kind_known"), "risk_events", f"kind IN {kinds}", schema="ops")
