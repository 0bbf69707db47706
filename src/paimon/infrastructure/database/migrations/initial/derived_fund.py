"""Tables of shares, redemptions, assets, roles and flags."""

from paimon.infrastructure.database.migrations.initial.table_builder import (
    address,
    bigint,
    boolean,
    check,
    create_table,
    hash32,
    in_values,
    index,
    instant,
    integer,
    primary_key,
    text,
    uint256,
)


def create_tables() -> None:
    _create_share_balances()
    _create_deposits()
    _create_redemption_requests()
    _create_asset_configs()
    _create_tier_configs()
    _create_trades()
    _create_otc_orders()
    _create_contract_flags()
    _create_role_holders()
    _create_role_changes()
    _create_service_addresses()
    _create_liquidity_alerts()


def _create_share_balances() -> None:
    create_table(
        "derived.share_balances",
        address("holder"),
        uint256("shares"),
        uint256("locked_shares"),
        instant("since"),
        primary_key("holder"),
        index("total_shares", "(shares + locked_shares) DESC", "holder DESC"),
    )


def _create_deposits() -> None:
    create_table(
        "derived.deposits",
        address("sender"),
        address("receiver"),
        uint256("assets"),
        uint256("shares"),
        bigint("block_number"),
        integer("log_index"),
        hash32("tx_hash"),
        instant("at"),
        primary_key("block_number", "log_index"),
        index("at", "at"),
        index("receiver", "receiver", "block_number"),
    )


def _create_redemption_requests() -> None:
    create_table(
        "derived.redemption_requests",
        uint256("request_id"),
        address("owner"),
        address("receiver"),
        uint256("shares"),
        uint256("gross_amount"),
        uint256("estimated_fee"),
        in_values("channel", "STANDARD", "EMERGENCY", "SCHEDULED"),
        boolean("requires_approval"),
        uint256("window_id"),
        in_values("status", "PENDING", "PENDING_APPROVAL", "APPROVED", "SETTLED", "CANCELLED", "REJECTED"),
        instant("requested_at"),
        instant("settlement_at", null=True),
        uint256("settled_fee", null=True),
        uint256("settled_net_amount", null=True),
        text("rejection_reason", null=True),
        instant("closed_at", null=True),
        bigint("updated_block"),
        primary_key("request_id"),
        check(
            "amounts_when_settled",
            "(status = 'SETTLED') = (settled_net_amount IS NOT NULL) AND (settled_net_amount IS NULL) = (settled_fee IS NULL)",
        ),
        check(
            "approval_statuses_require_approval",
            "status NOT IN ('PENDING_APPROVAL','APPROVED','REJECTED') OR requires_approval",
        ),
        check("closed_when_terminal", "(status IN ('SETTLED','CANCELLED','REJECTED')) = (closed_at IS NOT NULL)"),
        check("pending_without_approval", "status <> 'PENDING' OR NOT requires_approval"),
        check("reason_when_rejected", "(status = 'REJECTED') = (rejection_reason IS NOT NULL)"),
        index("owner", "owner", "requested_at"),
        index("requested_at", "requested_at"),
        index("status_settlement", "status", "settlement_at"),
    )


def _create_asset_configs() -> None:
    create_table(
        "derived.asset_configs",
        address("token"),
        in_values("tier", "L1", "L2", "L3"),
        integer("allocation_bps"),
        boolean("is_active"),
        address("adapter", null=True),
        bigint("added_block"),
        bigint("removed_block", null=True),
        primary_key("token"),
        check("added_before_removed", "removed_block >= added_block"),
        check("allocation_bps_range", "allocation_bps BETWEEN 0 AND 10000"),
        check("removed_when_inactive", "is_active = (removed_block IS NULL)"),
    )


def _create_tier_configs() -> None:
    create_table(
        "derived.tier_configs",
        in_values("tier", "L1", "L2", "L3"),
        integer("target_bps"),
        integer("min_bps"),
        integer("max_bps"),
        bigint("since_block"),
        primary_key("tier"),
        check("bands_in_order", "0 <= min_bps AND min_bps <= target_bps AND target_bps <= max_bps AND max_bps <= 10000"),
    )


