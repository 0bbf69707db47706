"""What people see and do at the transaction desk: wallets as their drivers saw them, and gas that runs low."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_UINT256_MAX = 2**256 - 1
_KIND = "ck_risk_events_kind_known"


def upgrade() -> None:
    for column in (
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_block", sa.BigInteger(), nullable=True),
        sa.Column("latest_nonce", sa.BigInteger(), nullable=True),
        sa.Column("final_nonce", sa.BigInteger(), nullable=True),
        sa.Column("balance_wei", sa.Numeric(precision=78, scale=0), nullable=True),
    ):
        op.add_column("wallets", column, schema="owned")
    op.create_check_constraint(
        op.f("ck_wallets_balance_wei_uint256"), "wallets", f"balance_wei >= 0 AND balance_wei <= {_UINT256_MAX}", schema="owned"
    )
    op.create_check_constraint(
        op.f("ck_wallets_chain_state_complete"),
        "wallets",
        "num_nonnulls(seen_at, seen_block, latest_nonce, final_nonce, balance_wei) IN (0, 5)",
        schema="owned",
    )
    _known_kinds("'RECONCILIATION_BREAK', 'NAV_UNEXPLAINED', 'LOW_GAS'")


def downgrade() -> None:
    op.execute("DELETE FROM owned.risk_events WHERE kind = 'LOW_GAS'")
    _known_kinds("'RECONCILIATION_BREAK', 'NAV_UNEXPLAINED'")
    for check in ("ck_wallets_chain_state_complete", "ck_wallets_balance_wei_uint256"):
        op.drop_constraint(op.f(check), "wallets", schema="owned")
    for column in ("balance_wei", "final_nonce", "latest_nonce", "seen_block", "seen_at"):
        op.drop_column("wallets", column, schema="owned")


def _known_kinds(kinds: str) -> None:
    op.drop_constraint(op.f(_KIND), "risk_events", schema="owned")
    op.create_check_constraint(op.f(_KIND), "risk_events", f"kind IN ({kinds})", schema="owned")
