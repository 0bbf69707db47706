"""One valid row of each table of the event catalogue, and the invalid rows that its constraints must refuse."""

from typing import Any, Final

from tests.support.factories.strategies import EPOCH, address

from paimon.domain.kernel.chain import ContractName, Hash32
from paimon.domain.kernel.units import UINT256_MAX
from paimon.infrastructure.database.models.base import Base
from paimon.infrastructure.database.models.derived import (
    AssetConfigRow,
    ChainTransactionRow,
    DepositRow,
    FeeAccountRow,
    FeeEntryRow,
    LiquidityAlertRow,
    OtcOrderRow,
    ProtocolAddressRow,
    RoleChangeRow,
    TierConfigRow,
    TokenFlowRow,
    TokenTransferRow,
    TrackedContractRow,
    TradeRow,
)

InvalidRow = tuple[type[Base], dict[str, Any], str]

HASH: Final = Hash32(b"\x01" * 32)
LOG_COLUMNS: Final = {"block_number": 1, "log_index": 0, "tx_hash": HASH, "at": EPOCH}

VALID: Final[dict[type[Base], dict[str, Any]]] = {
    TrackedContractRow: {"address": address(1), "contract": "Vault", "origin": "settings", "since_block": 1},
    ChainTransactionRow: {
        "block_number": 1,
        "tx_index": 0,
        "tx_hash": HASH,
        "at": EPOCH,
        "logs": 1,
        "contracts": ["Vault"],
        "events": ["Paused"],
    },
    DepositRow: LOG_COLUMNS | {"sender": address(1), "receiver": address(1), "assets": 1, "shares": 1},
    RoleChangeRow: LOG_COLUMNS
    | {"contract": ContractName.VAULT, "role": HASH, "account": address(1), "sender": address(2), "granted": True},
    ProtocolAddressRow: {
        "contract": ContractName.ASSET_CONTROLLER,
        "role": "fee_recipient",
        "address": address(1),
        "since_block": 1,
    },
    LiquidityAlertRow: LOG_COLUMNS | {"level": "LOW", "ratio_bps": 1, "threshold_bps": 2, "available": 1, "total": 1},
    AssetConfigRow: {"token": address(1), "tier": "L1", "allocation_bps": 1, "is_active": True, "added_block": 5},
    TierConfigRow: {"tier": "L1", "min_bps": 1, "target_bps": 2, "max_bps": 3, "since_block": 1},
    TradeRow: LOG_COLUMNS
    | {
        "kind": "SALE",
        "trigger": "WATERFALL",
        "token": address(1),
        "tier": "L2",
        "usdt_amount": 1,
        "token_amount": 1,
        "has_effect": True,
        "request_id": 1,
    },
    OtcOrderRow: {
        "manager": address(1),
        "order_id": 1,
        "token": address(2),
        "counterparty": address(3),
        "usdt_amount": 1,
        "expected_tokens": 1,
        "status": "PENDING",
        "created_at": EPOCH,
    },
    TokenTransferRow: LOG_COLUMNS
    | {
        "token": address(1),
        "sender": address(2),
        "receiver": address(3),
        "direction": "IN",
        "amount": 1,
        "purpose": "UNEXPLAINED",
    },
    TokenFlowRow: {"token": address(1), "received": 1, "sent": 1},
    FeeAccountRow: {"kind": "MANAGEMENT", "accrued": 2, "released": 1, "paid": 1},
    FeeEntryRow: LOG_COLUMNS | {"kind": "REDEMPTION", "entry_type": "ACCRUED", "amount": 1},
}

