"""The whole fund at one block, in two requests (three while OTC orders are open), all addressed by the block's hash.

    1. the three contracts' own figures, the list of assets, and the roles in question
    2. each asset's balance, price and open OTC orders
    3. the open OTC orders themselves

A large fund takes several requests of `BATCH_MAX` calls each, still at one block: providers refuse larger ones.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

from paimon.domain.asset.purchase_method import PurchaseMethod
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, BlockStamp
from paimon.domain.kernel.units import RawAmount
from paimon.domain.vault.fund_snapshot import (
    AssetPosition,
    BufferPool,
    ContractFigures,
    FeeFigures,
    FundSnapshot,
    OperationalFlags,
    OrderInTransit,
    PurchaseTerms,
    RoleAssignment,
    TierLimits,
)
from paimon.infrastructure.blockchain.contracts.asset_controller import AssetConfig
from paimon.infrastructure.blockchain.contracts.erc20 import Erc20
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.oracle_adapter import OracleAdapter, TimedPrice
from paimon.infrastructure.blockchain.contracts.otc_manager import OtcOrderResult
from paimon.infrastructure.blockchain.contracts.reads import FailedRead, FailureKind, PendingRead, ReadBatch

_T = TypeVar("_T")

_ORDER_PAID: Final = 1


async def read_snapshot(
    contracts: FundContracts, *, at: BlockStamp, requested_roles: Sequence[RoleAssignment] = ()
) -> FundSnapshot:
    """Read the fund at `at`, and which of the requested roles are held there.

    Raises:
        CallReverted: the contracts cannot value themselves, as before an oracle is set, or an asset's price is missing.
        RpcUnavailable, RpcError.
    """
    vault, manager, controller = contracts.vault, contracts.redemption_manager, contracts.asset_controller
    batch = ReadBatch()
    asset = batch.add(vault.asset())
    breakdown = batch.add(vault.liquidity_breakdown())
    supply = batch.add(vault.total_supply())
    locked_shares = batch.add(vault.total_locked_shares())
    liability = batch.add(vault.total_redemption_liability())
    withdrawable_fees = batch.add(vault.withdrawable_redemption_fees())
    accumulated_fees = batch.add(vault.total_accumulated_redemption_fees())
    total_assets = batch.add(vault.total_assets())
    share_price = batch.add(vault.share_price())
    emergency_mode = batch.add(vault.emergency_mode())
    vault_paused = batch.add(vault.paused())
    manager_paused = batch.add(manager.paused())
    controller_paused = batch.add(controller.paused())
    configs = batch.add(controller.asset_configs())
    layers = batch.add(controller.layer_configs())
    buffer = batch.add(controller.buffer_pool_info())
    asset_value = batch.add(controller.asset_value())
    pending_fees = batch.add(controller.pending_fees())
    management_fees = batch.add(controller.accumulated_management_fees())
    performance_fees = batch.add(controller.accumulated_performance_fees())
    fee_recipient = batch.add(controller.fee_recipient())
    slippage = batch.add(controller.default_swap_slippage())
    oracle = batch.add(controller.oracle_adapter())
    otc_manager = batch.add(controller.otc_manager())
    held = [batch.add(contracts.managed(role.contract).has_role(role.role, role.account)) for role in requested_roles]
    await contracts.run(batch, at=at)
    positions, orders = await _read_assets(
        contracts, configs.result, oracle=oracle.result, otc_manager=otc_manager.result, at=at
    )
    layer1, layer2, layer3 = (TierLimits(*layer) for layer in layers.result)
    return FundSnapshot(
        at=at,
        asset=asset.result,
        asset_decimals=await contracts.asset_decimals(at=at),
        cash=breakdown.result.layer1_cash,
        assets=tuple(positions),
        total_supply=supply.result,
        locked_shares=locked_shares.result,
        redemption_liability=liability.result,
        withdrawable_redemption_fees=withdrawable_fees.result,
        accumulated_redemption_fees=accumulated_fees.result,
        fees=FeeFigures(
            accrued_management=management_fees.result,
            accrued_performance=performance_fees.result,
            pending_management=pending_fees.result.management,
            pending_performance=pending_fees.result.performance,
            last_accrual_at=_time(pending_fees.result.last_collection),
            high_water_mark=pending_fees.result.high_water_mark,
            recipient=fee_recipient.result,
        ),
        tier_limits=(layer1, layer2, layer3),
        buffer=BufferPool(
            cash=buffer.result.cash,
            yield_value=buffer.result.yield_value,
            target=buffer.result.target,
            ratio=buffer.result.ratio,
            needs_rebalance=buffer.result.needs_rebalance,
        ),
        default_slippage=slippage.result,
        flags=OperationalFlags(vault_paused.result, manager_paused.result, controller_paused.result, emergency_mode.result),
        in_transit=tuple(orders),
        contract=ContractFigures(
            total_assets=total_assets.result,
            share_price=share_price.result,
            asset_value=asset_value.result,
            layer1_yield=breakdown.result.layer1_yield,
            layer2=breakdown.result.layer2,
            layer3=breakdown.result.layer3,
        ),
        roles=tuple(role for role, is_held in zip(requested_roles, held, strict=True) if is_held.result),
    )


class _AssetReads(NamedTuple):
    """Reads of one asset, still to be answered. An oracle may have no price, and an adapter no times."""

    balance: PendingRead[RawAmount]
    price: PendingRead[RawAmount]
    timed_price: PendingRead[TimedPrice]
    open_orders: PendingRead[tuple[int, ...]] | None


async def _read_assets(
    contracts: FundContracts, configs: Sequence[AssetConfig], *, oracle: Address, otc_manager: Address, at: BlockStamp
) -> tuple[list[AssetPosition], list[OrderInTransit]]:
    """Read balances, prices and open OTC orders of all assets in one round; then the orders themselves."""
    adapter, manager = OracleAdapter(oracle), contracts.otc_manager(otc_manager)
    batch = ReadBatch()
    reads = [
        _AssetReads(
            balance=batch.add(Erc20(config.token).balance_of(contracts.addresses.vault)),
            price=batch.try_add(adapter.price(config.token)),
            timed_price=batch.try_add(adapter.timed_price(config.token)),
            open_orders=batch.try_add(manager.pending_orders(config.token)) if otc_manager != ZERO_ADDRESS else None,
        )
        for config in configs
    ]
    await contracts.run(batch, at=at)
    positions = [_position(config, asset) for config, asset in zip(configs, reads, strict=True)]
    ids = [order_id for asset in reads if asset.open_orders is not None for order_id in _optional(asset.open_orders) or ()]
    orders = await contracts.read([manager.order(order_id) for order_id in ids], at=at)
    return positions, [_in_transit(order) for order in orders if order.status == _ORDER_PAID]


def _position(config: AssetConfig, reads: _AssetReads) -> AssetPosition:
    timed_price = _optional(reads.timed_price)
    return AssetPosition(
        token=config.token,
        tier=Tier.from_chain(config.tier),
        decimals=config.decimals,
        is_listed=config.is_active,
        terms=PurchaseTerms(
            target_allocation=config.target_allocation,
            adapter=config.purchase_adapter,
            method=PurchaseMethod.from_chain(config.purchase_method),
            max_slippage=config.max_slippage,
            minimum=config.min_purchase_amount,
            subscription_start=_time(config.subscription_start),
            subscription_end=_time(config.subscription_end),
        ),
        balance=reads.balance.result,
        price=_optional(reads.price),
        priced_at=_time(timed_price.updated_at) if timed_price else None,
    )


def _in_transit(order: OtcOrderResult) -> OrderInTransit:
    return OrderInTransit(
        order_id=order.order_id,
        token=order.token,
        paid=order.usdt_amount,
        expected_tokens=order.expected_tokens,
        counterparty=order.counterparty,
    )


def _optional(pending: PendingRead[_T]) -> _T | None:
    """Return the result, or None where the contract has none. Raises CallReverted for a result that does not decode."""
    answer = pending.answer
    if isinstance(answer, FailedRead):
        if answer.kind is FailureKind.UNDECODABLE:
            raise answer.as_error()
        return None
    return answer


_LAST_SECOND: Final = 253_402_300_799
"""The end of the year 9999. A contract's "never" is often the largest number there is."""


def _time(seconds: int) -> datetime | None:
    """A contract's timestamp; 0 means that none is set."""
    return datetime.fromtimestamp(min(seconds, _LAST_SECOND), UTC) if seconds else None
