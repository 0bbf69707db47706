"""Final blocks that change, finality that lags, and what is seen before it is final."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_KINDS_BEFORE = "'RECONCILIATION_BREAK', 'NAV_UNEXPLAINED', 'LOW_GAS'"
_KINDS = "'FINALITY_LAG', 'FINAL_BLOCK_CHANGED', 'ORPHANED_EFFECT'"


def upgrade() -> None:
    _check("risk_events", "kind_known", f"kind IN ({_KINDS_BEFORE}, {_KINDS})")
    op.add_column(
        "reconciliations", sa.Column("orphaned", sa.Boolean(), server_default="false", nullable=False), schema="owned"
    )
    # Two points of one height may stand beside each other now: one of a block that is no more, one of that in its place.
    _key_nav_points("block_number", "block_hash")
    _check("nav_points", "status_known", "status IN ('PUBLISHED', 'WITHHELD', 'ORPHANED')")
    _check("nav_points", "published_at_unless_withheld", "(status = 'WITHHELD') = (published_at IS NULL)")
    _create_unfinal_logs()


def downgrade() -> None:
    op.drop_table("pending_logs", schema="owned")
    op.execute("DELETE FROM owned.nav_points WHERE status = 'ORPHANED'")
    _check("nav_points", "published_at_unless_withheld", "(status = 'PUBLISHED') = (published_at IS NOT NULL)")
    _check("nav_points", "status_known", "status IN ('PUBLISHED', 'WITHHELD')")
    _key_nav_points("block_number")
    op.drop_column("reconciliations", "orphaned", schema="owned")
    op.execute("DELETE FROM owned.risk_events WHERE kind IN ('FINALITY_LAG', 'FINAL_BLOCK_CHANGED', 'ORPHANED_EFFECT')")
    _check("risk_events", "kind_known", f"kind IN ({_KINDS_BEFORE})")


def _check(table: str, name: str, words: str) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table, schema="owned")
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, words, schema="owned")


def _key_nav_points(*columns: str) -> None:
    op.drop_constraint(op.f("pk_nav_points"), "nav_points", schema="owned")
    op.create_primary_key(op.f("pk_nav_points"), "nav_points", list(columns), schema="owned")


def _create_unfinal_logs() -> None:
    op.create_table(
        "pending_logs",
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("address", sa.LargeBinary(length=20), nullable=False),
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("event", sa.Text(), nullable=True),
        sa.Column("args", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(event IS NULL) = (args IS NULL)", name=op.f("ck_pending_logs_args_with_event")),
        sa.CheckConstraint(
            "contract IN ('Vault', 'RedemptionManager', 'AssetController', 'OTCManager', 'ERC20')",
            name=op.f("ck_pending_logs_contract_known"),
        ),
        sa.CheckConstraint("octet_length(address) = 20", name=op.f("ck_pending_logs_address_length")),
        sa.CheckConstraint("octet_length(block_hash) = 32", name=op.f("ck_pending_logs_block_hash_length")),
        sa.CheckConstraint("octet_length(tx_hash) = 32", name=op.f("ck_pending_logs_tx_hash_length")),
        sa.PrimaryKeyConstraint("block_hash", "log_index", name=op.f("pk_pending_logs")),
        schema="owned",
    )
    op.create_index("ix_pending_logs_position", "pending_logs", ["block_number", "log_index"], unique=False, schema="owned")