INVALID_STATES: Final[list[InvalidRow]] = [
    (TrackedContractRow, {"origin": "vault_asset", "contract": "OTCManager"}, "ck_tracked_contracts_vault_asset_is_erc20"),
    (TrackedContractRow, {"origin": "event"}, "ck_tracked_contracts_core_from_settings"),
    (TrackedContractRow, {"contract": "OTCManager"}, "ck_tracked_contracts_core_from_settings"),
    (ChainTransactionRow, {"logs": 0}, "ck_transactions_has_logs"),
    (LiquidityAlertRow, {"level": "CRITICAL"}, "ck_liquidity_alerts_total_when_low"),
    (LiquidityAlertRow, {"total": None}, "ck_liquidity_alerts_total_when_low"),
    (AssetConfigRow, {"allocation_bps": 10_001}, "ck_asset_configs_allocation_bps_range"),
    (AssetConfigRow, {"is_active": False}, "ck_asset_configs_removed_when_inactive"),
    (AssetConfigRow, {"removed_block": 6}, "ck_asset_configs_removed_when_inactive"),
    (AssetConfigRow, {"is_active": False, "removed_block": 4}, "ck_asset_configs_added_before_removed"),
    (TierConfigRow, {"min_bps": 3}, "ck_tier_configs_bands_in_order"),
    (TierConfigRow, {"max_bps": 10_001}, "ck_tier_configs_bands_in_order"),
    (TierConfigRow, {"min_bps": -1}, "ck_tier_configs_bands_in_order"),
    (TradeRow, {"kind": "PURCHASE"}, "ck_trades_kind_matches_trigger"),
    (TradeRow, {"has_effect": False}, "ck_trades_has_effect_with_amounts"),
    (TradeRow, {"usdt_amount": 0, "token_amount": 0}, "ck_trades_has_effect_with_amounts"),
    (TradeRow, {"trigger": "REDEMPTION"}, "ck_trades_request_only_for_waterfall"),
    (OtcOrderRow, {"status": "CANCELLED"}, "ck_otc_orders_closed_when_terminal"),
    (OtcOrderRow, {"closed_at": EPOCH}, "ck_otc_orders_closed_when_terminal"),
    (OtcOrderRow, {"status": "PAID"}, "ck_otc_orders_paid_before_delivered"),
    (OtcOrderRow, {"paid_at": EPOCH}, "ck_otc_orders_pending_is_unpaid"),
    (OtcOrderRow, {"actual_tokens": 1}, "ck_otc_orders_tokens_when_delivered"),
    (
        OtcOrderRow,
        {"status": "DELIVERED", "paid_at": EPOCH, "closed_at": EPOCH},
        "ck_otc_orders_tokens_when_delivered",
    ),
    (TokenTransferRow, {"direction": "INTERNAL"}, "ck_token_transfers_internal_same_address"),
    (TokenTransferRow, {"receiver": address(2)}, "ck_token_transfers_internal_same_address"),
    (TokenTransferRow, {"source_log_index": 1}, "ck_token_transfers_source_log_index_by_purpose"),
    (TokenTransferRow, {"purpose": "ZERO_VALUE"}, "ck_token_transfers_zero_value_amount"),
    (TokenTransferRow, {"purpose": "DEPOSIT"}, "ck_token_transfers_source_log_index_by_purpose"),
    (FeeAccountRow, {"released": 3}, "ck_fee_accounts_released_within_accrued"),
    (FeeEntryRow, {"entry_type": "PAID"}, "ck_fee_entries_recipient_when_paid"),
    (FeeEntryRow, {"recipient": address(1)}, "ck_fee_entries_recipient_when_paid"),
    (FeeEntryRow, {"entry_type": "RELEASED", "kind": "MANAGEMENT"}, "ck_fee_entries_released_only_for_redemption"),
    (FeeEntryRow, {"base": 1}, "ck_fee_entries_base_when_computed"),
    (FeeEntryRow, {"kind": "MANAGEMENT", "period_seconds": 1}, "ck_fee_entries_base_when_computed"),
    (FeeEntryRow, {"high_water_mark": 1}, "ck_fee_entries_high_water_mark_for_performance"),
    (FeeEntryRow, {"kind": "PERFORMANCE", "base": 1}, "ck_fee_entries_high_water_mark_for_performance"),
    (FeeEntryRow, {"period_seconds": 1}, "ck_fee_entries_period_for_management"),
    (FeeEntryRow, {"kind": "MANAGEMENT", "base": 1}, "ck_fee_entries_period_for_management"),
]

# The other columns, where a row of an unknown kind must not first be wrong in another way.
_COMPANION_COLUMNS: Final[dict[tuple[type[Base], str], dict[str, Any]]] = {
    (TrackedContractRow, "contract"): {"origin": "event"},
    (TrackedContractRow, "origin"): {"contract": "ERC20"},
    (TradeRow, "trigger"): {"request_id": None},
    (TokenTransferRow, "purpose"): {"source_log_index": 1},
    (LiquidityAlertRow, "level"): {"total": None},
    (FeeEntryRow, "kind"): {"base": 1},
}

UNKNOWN_VALUES: Final[list[InvalidRow]] = [
    (table, {column: "no such value"} | _COMPANION_COLUMNS.get((table, column), {}), f"ck_{table.__tablename__}_{column}_known")
    for table, columns in {
        TrackedContractRow: ("contract", "origin"),
        RoleChangeRow: ("contract",),
        ProtocolAddressRow: ("contract", "role"),
        LiquidityAlertRow: ("level",),
        AssetConfigRow: ("tier",),
        TierConfigRow: ("tier",),
        TradeRow: ("kind", "trigger", "tier", "purchase_method"),
        OtcOrderRow: ("status",),
        TokenTransferRow: ("direction", "purpose"),
        FeeAccountRow: ("kind",),
        FeeEntryRow: ("kind", "entry_type"),
    }.items()
    for column in columns
]

