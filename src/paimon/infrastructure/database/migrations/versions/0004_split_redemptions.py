"""Allow risk events about redemptions that were split, and about dust."""

from alembic import op

revision = "0004_split_redemptions"
down_revision = "0003_signed_users"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_KINDS_BEFORE = (
    "'RECONCILIATION_BREAK','NAV_UNEXPLAINED','LOW_GAS','FINALITY_LAG','FINAL_BLOCK_CHANGED','ORPHANED_EFFECT','CHAIN_BEHIND',"
    "'EFFECT_UNKNOWN','UNSIGNED_MOVEMENT','UNSIGNED_USER','UNSIGNED_GRANT'"
)
_KINDS = "'SPLIT_REDEMPTIONS','DUST_REDEMPTIONS'"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    _replace_kinds(f"{_KINDS_BEFORE},{_KINDS}")


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.execute(f"DELETE FROM ops.risk_events WHERE kind IN ({_KINDS})")  # noqa: S608
    _replace_kinds(_KINDS_BEFORE)


def _replace_kinds(kinds: str) -> None:
    op.drop_constraint(op.f("ck_risk_events_kind_known"), "risk_events", schema="ops")
    op.create_check_constraint(op.f("ck_risk_events_kind_known"), "risk_events", f"kind IN ({kinds})", schema="ops")