def _create_trades() -> None:
    create_table(
        "derived.trades",
        in_values("kind", "PURCHASE", "SALE"),
        in_values("trigger", "ALLOCATION", "PURCHASE", "REDEMPTION", "WATERFALL", "BUFFER_REFILL"),
        address("token"),
        in_values("tier", "L1", "L2", "L3", null=True),
        in_values("purchase_method", "OTC", "SWAP", "AUTO", null=True),
        uint256("usdt_amount"),
        uint256("token_amount"),
        boolean("has_effect"),
        uint256("request_id", null=True),
        bigint("block_number"),
        integer("log_index"),
        hash32("tx_hash"),
        instant("at"),
        primary_key("block_number", "log_index"),
        check("has_effect_with_amounts", "has_effect = (usdt_amount > 0 OR token_amount > 0)"),
        check("kind_matches_trigger", "(kind = 'PURCHASE') = (trigger IN ('ALLOCATION','PURCHASE'))"),
        check("request_only_for_waterfall", "request_id IS NULL OR trigger = 'WATERFALL'"),
        index("at", "at"),
        index("token", "token", "block_number"),
    )


def _create_otc_orders() -> None:
    create_table(
        "derived.otc_orders",
        address("manager"),
        uint256("order_id"),
        address("token"),
        address("counterparty"),
        uint256("usdt_amount"),
        uint256("expected_tokens"),
        in_values("status", "PENDING", "PAID", "DELIVERED", "CANCELLED"),
        instant("created_at"),
        instant("paid_at", null=True),
        instant("closed_at", null=True),
        uint256("actual_tokens", null=True),
        primary_key("manager", "order_id"),
        check("closed_when_terminal", "(status IN ('DELIVERED','CANCELLED')) = (closed_at IS NOT NULL)"),
        check("paid_before_delivered", "status NOT IN ('PAID','DELIVERED') OR paid_at IS NOT NULL"),
        check("pending_is_unpaid", "status <> 'PENDING' OR paid_at IS NULL"),
        check("tokens_when_delivered", "(status = 'DELIVERED') = (actual_tokens IS NOT NULL)"),
        index("open", "status", where="closed_at IS NULL"),
    )


def _create_contract_flags() -> None:
    create_table(
        "derived.contract_flags",
        in_values("contract", "Vault", "RedemptionManager", "AssetController", "OTCManager", "ERC20"),
        text("flag"),
        boolean("enabled"),
        bigint("since_block"),
        primary_key("contract", "flag"),
    )


def _create_role_holders() -> None:
    create_table(
        "derived.role_holders",
        in_values("contract", "Vault", "RedemptionManager", "AssetController", "OTCManager", "ERC20"),
        hash32("role"),
        address("account"),
        primary_key("contract", "role", "account"),
    )


def _create_role_changes() -> None:
    create_table(
        "derived.role_changes",
        in_values("contract", "Vault", "RedemptionManager", "AssetController", "OTCManager", "ERC20"),
        hash32("role"),
        address("account"),
        address("sender"),
        boolean("granted"),
        bigint("block_number"),
        integer("log_index"),
        hash32("tx_hash"),
        instant("at"),
        primary_key("block_number", "log_index"),
        index("account", "account", "block_number"),
    )


def _create_service_addresses() -> None:
    create_table(
        "derived.protocol_addresses",
        in_values("contract", "Vault", "RedemptionManager", "AssetController", "OTCManager", "ERC20"),
        in_values(
            "role", "asset_controller", "asset_scheduler", "fee_recipient", "oracle_adapter", "otc_manager", "swap_helper"
        ),
        address("address"),
        bigint("since_block"),
        primary_key("contract", "role"),
    )


def _create_liquidity_alerts() -> None:
    create_table(
        "derived.liquidity_alerts",
        in_values("level", "LOW", "CRITICAL"),
        uint256("ratio_bps"),
        uint256("threshold_bps"),
        uint256("available"),
        uint256("total", null=True),
        bigint("block_number"),
        integer("log_index"),
        hash32("tx_hash"),
        instant("at"),
        primary_key("block_number", "log_index"),
        check("total_when_low", "(level = 'LOW') = (total IS NOT NULL)"),
        index("at", "at"),
    )