WRONG_LENGTHS: Final[list[InvalidRow]] = [
    (table, {column: b"\x01" * wrong}, f"ck_{table.__tablename__}_{column}_length")
    for table, columns in {
        TrackedContractRow: ("address",),
        ChainTransactionRow: ("tx_hash",),
        DepositRow: ("tx_hash", "sender", "receiver"),
        RoleChangeRow: ("tx_hash", "role", "account", "sender"),
        ProtocolAddressRow: ("address",),
        LiquidityAlertRow: ("tx_hash",),
        AssetConfigRow: ("token", "adapter"),
        TradeRow: ("tx_hash", "token"),
        OtcOrderRow: ("manager", "token", "counterparty"),
        TokenTransferRow: ("tx_hash", "token", "sender", "receiver"),
        TokenFlowRow: ("token",),
        FeeEntryRow: ("tx_hash",),
    }.items()
    for column in columns
    for wrong in (0, 33)
]
WRONG_LENGTHS.append((FeeEntryRow, {"entry_type": "PAID", "recipient": b"\x01"}, "ck_fee_entries_recipient_length"))

_PERFORMANCE: Final = {"kind": "PERFORMANCE", "base": 1, "high_water_mark": 1}
_MANAGEMENT: Final = {"kind": "MANAGEMENT", "base": 1, "period_seconds": 1}
_DELIVERED: Final = {"status": "DELIVERED", "paid_at": EPOCH, "closed_at": EPOCH, "actual_tokens": 1}

WRONG_AMOUNTS: Final[list[InvalidRow]] = [
    (table, beside | {column: wrong}, f"ck_{table.__tablename__}_{column}_uint256")
    for table, columns, beside in (
        (DepositRow, ("assets", "shares"), {}),
        (LiquidityAlertRow, ("ratio_bps", "threshold_bps", "available", "total"), {}),
        (TradeRow, ("usdt_amount", "token_amount", "request_id"), {}),
        (OtcOrderRow, ("order_id", "usdt_amount", "expected_tokens"), {}),
        (OtcOrderRow, ("actual_tokens",), _DELIVERED),
        (TokenTransferRow, ("amount",), {}),
        (TokenFlowRow, ("received", "sent"), {}),
        (FeeAccountRow, ("accrued", "paid"), {"released": -1}),
        (FeeEntryRow, ("amount",), {}),
        (FeeEntryRow, ("base", "high_water_mark"), _PERFORMANCE),
        (FeeEntryRow, ("period_seconds",), _MANAGEMENT),
    )
    for column in columns
    for wrong in (-1, UINT256_MAX + 1)
]
WRONG_AMOUNTS.append((FeeAccountRow, {"released": -1}, "ck_fee_accounts_released_uint256"))

DUPLICATES: Final[list[InvalidRow]] = [
    (TrackedContractRow, {"contract": "AssetController"}, "pk_tracked_contracts"),
    (TrackedContractRow, {"address": address(2)}, "uq_tracked_contracts_core"),
    (ChainTransactionRow, {"tx_hash": Hash32(b"\x02" * 32)}, "pk_transactions"),
    (ChainTransactionRow, {"tx_index": 1}, "ix_transactions_tx_hash"),
    (DepositRow, {"assets": 2}, "pk_deposits"),
    (RoleChangeRow, {"granted": False}, "pk_role_changes"),
    (ProtocolAddressRow, {"address": address(2)}, "pk_protocol_addresses"),
    (LiquidityAlertRow, {"ratio_bps": 2}, "pk_liquidity_alerts"),
    (AssetConfigRow, {"tier": "L2"}, "pk_asset_configs"),
    (TierConfigRow, {"since_block": 2}, "pk_tier_configs"),
    (TradeRow, {"token_amount": 2}, "pk_trades"),
    (OtcOrderRow, {"usdt_amount": 2}, "pk_otc_orders"),
    (TokenTransferRow, {"amount": 2}, "pk_token_transfers"),
    (TokenFlowRow, {"sent": 2}, "pk_token_flows"),
    (FeeAccountRow, {"paid": 2}, "pk_fee_accounts"),
    (FeeEntryRow, {"amount": 2}, "pk_fee_entries"),
]
