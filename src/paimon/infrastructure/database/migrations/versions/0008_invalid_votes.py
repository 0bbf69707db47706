"""Marks of votes that do not verify, and their risk events."""

import sqlalchemy as sa
from alembic import op

revision = "0008_invalid_votes"
down_revision = "0007_fund_risk"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_KINDS_BEFORE = (
    "'RECONCILIATION_BREAK','NAV_UNEXPLAINED','LOW_GAS','FINALITY_LAG','FINAL_BLOCK_CHANGED','ORPHANED_EFFECT','CHAIN_BEHIND',"
    "'EFFECT_UNKNOWN','UNSIGNED_MOVEMENT','UNSIGNED_USER','UNSIGNED_GRANT','SPLIT_REDEMPTIONS','DUST_REDEMPTIONS',"
    "'INDICATOR_BREACH','RISK_LEVEL'"
)
_KINDS = "'INVALID_VOTE'"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "invalid_votes",
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_invalid_votes_reason_given")),
        sa.ForeignKeyConstraint(
            ["nonce"], ["ops.approval_records.nonce"], name=op.f("fk_invalid_votes_nonce_approval_records")
        ),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_invalid_votes")),
        schema="ops",
    )
    _replace_kinds(f"{_KINDS_BEFORE},{_KINDS}")


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.execute(f"DELETE FROM ops.risk_events WHERE kind IN ({_KINDS})")  # noqa: S608
    _replace_kinds(_KINDS_BEFORE)
    op.drop_table("invalid_votes", schema="ops")


def _replace_kinds(kinds: str) -> None:
    op.drop_constraint(op.f("ck_risk_events_kind_known"), "risk_events", schema="ops")
    op.create_check_constraint(op.f("ck_risk_events_kind_known"), "risk_events", f"kind IN ({kinds})", schema="ops")
