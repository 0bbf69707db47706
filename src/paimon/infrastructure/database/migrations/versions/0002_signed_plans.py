"""Require the signature of every plan, and watch the hot wallet for movements without one."""

from alembic import op

revision = "0002_signed_plans"
down_revision = "0001_initial"
branch_labels = None
depends_on = None

_KINDS = (
    "RECONCILIATION_BREAK",
    "NAV_UNEXPLAINED",
    "LOW_GAS",
    "FINALITY_LAG",
    "FINAL_BLOCK_CHANGED",
    "ORPHANED_EFFECT",
    "CHAIN_BEHIND",
    "EFFECT_UNKNOWN",
)
_NEW_KIND = "UNSIGNED_MOVEMENT"
_COLUMNS = ("requested_by", "nonce", "typed_data", "signature", "signature_expires_at")


def upgrade() -> None:
    op.execute("ALTER TABLE ops.plans DROP CONSTRAINT ck_plans_signed_action_complete")
    for column in _COLUMNS:
        op.execute(f"ALTER TABLE ops.plans ALTER COLUMN {column} SET NOT NULL")
    op.execute("ALTER TABLE ops.wallets ADD COLUMN plans_checked_nonce BIGINT")
    _allow_kinds(*_KINDS, _NEW_KIND)


def downgrade() -> None:
    op.execute(f"DELETE FROM ops.risk_events WHERE kind = '{_NEW_KIND}'")  # noqa: S608
    _allow_kinds(*_KINDS)
    op.execute("ALTER TABLE ops.wallets DROP COLUMN plans_checked_nonce")
    for column in _COLUMNS:
        op.execute(f"ALTER TABLE ops.plans ALTER COLUMN {column} DROP NOT NULL")
    op.execute(
        "ALTER TABLE ops.plans ADD CONSTRAINT ck_plans_signed_action_complete"
        " CHECK (num_nonnulls(requested_by, nonce, typed_data, signature, signature_expires_at) IN (0, 5))"
    )


def _allow_kinds(*kinds: str) -> None:
    values = ", ".join(f"'{kind}'" for kind in kinds)
    op.execute("ALTER TABLE ops.risk_events DROP CONSTRAINT ck_risk_events_kind_known")
    op.execute(f"ALTER TABLE ops.risk_events ADD CONSTRAINT ck_risk_events_kind_known CHECK (kind IN ({values}))")
