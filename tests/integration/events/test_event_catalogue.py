"""Tests of the whole event catalogue, from actions on the real contracts to the derived tables."""

from collections import Counter
from typing import Any

import pytest
from eth_utils.crypto import keccak
from sqlalchemy import select
from tests.support.chain.fund import DAY, WAD, TestFund
from tests.support.chain.recording import record_all

from paimon.composition import AppContext
from paimon.domain.asset.otc_order import OrderStatus
from paimon.domain.asset.protocol_address import ProtocolAddressKind
from paimon.domain.asset.purchase_method import PurchaseMethod
from paimon.domain.asset.tier import Tier
from paimon.domain.asset.token_transfer import TransferDirection, TransferPurpose
from paimon.domain.asset.trade import TradeKind, TradeTrigger
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import ContractName, parse_address
from paimon.domain.vault.fees import FeeEntryType, FeeKind
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
    RawLogRow,
    RoleChangeRow,
    TierConfigRow,
    TokenFlowRow,
    TokenTransferRow,
    TrackedContractRow,
    TradeRow,
)

pytestmark = pytest.mark.integration

AC = "AssetController"


async def rows(app_context: AppContext, model: type[Base], *conditions: Any) -> list[Any]:
    keys = model.__table__.primary_key
    async with app_context.database.read() as session:
        return list(await session.scalars(select(model).where(*conditions).order_by(*keys)))


async def transfers(app_context: AppContext, since: int) -> list[TokenTransferRow]:
    found: list[TokenTransferRow] = await rows(app_context, TokenTransferRow, TokenTransferRow.block_number >= since)
    return found


def moved(found: list[TokenTransferRow]) -> Counter[tuple[TransferDirection, TransferPurpose]]:
    return Counter((transfer.direction, transfer.purpose) for transfer in found)


def deposit(fund: TestFund, name: str, usdt: int) -> int:
    fund.send_to(name, "TestToken", fund.deployment.usdt, "approve", fund.deployment.vault, usdt * WAD)
    return fund.send(name, "Vault", "deposit", usdt * WAD, fund.accounts.address(name))


def order(fund: TestFund, symbol: str, usdt: int, tokens: int) -> int:
    token, counterparty = fund.asset(symbol).address, fund.deployment.otc_counterparty
    fund.send("hot", AC, "createOTCOrder", token, usdt * WAD, tokens, counterparty, 30 * DAY)
    with fund.chain() as chain:
        return int(chain.read("OTCManager", fund.deployment.otc_manager, "orderCount"))


async def test_every_transfer_of_the_deployment_has_a_purpose(app_context: AppContext, fund: TestFund) -> None:
    await record_all(app_context, fund)
    tracked = {row.address: row for row in await rows(app_context, TrackedContractRow)}
    tokens = {parse_address(asset.address) for asset in fund.deployment.assets}
    assert {token for token, row in tracked.items() if row.contract is ContractName.TOKEN} == tokens | {
        parse_address(fund.deployment.usdt)
    }
    assert parse_address(fund.deployment.otc_manager) in tracked
    assets = await rows(app_context, AssetConfigRow)
    assert {row.token for row in assets} == tokens
    assert {row.tier for row in assets} == set(Tier)
    assert sum(row.allocation_bps for row in assets) == 9_400
    found = await transfers(app_context, 0)
    assert moved(found) == {
        (TransferDirection.IN, TransferPurpose.DEPOSIT): 5,
        (TransferDirection.OUT, TransferPurpose.PURCHASE): 8,
        (TransferDirection.IN, TransferPurpose.PURCHASE): 8,
    }
    trades = await rows(app_context, TradeRow)
    assert [(trade.kind, trade.trigger, trade.has_effect) for trade in trades] == [
        (TradeKind.PURCHASE, TradeTrigger.PURCHASE, True)
    ] * 8
    assert len(await rows(app_context, DepositRow)) == 5
    assert {(row.contract, row.role) for row in await rows(app_context, ProtocolAddressRow)} == {
        (ContractName.VAULT, ProtocolAddressKind.ASSET_CONTROLLER),
        (ContractName.REDEMPTION_MANAGER, ProtocolAddressKind.ASSET_CONTROLLER),
        (ContractName.REDEMPTION_MANAGER, ProtocolAddressKind.ASSET_SCHEDULER),
        (ContractName.ASSET_CONTROLLER, ProtocolAddressKind.ASSET_SCHEDULER),
        (ContractName.ASSET_CONTROLLER, ProtocolAddressKind.FEE_RECIPIENT),
        (ContractName.ASSET_CONTROLLER, ProtocolAddressKind.ORACLE_ADAPTER),
        (ContractName.ASSET_CONTROLLER, ProtocolAddressKind.OTC_MANAGER),
        (ContractName.ASSET_CONTROLLER, ProtocolAddressKind.SWAP_HELPER),
    }
    quarantined = await rows(app_context, RawLogRow, RawLogRow.status == LogStatus.QUARANTINED)
    assert quarantined == []
    logs, transactions = await rows(app_context, RawLogRow), await rows(app_context, ChainTransactionRow)
    assert sum(transaction.logs for transaction in transactions) == len(logs)
    assert len(transactions) == len({log.tx_hash for log in logs})


