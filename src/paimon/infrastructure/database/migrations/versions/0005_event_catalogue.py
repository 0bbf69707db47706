"""The whole event catalogue: followed contracts, token transfers, assets, trades, OTC orders, fees, roles, transactions.

Books that were recorded before have no token transfers, and nothing derived can add them. What came from the chain is
therefore dropped here, and the listener records it once more from the first block on; observations stay.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_RECORDED_ANEW = ("cursor", "raw_logs", "blocks", "holdings", "redemption_requests", "role_holders", "contract_flags")
_ADDED = (
    "asset_configs",
    "deposits",
    "fee_accounts",
    "fee_entries",
    "tracked_contracts",
    "liquidity_alerts",
    "otc_orders",
    "role_changes",
    "protocol_addresses",
    "tier_configs",
    "token_flows",
    "token_transfers",
    "trades",
    "transactions",
)
_NAMING_CONTRACTS = ("raw_logs", "role_holders", "contract_flags")


def _restrict_contracts(allowed: tuple[str, ...]) -> None:
    series_limits = ", ".join(f"'{each}'" for each in allowed)
    for table in _NAMING_CONTRACTS:
        op.drop_constraint(op.f(f"ck_{table}_contract_known"), table, schema="derived")
        op.create_check_constraint(
            op.f(f"ck_{table}_contract_known"), table, f"contract IN ({series_limits})", schema="derived"
        )


def upgrade() -> None:
    for table in _RECORDED_ANEW:
        op.execute(f"DELETE FROM derived.{table}")  # noqa: S608 — the names above
    _restrict_contracts(("Vault", "RedemptionManager", "AssetController", "OTCManager", "ERC20"))
    op.create_table(
        "asset_configs",
        sa.Column("token", sa.LargeBinary(length=20), nullable=False),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("allocation_bps", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("adapter", postgresql.BYTEA(), nullable=True),
        sa.Column("added_block", sa.BigInteger(), nullable=False),
        sa.Column("removed_block", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("tier IN ('L1', 'L2', 'L3')", name=op.f("ck_asset_configs_tier_known")),
        sa.CheckConstraint("allocation_bps BETWEEN 0 AND 10000", name=op.f("ck_asset_configs_allocation_bps_range")),
        sa.CheckConstraint("is_active = (removed_block IS NULL)", name=op.f("ck_asset_configs_removed_when_inactive")),
        sa.CheckConstraint("octet_length(adapter) = 20", name=op.f("ck_asset_configs_adapter_length")),
        sa.CheckConstraint("octet_length(token) = 20", name=op.f("ck_asset_configs_token_length")),
        sa.CheckConstraint("removed_block >= added_block", name=op.f("ck_asset_configs_added_before_removed")),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_asset_configs")),
        schema="derived",
    )
    op.create_table(
        "deposits",
        sa.Column("sender", sa.LargeBinary(length=20), nullable=False),
        sa.Column("receiver", sa.LargeBinary(length=20), nullable=False),
        sa.Column("assets", sa.Numeric(78, 0), nullable=False),
        sa.Column("shares", sa.Numeric(78, 0), nullable=False),
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "assets >= 0 AND assets <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_deposits_assets_uint256"),
        ),
        sa.CheckConstraint("octet_length(receiver) = 20", name=op.f("ck_deposits_receiver_length")),
        sa.CheckConstraint("octet_length(sender) = 20", name=op.f("ck_deposits_sender_length")),
        sa.CheckConstraint("octet_length(tx_hash) = 32", name=op.f("ck_deposits_tx_hash_length")),
        sa.CheckConstraint(
            "shares >= 0 AND shares <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_deposits_shares_uint256"),
        ),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_deposits")),
        schema="derived",
    )
    op.create_index("ix_deposits_at", "deposits", ["at"], unique=False, schema="derived")
    op.create_index("ix_deposits_receiver", "deposits", ["receiver", "block_number"], unique=False, schema="derived")
    op.create_table(
        "fee_accounts",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("accrued", sa.Numeric(78, 0), nullable=False),
        sa.Column("released", sa.Numeric(78, 0), nullable=False),
        sa.Column("paid", sa.Numeric(78, 0), nullable=False),
        sa.CheckConstraint("kind IN ('MANAGEMENT', 'PERFORMANCE', 'REDEMPTION')", name=op.f("ck_fee_accounts_kind_known")),
        sa.CheckConstraint(
            "accrued >= 0 AND accrued <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_fee_accounts_accrued_uint256"),
        ),
        sa.CheckConstraint(
            "paid >= 0 AND paid <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_fee_accounts_paid_uint256"),
        ),
        sa.CheckConstraint("released <= accrued", name=op.f("ck_fee_accounts_released_within_accrued")),
        sa.CheckConstraint(
            "released >= 0 AND released <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_fee_accounts_released_uint256"),
        ),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_fee_accounts")),
        schema="derived",
    )
    op.create_table(
        "fee_entries",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(78, 0), nullable=False),
        sa.Column("base", sa.Numeric(78, 0), nullable=True),
        sa.Column("period_seconds", sa.Numeric(78, 0), nullable=True),
        sa.Column("high_water_mark", sa.Numeric(78, 0), nullable=True),
        sa.Column("recipient", postgresql.BYTEA(), nullable=True),
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(base IS NOT NULL) = (step = 'ACCRUED' AND kind <> 'REDEMPTION')", name=op.f("ck_fee_entries_base_when_computed")
        ),
        sa.CheckConstraint(
            "(high_water_mark IS NOT NULL) = (step = 'ACCRUED' AND kind = 'PERFORMANCE')",
            name=op.f("ck_fee_entries_high_water_mark_for_performance"),
        ),
        sa.CheckConstraint(
            "(period_seconds IS NOT NULL) = (step = 'ACCRUED' AND kind = 'MANAGEMENT')",
            name=op.f("ck_fee_entries_period_for_management"),
        ),
        sa.CheckConstraint("(step = 'PAID') = (recipient IS NOT NULL)", name=op.f("ck_fee_entries_recipient_when_paid")),
        sa.CheckConstraint("kind IN ('MANAGEMENT', 'PERFORMANCE', 'REDEMPTION')", name=op.f("ck_fee_entries_kind_known")),
        sa.CheckConstraint(
            "step <> 'RELEASED' OR kind = 'REDEMPTION'", name=op.f("ck_fee_entries_released_only_for_redemption")
        ),
        sa.CheckConstraint("step IN ('ACCRUED', 'RELEASED', 'PAID')", name=op.f("ck_fee_entries_step_known")),
        sa.CheckConstraint(
            "amount >= 0 AND amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_fee_entries_amount_uint256"),
        ),
        sa.CheckConstraint(
            "base >= 0 AND base <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_fee_entries_base_uint256"),
        ),
        sa.CheckConstraint(
            "high_water_mark >= 0 AND high_water_mark <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_fee_entries_high_water_mark_uint256"),
        ),
        sa.CheckConstraint("octet_length(recipient) = 20", name=op.f("ck_fee_entries_recipient_length")),
        sa.CheckConstraint("octet_length(tx_hash) = 32", name=op.f("ck_fee_entries_tx_hash_length")),
        sa.CheckConstraint(
            "period_seconds >= 0 AND period_seconds <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_fee_entries_period_seconds_uint256"),
        ),
        sa.PrimaryKeyConstraint("kind", "block_number", "log_index", name=op.f("pk_fee_entries")),
        schema="derived",
    )
    op.create_index("ix_fee_entries_at", "fee_entries", ["at"], unique=False, schema="derived")
    op.create_table(
        "tracked_contracts",
        sa.Column("address", sa.LargeBinary(length=20), nullable=False),
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("since_block", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(origin = 'settings') = (contract IN ('Vault','RedemptionManager','AssetController'))",
            name=op.f("ck_tracked_contracts_core_from_settings"),
        ),
        sa.CheckConstraint(
            "contract IN ('Vault', 'RedemptionManager', 'AssetController', 'OTCManager', 'ERC20')",
            name=op.f("ck_tracked_contracts_contract_known"),
        ),
        sa.CheckConstraint(
            "origin <> 'vault_asset' OR contract = 'ERC20'", name=op.f("ck_tracked_contracts_vault_asset_is_erc20")
        ),
        sa.CheckConstraint("origin IN ('settings', 'vault_asset', 'event')", name=op.f("ck_tracked_contracts_origin_known")),
        sa.CheckConstraint("octet_length(address) = 20", name=op.f("ck_tracked_contracts_address_length")),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_tracked_contracts")),
        schema="derived",
    )
    op.create_index(
        "uq_tracked_contracts_asset",
        "tracked_contracts",
        ["origin"],
        unique=True,
        schema="derived",
        postgresql_where="origin = 'vault_asset'",
    )
    op.create_index(
        "uq_tracked_contracts_core",
        "tracked_contracts",
        ["contract"],
        unique=True,
        schema="derived",
        postgresql_where="origin = 'settings'",
    )
    op.create_table(
        "liquidity_alerts",
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("ratio_bps", sa.Numeric(78, 0), nullable=False),
        sa.Column("threshold_bps", sa.Numeric(78, 0), nullable=False),
        sa.Column("available", sa.Numeric(78, 0), nullable=False),
        sa.Column("total", sa.Numeric(78, 0), nullable=True),
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(level = 'LOW') = (total IS NOT NULL)", name=op.f("ck_liquidity_alerts_total_when_low")),
        sa.CheckConstraint("level IN ('LOW', 'CRITICAL')", name=op.f("ck_liquidity_alerts_level_known")),
        sa.CheckConstraint(
            "available >= 0 AND available <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_liquidity_alerts_available_uint256"),
        ),
        sa.CheckConstraint("octet_length(tx_hash) = 32", name=op.f("ck_liquidity_alerts_tx_hash_length")),
        sa.CheckConstraint(
            "ratio_bps >= 0 AND ratio_bps <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_liquidity_alerts_ratio_bps_uint256"),
        ),
        sa.CheckConstraint(
            "threshold_bps >= 0 AND threshold_bps <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_liquidity_alerts_threshold_bps_uint256"),
        ),
        sa.CheckConstraint(
            "total >= 0 AND total <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_liquidity_alerts_total_uint256"),
        ),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_liquidity_alerts")),
        schema="derived",
    )
    op.create_index("ix_liquidity_alerts_at", "liquidity_alerts", ["at"], unique=False, schema="derived")
    op.create_table(
        "otc_orders",
        sa.Column("manager", sa.LargeBinary(length=20), nullable=False),
        sa.Column(
            "order_id",
            sa.Numeric(78, 0),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("token", sa.LargeBinary(length=20), nullable=False),
        sa.Column("counterparty", sa.LargeBinary(length=20), nullable=False),
        sa.Column("usdt_amount", sa.Numeric(78, 0), nullable=False),
        sa.Column("expected_tokens", sa.Numeric(78, 0), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("actual_tokens", sa.Numeric(78, 0), nullable=True),
        sa.CheckConstraint(
            "(status = 'DELIVERED') = (actual_tokens IS NOT NULL)", name=op.f("ck_otc_orders_tokens_when_delivered")
        ),
        sa.CheckConstraint(
            "(status IN ('DELIVERED','CANCELLED')) = (closed_at IS NOT NULL)", name=op.f("ck_otc_orders_closed_when_terminal")
        ),
        sa.CheckConstraint("status <> 'PENDING' OR paid_at IS NULL", name=op.f("ck_otc_orders_pending_is_unpaid")),
        sa.CheckConstraint("status IN ('PENDING', 'PAID', 'DELIVERED', 'CANCELLED')", name=op.f("ck_otc_orders_status_known")),
        sa.CheckConstraint(
            "status NOT IN ('PAID','DELIVERED') OR paid_at IS NOT NULL", name=op.f("ck_otc_orders_paid_before_delivered")
        ),
        sa.CheckConstraint(
            "actual_tokens >= 0 AND actual_tokens <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_otc_orders_actual_tokens_uint256"),
        ),
        sa.CheckConstraint(
            "expected_tokens >= 0 AND expected_tokens <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_otc_orders_expected_tokens_uint256"),
        ),
        sa.CheckConstraint("octet_length(counterparty) = 20", name=op.f("ck_otc_orders_counterparty_length")),
        sa.CheckConstraint("octet_length(manager) = 20", name=op.f("ck_otc_orders_manager_length")),
        sa.CheckConstraint("octet_length(token) = 20", name=op.f("ck_otc_orders_token_length")),
        sa.CheckConstraint(
            "order_id >= 0 AND order_id <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_otc_orders_order_id_uint256"),
        ),
        sa.CheckConstraint(
            "usdt_amount >= 0 AND usdt_amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_otc_orders_usdt_amount_uint256"),
        ),
        sa.PrimaryKeyConstraint("manager", "order_id", name=op.f("pk_otc_orders")),
        schema="derived",
    )
    op.create_index(
        "ix_otc_orders_open", "otc_orders", ["status"], unique=False, schema="derived", postgresql_where="closed_at IS NULL"
    )
    op.create_table(
        "role_changes",
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("role", sa.LargeBinary(length=32), nullable=False),
        sa.Column("account", sa.LargeBinary(length=20), nullable=False),
        sa.Column("sender", sa.LargeBinary(length=20), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "contract IN ('Vault', 'RedemptionManager', 'AssetController', 'OTCManager', 'ERC20')",
            name=op.f("ck_role_changes_contract_known"),
        ),
        sa.CheckConstraint("octet_length(account) = 20", name=op.f("ck_role_changes_account_length")),
        sa.CheckConstraint("octet_length(role) = 32", name=op.f("ck_role_changes_role_length")),
        sa.CheckConstraint("octet_length(sender) = 20", name=op.f("ck_role_changes_sender_length")),
        sa.CheckConstraint("octet_length(tx_hash) = 32", name=op.f("ck_role_changes_tx_hash_length")),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_role_changes")),
        schema="derived",
    )
    op.create_index("ix_role_changes_account", "role_changes", ["account", "block_number"], unique=False, schema="derived")
    op.create_table(
        "protocol_addresses",
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("address", sa.LargeBinary(length=20), nullable=False),
        sa.Column("since_block", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "contract IN ('Vault', 'RedemptionManager', 'AssetController', 'OTCManager', 'ERC20')",
            name=op.f("ck_protocol_addresses_contract_known"),
        ),
        sa.CheckConstraint(
            "service IN ('asset_controller', 'asset_scheduler', 'fee_recipient', 'oracle_adapter', 'otc_manager', 'swap_helper')",
            name=op.f("ck_protocol_addresses_role_known"),
        ),
        sa.CheckConstraint("octet_length(address) = 20", name=op.f("ck_protocol_addresses_address_length")),
        sa.PrimaryKeyConstraint("contract", "role", name=op.f("pk_protocol_addresses")),
        schema="derived",
    )
    op.create_table(
        "tier_configs",
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("target_bps", sa.Integer(), nullable=False),
        sa.Column("min_bps", sa.Integer(), nullable=False),
        sa.Column("max_bps", sa.Integer(), nullable=False),
        sa.Column("since_block", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("tier IN ('L1', 'L2', 'L3')", name=op.f("ck_tier_configs_tier_known")),
        sa.CheckConstraint(
            "0 <= min_bps AND min_bps <= target_bps AND target_bps <= max_bps AND max_bps <= 10000",
            name=op.f("ck_tier_configs_bands_in_order"),
        ),
        sa.PrimaryKeyConstraint("tier", name=op.f("pk_tier_configs")),
        schema="derived",
    )
    op.create_table(
        "token_flows",
        sa.Column("token", sa.LargeBinary(length=20), nullable=False),
        sa.Column("received", sa.Numeric(78, 0), nullable=False),
        sa.Column("sent", sa.Numeric(78, 0), nullable=False),
        sa.CheckConstraint("octet_length(token) = 20", name=op.f("ck_token_flows_token_length")),
        sa.CheckConstraint(
            "received >= 0 AND received <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_token_flows_received_uint256"),
        ),
        sa.CheckConstraint(
            "sent >= 0 AND sent <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_token_flows_sent_uint256"),
        ),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_token_flows")),
        schema="derived",
    )
    op.create_table(
        "token_transfers",
        sa.Column("token", sa.LargeBinary(length=20), nullable=False),
        sa.Column("sender", sa.LargeBinary(length=20), nullable=False),
        sa.Column("receiver", sa.LargeBinary(length=20), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(78, 0), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("source_log_index", sa.Integer(), nullable=True),
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("purpose <> 'NOTHING' OR amount = 0", name=op.f("ck_token_transfers_zero_value_amount")),
        sa.CheckConstraint("(direction = 'WITHIN') = (sender = receiver)", name=op.f("ck_token_transfers_within_same_address")),
        sa.CheckConstraint(
            "(source_log_index IS NULL) = (purpose IN ('FEE_COLLECTION','EMERGENCY_WITHDRAWAL','NOTHING','UNEXPLAINED'))",
            name=op.f("ck_token_transfers_source_log_index_by_purpose"),
        ),
        sa.CheckConstraint("direction IN ('IN', 'OUT', 'WITHIN')", name=op.f("ck_token_transfers_direction_known")),
        sa.CheckConstraint(
            "purpose IN ('DEPOSIT', 'REDEMPTION_PAYOUT', 'PURCHASE', 'SALE', 'OTC_PAYMENT', 'OTC_DELIVERY', 'FEE_COLLECTION', 'REDEMPTION_FEE_WITHDRAWAL', 'YIELD', 'EMERGENCY_WITHDRAWAL', 'NOTHING', 'UNEXPLAINED')",
            name=op.f("ck_token_transfers_purpose_known"),
        ),
        sa.CheckConstraint(
            "amount >= 0 AND amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_token_transfers_amount_uint256"),
        ),
        sa.CheckConstraint("octet_length(receiver) = 20", name=op.f("ck_token_transfers_receiver_length")),
        sa.CheckConstraint("octet_length(sender) = 20", name=op.f("ck_token_transfers_sender_length")),
        sa.CheckConstraint("octet_length(token) = 20", name=op.f("ck_token_transfers_token_length")),
        sa.CheckConstraint("octet_length(tx_hash) = 32", name=op.f("ck_token_transfers_tx_hash_length")),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_token_transfers")),
        schema="derived",
    )
    op.create_index(
        "ix_token_transfers_unexplained",
        "token_transfers",
        ["block_number"],
        unique=False,
        schema="derived",
        postgresql_where="purpose IN ('EMERGENCY_WITHDRAWAL','UNEXPLAINED')",
    )
    op.create_index("ix_token_transfers_at", "token_transfers", ["at"], unique=False, schema="derived")
    op.create_index("ix_token_transfers_token", "token_transfers", ["token", "block_number"], unique=False, schema="derived")
    op.create_table(
        "trades",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("via", sa.String(), nullable=False),
        sa.Column("token", sa.LargeBinary(length=20), nullable=False),
        sa.Column("tier", sa.String(), nullable=True),
        sa.Column("route", sa.String(), nullable=True),
        sa.Column("usdt_amount", sa.Numeric(78, 0), nullable=False),
        sa.Column("token_amount", sa.Numeric(78, 0), nullable=False),
        sa.Column("has_effect", sa.Boolean(), nullable=False),
        sa.Column("request_id", sa.Numeric(78, 0), nullable=True),
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(kind = 'PURCHASE') = (via IN ('ALLOCATION','PURCHASE'))", name=op.f("ck_trades_kind_matches_via")),
        sa.CheckConstraint("kind IN ('PURCHASE', 'SALE')", name=op.f("ck_trades_kind_known")),
        sa.CheckConstraint("route IN ('OTC', 'SWAP', 'AUTO')", name=op.f("ck_trades_route_known")),
        sa.CheckConstraint("request_id IS NULL OR via = 'WATERFALL'", name=op.f("ck_trades_request_only_for_waterfall")),
        sa.CheckConstraint("tier IN ('L1', 'L2', 'L3')", name=op.f("ck_trades_tier_known")),
        sa.CheckConstraint(
            "via IN ('ALLOCATION', 'PURCHASE', 'REDEMPTION', 'WATERFALL', 'BUFFER_REFILL')", name=op.f("ck_trades_via_known")
        ),
        sa.CheckConstraint(
            "has_effect = (usdt_amount > 0 OR token_amount > 0)", name=op.f("ck_trades_has_effect_with_amounts")
        ),
        sa.CheckConstraint("octet_length(token) = 20", name=op.f("ck_trades_token_length")),
        sa.CheckConstraint("octet_length(tx_hash) = 32", name=op.f("ck_trades_tx_hash_length")),
        sa.CheckConstraint(
            "request_id >= 0 AND request_id <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_trades_request_id_uint256"),
        ),
        sa.CheckConstraint(
            "token_amount >= 0 AND token_amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_trades_token_amount_uint256"),
        ),
        sa.CheckConstraint(
            "usdt_amount >= 0 AND usdt_amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_trades_usdt_amount_uint256"),
        ),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_trades")),
        schema="derived",
    )
    op.create_index("ix_trades_at", "trades", ["at"], unique=False, schema="derived")
    op.create_index("ix_trades_token", "trades", ["token", "block_number"], unique=False, schema="derived")
    op.create_table(
        "transactions",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tx_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("logs", sa.Integer(), nullable=False),
        sa.Column("contracts", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("events", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.CheckConstraint("logs > 0 AND cardinality(contracts) > 0", name=op.f("ck_transactions_has_logs")),
        sa.CheckConstraint("octet_length(tx_hash) = 32", name=op.f("ck_transactions_tx_hash_length")),
        sa.PrimaryKeyConstraint("block_number", "tx_index", name=op.f("pk_transactions")),
        schema="derived",
    )
    op.create_index("ix_transactions_at", "transactions", ["at"], unique=False, schema="derived")
    op.create_index(
        "ix_transactions_contracts", "transactions", ["contracts"], unique=False, schema="derived", postgresql_using="gin"
    )
    op.create_index(
        "ix_transactions_events", "transactions", ["events"], unique=False, schema="derived", postgresql_using="gin"
    )
    op.create_index(op.f("ix_transactions_tx_hash"), "transactions", ["tx_hash"], unique=True, schema="derived")
    op.add_column("holdings", sa.Column("since", sa.DateTime(timezone=True), nullable=False), schema="derived")
    op.create_index(
        "ix_holdings_total_shares",
        "holdings",
        [sa.literal_column("(shares + locked_shares) DESC"), "holder"],
        unique=False,
        schema="derived",
    )


def downgrade() -> None:
    for table in _RECORDED_ANEW:
        op.execute(f"DELETE FROM derived.{table}")  # noqa: S608 — the names above
    op.drop_index("ix_holdings_total_shares", table_name="holdings", schema="derived")
    op.drop_column("holdings", "since", schema="derived")
    for table in _ADDED:
        op.drop_table(table, schema="derived")
    _restrict_contracts(("Vault", "RedemptionManager", "AssetController"))
