"""What the fund's contracts were found to be, and an index of the logs that no ABI explains."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023_contract_facts"
down_revision = "0022_notifications"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_STATEMENT_TIMEOUT = "SET LOCAL statement_timeout = '10min'"
_KINDS_BEFORE = (
    *("RECONCILIATION_BREAK", "NAV_UNEXPLAINED", "LOW_GAS", "FINALITY_LAG", "FINAL_BLOCK_CHANGED", "ORPHANED_EFFECT"),
    *("CHAIN_BEHIND", "EFFECT_UNKNOWN", "UNSIGNED_MOVEMENT", "UNSIGNED_GRANT", "SPLIT_REDEMPTIONS", "DUST_REDEMPTIONS"),
    *("INDICATOR_BREACH", "RISK_LEVEL", "PRICE_UNTRUSTED", "USDT_OFF_PARITY", "INVALID_VOTE", "UNSIGNED_POLICY"),
    *("TICKET_VOID", "UNAPPROVED_EXECUTION"),
)
_KINDS = (*_KINDS_BEFORE, "CONTRACT_CHANGED")
_CONTRACTS = ("Vault", "RedemptionManager", "AssetController", "OTCManager", "ERC20")


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "contract_facts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("implementation", sa.LargeBinary(), nullable=True),
        sa.Column("admin", sa.LargeBinary(), nullable=True),
        sa.Column("functions", postgresql.JSONB(), nullable=False),
        sa.Column("errors", postgresql.JSONB(), nullable=False),
        sa.Column("unknown_selectors", postgresql.JSONB(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.Column("block_timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_block_number", sa.BigInteger(), nullable=False),
        sa.Column("last_block_hash", sa.LargeBinary(), nullable=False),
        sa.Column("last_block_timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(f"contract IN {_CONTRACTS}", name=op.f("ck_contract_facts_contract_known")),
        *_length(20, "address", "implementation", "admin"),
        *_length(32, "code_hash", "block_hash", "last_block_hash"),
        sa.CheckConstraint("block_number <= last_block_number", name=op.f("ck_contract_facts_blocks_in_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_facts")),
        schema="ops",
    )
    op.create_index("ix_contract_facts_contract", "contract_facts", ["contract", "id"], schema="ops")
    op.execute(_STATEMENT_TIMEOUT)
    op.create_index(
        "ix_raw_logs_unknown", "raw_logs", ["address"], schema="derived", postgresql_where=sa.text("status = 'UNKNOWN'")
    )
    _replace_kinds(_KINDS)


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.execute("ALTER TABLE ops.risk_events DISABLE TRIGGER USER")  # they are evidence: the triggers refuse it
    op.execute("DELETE FROM ops.risk_events WHERE kind = 'CONTRACT_CHANGED'")
    op.execute("ALTER TABLE ops.risk_events ENABLE TRIGGER USER")
    _replace_kinds(_KINDS_BEFORE)
    op.drop_index("ix_raw_logs_unknown", "raw_logs", schema="derived")
    op.drop_table("contract_facts", schema="ops")


def _length(octets: int, *columns: str) -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint(f"octet_length({column}) = {octets}", name=op.f(f"ck_contract_facts_{column}_length"))
        for column in columns
    ]


def _replace_kinds(kinds: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_risk_events_kind_known"), "risk_events", schema="ops")
    op.create_check_constraint(op.f("ck_risk_events_kind_known"), "risk_events", f"kind IN {kinds}", schema="ops")
