"""The whole fund at one block, in two requests (three while OTC orders are open), all addressed by the block's hash.

    1. the three contracts' own figures, the list of assets, and the roles in question
    2. each asset's balance, price and open OTC orders
    3. the open OTC orders themselves

A large fund takes several requests of `BATCH_MAX` calls each, still at one block: providers refuse larger ones.

A read that the deployment does not have is not sent. It has the value that its absence means: no fee is owed, no order is in
transit, no contract is paused, no band is narrower than everything. A read that the deployment has and that fails stops the
snapshot: what it would have said is not known. Before the contracts were examined, the value of delayed settlements is asked
all the same; only its failure then is its absence.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

from paimon.domain.asset.purchase_method import PurchaseMethod
from paimon.domain.asset.tier import Tier
from paimon.domain.deployment.contract_facts import Deployment
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, BlockStamp
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount
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
from paimon.infrastructure.blockchain.contracts.asset_controller import AssetConfig, BufferPoolInfo, LayerConfig, PendingFees
from paimon.infrastructure.blockchain.contracts.erc20 import Erc20
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.oracle_adapter import OracleAdapter, TimedPrice
from paimon.infrastructure.blockchain.contracts.otc_manager import OtcOrderResult
from paimon.infrastructure.blockchain.contracts.present_reads import PresentReads
from paimon.infrastructure.blockchain.contracts.reads import FailedRead, FailureKind, PendingRead, ReadBatch

_T = TypeVar("_T")

_ORDER_PAID: Final = 1


async def read_snapshot(
    contracts: FundContracts,
    *,
    at: BlockStamp,
    requested_roles: Sequence[RoleAssignment] = (),
    deployment: Deployment | None = None,
) -> FundSnapshot:
    """Read the fund at `at`, and which of the requested roles are held there.

    `deployment` is what the contracts were found to be; without it every read is sent.

    Raises:
        CallReverted: the contracts cannot value themselves, as before an oracle is set, or an asset's price is missing.
        RpcUnavailable, RpcError.
    """
    vault, manager, controller = contracts.vault, contracts.redemption_manager, contracts.asset_controller
    batch = PresentReads(contracts, deployment)
    asset = batch.add(vault.asset())
    breakdown = batch.add(vault.liquidity_breakdown())
    supply = batch.add(vault.total_supply())
    locked_shares = batch.add(vault.total_locked_shares())
    liability = batch.add(vault.total_redemption_liability())
    withdrawable_fees = batch.add(vault.withdrawable_redemption_fees())
    accumulated_fees = batch.add_if_present(vault.total_accumulated_redemption_fees(), RawAmount(0))
    total_assets = batch.add(vault.total_assets())
    share_price = batch.add(vault.share_price())
    emergency_mode = batch.add_if_present(vault.emergency_mode(), False)
    vault_paused = batch.add_if_present(vault.paused(), False)
    manager_paused = batch.add_if_present(manager.paused(), False)
    controller_paused = batch.add_if_present(controller.paused(), False)
    configs = batch.add(controller.asset_configs())
    layers = batch.add_if_present(controller.layer_configs(), (_NO_BAND, _NO_BAND, _NO_BAND))
    buffer = batch.add_if_present(controller.buffer_pool_info(), None)
    asset_value = batch.add(controller.asset_value())
    pending_fees = batch.add_if_present(controller.pending_fees(), _NO_FEES)
    management_fees = batch.add_if_present(controller.accumulated_management_fees(), RawAmount(0))
    performance_fees = batch.add_if_present(controller.accumulated_performance_fees(), RawAmount(0))
    fee_recipient = batch.add_if_present(controller.fee_recipient(), ZERO_ADDRESS)
    slippage = batch.add_if_present(controller.default_swap_slippage(), Bps(0))
    pending_value = batch.add_if_found(controller.total_pending_value(), RawAmount(0))
    oracle = batch.add(controller.oracle_adapter())
    otc_manager = batch.add_if_present(controller.otc_manager(), ZERO_ADDRESS)
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
        buffer=_buffer(buffer.result),
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
        pending_value=_optional(pending_value) or RawAmount(0),
    )


_NO_BAND: Final = LayerConfig(target=Bps(0), minimum=Bps(0), maximum=BPS_ONE)
_NO_FEES: Final = PendingFees(RawAmount(0), RawAmount(0), 0, RawAmount(0))


def _buffer(info: BufferPoolInfo | None) -> BufferPool | None:
    if info is None:
        return None
    return BufferPool(
        cash=info.cash,
        yield_value=info.yield_value,
        target=info.target,
        ratio=info.ratio,
        needs_rebalance=info.needs_rebalance,
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