async def test_purchase_is_counted_once_by_any_function(app_context: AppContext, fund: TestFund) -> None:
    """Deployed behaviours 7 and 8."""
    since = fund.send("hot", AC, "purchaseAsset", fund.asset("RWAC").address, 10_000 * WAD)
    fund.send("hot", AC, "purchaseAsset", fund.asset("RWAC").address, 100 * WAD)  # below the asset's minimum
    fund.send("hot", AC, "allocateToLayer", 1, 20_000 * WAD)
    await record_all(app_context, fund)
    found = await rows(app_context, TradeRow, TradeRow.block_number >= since)
    assert [(trade.trigger, trade.purchase_method, trade.usdt_amount // WAD, trade.has_effect) for trade in found] == [
        (TradeTrigger.PURCHASE, PurchaseMethod.SWAP, 10_000, True),
        (TradeTrigger.PURCHASE, None, 0, False),
        (TradeTrigger.ALLOCATION, PurchaseMethod.SWAP, 10_000, True),
        (TradeTrigger.ALLOCATION, PurchaseMethod.SWAP, 10_000, True),
    ]
    assert moved(await transfers(app_context, since)) == {
        (TransferDirection.OUT, TransferPurpose.PURCHASE): 3,
        (TransferDirection.IN, TransferPurpose.PURCHASE): 3,
    }


async def test_sales_and_waterfalls_belong_to_their_settlement(app_context: AppContext, fund: TestFund) -> None:
    request = fund.request("ivan", 470_000)  # more than the fund has in cash once that is spent, below 2 %
    fund.approve_on_chain(request)
    fund.send("hot", AC, "purchaseAsset", fund.asset("RWAT").address, 1_300_000 * WAD)
    fund.warp(8 * DAY)
    since = fund.send("ada", "RedemptionManager", "settleRedemption", request)
    fund.send("hot", AC, "redeemAsset", fund.asset("RWAT").address, 1_000 * WAD)
    fund.send("hot", AC, "executeWaterfallLiquidation", 50_000 * WAD, 1)
    fund.send("hot", AC, "rebalanceBuffer")
    await record_all(app_context, fund)
    found = await rows(app_context, TradeRow, TradeRow.block_number >= since)
    assert {trade.kind for trade in found} == {TradeKind.SALE}
    by_way = {(trade.trigger, trade.request_id) for trade in found}
    assert by_way == {
        (TradeTrigger.WATERFALL, request),
        (TradeTrigger.REDEMPTION, None),
        (TradeTrigger.WATERFALL, None),
        (TradeTrigger.BUFFER_REFILL, None),
    }
    movements = moved(await transfers(app_context, since))
    assert (
        movements[TransferDirection.OUT, TransferPurpose.SALE]
        == movements[TransferDirection.IN, TransferPurpose.SALE]
        == len(found)
    )
    assert movements[TransferDirection.OUT, TransferPurpose.REDEMPTION_PAYOUT] == 1
    assert sum(movements.values()) == 2 * len(found) + 1
    assert [alert.level.value for alert in await rows(app_context, LiquidityAlertRow)] == []


async def test_otc_order_is_in_transit_until_delivery(app_context: AppContext, fund: TestFund) -> None:
    """Deployed behaviour 5."""
    token, unit = fund.asset("RWAC"), 10**18
    since = fund.node.rpc.head().number
    orders = [order(fund, "RWAC", 50_000, 40_000 * unit) for _ in range(3)]
    fund.send("hot", AC, "executeOTCPayment", orders[0])
    fund.send("hot", AC, "executeOTCPayment", orders[1])
    fund.send("ada", "OTCManager", "cancelOrder", orders[2])
    counterparty = (token.address, fund.deployment.otc_manager, 39_000 * unit)
    fund.send("ada", "Counterparty", "deliver", *counterparty)
    fund.send("hot", AC, "confirmOTCDelivery", orders[0], 39_000 * unit)
    await record_all(app_context, fund)
    found = await rows(app_context, OtcOrderRow)
    assert [(order.order_id, order.status, order.actual_tokens) for order in found] == [
        (orders[0], OrderStatus.DELIVERED, 39_000 * unit),
        (orders[1], OrderStatus.PAID, None),
        (orders[2], OrderStatus.CANCELLED, None),
    ]
    assert moved(await transfers(app_context, since)) == {
        (TransferDirection.OUT, TransferPurpose.OTC_PAYMENT): 2,
        (TransferDirection.IN, TransferPurpose.OTC_DELIVERY): 1,
    }


async def test_fee_entries_follow_accrual_collection_and_withdrawal(app_context: AppContext, fund: TestFund) -> None:
    """Deployed behaviour 6: only a Transfer shows a collection."""
    request = fund.request("ines", 10_000)
    since = fund.node.rpc.head().number
    fund.warp(30 * DAY)
    fund.send("ines", AC, "accrueManagementFee")  # anyone may
    fund.send("ada", "OracleAdapter", "setPrice", fund.asset("RWAC").address, 2 * WAD)
    fund.send("ada", "RedemptionManager", "settleRedemption", request)
    fund.warp(DAY)
    fund.send("ada", AC, "collectFees")
    with fund.chain() as chain:
        withdrawable = chain.read("Vault", fund.deployment.vault, "withdrawableRedemptionFees")
    fund.send("ada", AC, "withdrawRedemptionFees", withdrawable // 2)
    await record_all(app_context, fund)
    accounts = {row.kind: row for row in await rows(app_context, FeeAccountRow)}
    for kind in (FeeKind.MANAGEMENT, FeeKind.PERFORMANCE):
        assert accounts[kind].accrued == accounts[kind].released == accounts[kind].paid > 0
    kept = accounts[FeeKind.REDEMPTION]
    assert (kept.accrued, kept.released, kept.paid) == (withdrawable, withdrawable // 2, withdrawable // 2)
    entries = await rows(app_context, FeeEntryRow)
    assert Counter((entry.kind, entry.entry_type) for entry in entries) == {
        (FeeKind.MANAGEMENT, FeeEntryType.ACCRUED): 2,
        (FeeKind.MANAGEMENT, FeeEntryType.PAID): 1,
        (FeeKind.PERFORMANCE, FeeEntryType.ACCRUED): 1,
        (FeeKind.PERFORMANCE, FeeEntryType.PAID): 1,
        (FeeKind.REDEMPTION, FeeEntryType.ACCRUED): 1,
        (FeeKind.REDEMPTION, FeeEntryType.RELEASED): 1,
        (FeeKind.REDEMPTION, FeeEntryType.PAID): 1,
    }
    found = await transfers(app_context, since)
    assert moved(found) == {
        (TransferDirection.OUT, TransferPurpose.REDEMPTION_PAYOUT): 1,
        (TransferDirection.OUT, TransferPurpose.FEE_COLLECTION): 1,
        (TransferDirection.OUT, TransferPurpose.REDEMPTION_FEE_WITHDRAWAL): 1,
    }


async def test_transfer_without_log_is_kept_as_unexplained(app_context: AppContext, fund: TestFund) -> None:
    """Deployed behaviour 6: an emergency withdrawal and a gift leave only the token's Transfer."""
    usdt, vault, ada = fund.deployment.usdt, fund.deployment.vault, fund.accounts.address("ada")
    since = fund.send("ada", "Vault", "emergencyWithdraw", usdt, ada, 7 * WAD)
    fund.send("ada", "Vault", "emergencyWithdraw", fund.asset("MMFB").address, ada, 5)
    fund.send("ada", "Vault", "emergencyWithdraw", usdt, vault, WAD)  # to itself
    fund.send_to("ines", "TestToken", usdt, "transfer", vault, 3 * WAD)
    await record_all(app_context, fund)
    found = await transfers(app_context, since)
    assert [(transfer.direction, transfer.purpose, transfer.amount) for transfer in found] == [
        (TransferDirection.OUT, TransferPurpose.EMERGENCY_WITHDRAWAL, 7 * WAD),
        (TransferDirection.OUT, TransferPurpose.EMERGENCY_WITHDRAWAL, 5),
        (TransferDirection.INTERNAL, TransferPurpose.EMERGENCY_WITHDRAWAL, WAD),
        (TransferDirection.IN, TransferPurpose.UNEXPLAINED, 3 * WAD),
    ]


async def test_yield_assets_tiers_and_roles_are_projected(app_context: AppContext, fund: TestFund) -> None:
    bill = fund.asset("oTBILL")
    assert bill.adapter is not None
    since = fund.node.rpc.head().number
    fund.send_to("ada", "PurchaseAdapter", bill.adapter, "earn", 1_000 * WAD)
    fund.send("hot", AC, "compoundYield")
    fund.send("hot", AC, "updateAssetAllocation", bill.address, 250)
    fund.send("ada", AC, "setAssetAdapter", bill.address, fund.accounts.address("otto"))
    fund.send("ada", AC, "removeAsset", bill.address)
    fund.send("ada", AC, "setLayerConfig", 1, 3_100, 2_000, 4_000)
    role = keccak(text="REBALANCER_ROLE")
    fund.send("ada", AC, "grantRole", role, fund.accounts.address("otto"))
    fund.send("ada", AC, "revokeRole", role, fund.accounts.address("otto"))
    await record_all(app_context, fund)
    assert moved(await transfers(app_context, since)) == {
        (TransferDirection.IN, TransferPurpose.YIELD): 1,
        (TransferDirection.IN, TransferPurpose.ZERO_VALUE): 3,
    }
    (asset,) = await rows(app_context, AssetConfigRow, AssetConfigRow.token == parse_address(bill.address))
    assert (asset.allocation_bps, asset.is_active, asset.removed_block is not None) == (250, False, True)
    assert asset.adapter == parse_address(fund.accounts.address("otto"))
    (band,) = await rows(app_context, TierConfigRow)
    assert (band.tier, band.target_bps, band.min_bps, band.max_bps) == (Tier.L2, 3_100, 2_000, 4_000)
    changes = await rows(app_context, RoleChangeRow, RoleChangeRow.block_number > since)
    assert [(change.granted, change.account, change.sender) for change in changes] == [
        (granted, parse_address(fund.accounts.address("otto")), parse_address(fund.accounts.address("ada")))
        for granted in (True, False)
    ]


async def test_token_is_tracked_from_the_block_of_its_event(app_context: AppContext, fund: TestFund) -> None:
    """The block may be alone in its range or have later ones beside it, and the listener may restart."""
    await record_all(app_context, fund)
    with fund.chain() as chain:
        admin = fund.accounts.account("ada")
        new = chain.deploy(admin, "TestToken", "New Notes", "NEWN", 6)
        chain.call(admin, "TestToken", new, "mint", fund.deployment.vault, 11)  # not followed yet
        fund.mine(1)
        chain.call(admin, AC, fund.deployment.asset_controller, "addAssetSimple", new, 2, 0)
        fund.mine(1)
        chain.call(admin, "TestToken", new, "mint", fund.deployment.vault, 22)
        fund.mine(1)
        chain.confirm()
    await record_all(app_context, fund)
    fund.send_to("ada", "TestToken", new, "mint", fund.deployment.vault, 33)
    await record_all(app_context, fund)
    found = await rows(app_context, TokenTransferRow, TokenTransferRow.token == parse_address(new))
    assert [transfer.amount for transfer in found] == [22, 33]
    (flow,) = await rows(app_context, TokenFlowRow, TokenFlowRow.token == parse_address(new))
    assert (flow.received, flow.sent) == (55, 0)
