"""Tables of token transfers, fees and snapshots."""

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
    smallint,
    uint256,
)


def create_tables() -> None:
    _create_token_transfers()
    _create_token_flows()
    _create_fee_accounts()
    _create_fee_entries()
    _create_daily_snapshots()
    _create_asset_holdings_snapshots()


def _create_token_transfers() -> None:
    create_table(
        "derived.token_transfers",
        address("token"),
        address("sender"),
        address("receiver"),
        in_values("direction", "IN", "OUT", "INTERNAL"),
        uint256("amount"),
        in_values(
            "purpose",
            "DEPOSIT",
            "REDEMPTION_PAYOUT",
            "PURCHASE",
            "SALE",
            "OTC_PAYMENT",
            "OTC_DELIVERY",
            "FEE_COLLECTION",
            "REDEMPTION_FEE_WITHDRAWAL",
            "YIELD",
            "EMERGENCY_WITHDRAWAL",
            "ZERO_VALUE",
            "UNEXPLAINED",
        ),
        integer("source_log_index", null=True),
        bigint("block_number"),
        integer("log_index"),
        hash32("tx_hash"),
        instant("at"),
        primary_key("block_number", "log_index"),
        check("zero_value_amount", "purpose <> 'ZERO_VALUE' OR amount = 0"),
        check(
            "source_log_index_by_purpose",
            "(source_log_index IS NULL) = (purpose IN ('FEE_COLLECTION','EMERGENCY_WITHDRAWAL','ZERO_VALUE','UNEXPLAINED'))",
        ),
        check("internal_same_address", "(direction = 'INTERNAL') = (sender = receiver)"),
        index("unexplained", "block_number", where="purpose IN ('EMERGENCY_WITHDRAWAL','UNEXPLAINED')"),
        index("at", "at"),
        index("token", "token", "block_number"),
    )


def _create_token_flows() -> None:
    create_table(
        "derived.token_flows",
        address("token"),
        uint256("received"),
        uint256("sent"),
        primary_key("token"),
    )


def _create_fee_accounts() -> None:
    create_table(
        "derived.fee_accounts",
        in_values("kind", "MANAGEMENT", "PERFORMANCE", "REDEMPTION"),
        uint256("accrued"),
        uint256("released"),
        uint256("paid"),
        primary_key("kind"),
        check("released_within_accrued", "released <= accrued"),
    )


def _create_fee_entries() -> None:
    create_table(
        "derived.fee_entries",
        in_values("kind", "MANAGEMENT", "PERFORMANCE", "REDEMPTION"),
        in_values("entry_type", "ACCRUED", "RELEASED", "PAID"),
        uint256("amount"),
        uint256("base", null=True),
        uint256("period_seconds", null=True),
        uint256("high_water_mark", null=True),
        address("recipient", null=True),
        bigint("block_number"),
        integer("log_index"),
        hash32("tx_hash"),
        instant("at"),
        primary_key("kind", "block_number", "log_index"),
        check("base_when_computed", "(base IS NOT NULL) = (entry_type = 'ACCRUED' AND kind <> 'REDEMPTION')"),
        check(
            "high_water_mark_for_performance",
            "(high_water_mark IS NOT NULL) = (entry_type = 'ACCRUED' AND kind = 'PERFORMANCE')",
        ),
        check("released_only_for_redemption", "entry_type <> 'RELEASED' OR kind = 'REDEMPTION'"),
        check("period_for_management", "(period_seconds IS NOT NULL) = (entry_type = 'ACCRUED' AND kind = 'MANAGEMENT')"),
        check("recipient_when_paid", "(entry_type = 'PAID') = (recipient IS NOT NULL)"),
        index("at", "at"),
    )


def _create_daily_snapshots() -> None:
    create_table(
        "derived.daily_snapshots",
        instant("time"),
        bigint("block_number"),
        hash32("block_hash"),
        uint256("cash"),
        uint256("layer1_value"),
        uint256("layer2_value"),
        uint256("layer3_value"),
        uint256("gross_assets"),
        uint256("net_assets"),
        uint256("nav_per_share"),
        uint256("total_supply"),
        uint256("locked_shares"),
        uint256("redemption_liability"),
        uint256("withdrawable_redemption_fees"),
        uint256("pending_fees"),
        uint256("high_water_mark"),
        uint256("in_transit"),
        uint256("contract_total_assets"),
        uint256("contract_share_price"),
        boolean("tier_values_match"),
        primary_key("time", "block_number"),
        check("gross_assets_sum_tiers", "gross_assets = layer1_value + layer2_value + layer3_value"),
        check("locked_within_supply", "locked_shares <= total_supply"),
        index("block_number", "block_number"),
    )


def _create_asset_holdings_snapshots() -> None:
    create_table(
        "derived.asset_holdings_snapshots",
        instant("time"),
        bigint("block_number"),
        address("token"),
        smallint("tier"),
        boolean("active"),
        uint256("balance"),
        uint256("price", null=True),
        instant("priced_at", null=True),
        uint256("value"),
        primary_key("time", "block_number", "token"),
        check("inactive_value_zero", "active OR value = 0"),
        check("tier_known", "tier BETWEEN 0 AND 2"),
    )
