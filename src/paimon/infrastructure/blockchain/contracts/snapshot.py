"""The whole fund at one block, in two requests (three while OTC orders are open), all addressed by the block's hash.

First what the three contracts say, the list of assets among it; then each asset's balance and price, and its open OTC
orders. Large funds are cut into requests of `BATCH_MAX` calls, still of one block: providers refuse larger ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, BlockStamp, ContractName, checksum, hex0x
from paimon.domain.kernel.units import Bps, NavPerShare, RawAmount
from paimon.domain.vault.fund_snapshot import (
    AssetPosition,
    BufferPool,
    ContractFigures,
    FeeFigures,
    FundSnapshot,
    OperationalFlags,
    OrderInTransit,
    PurchaseMethod,
    PurchaseTerms,
    RoleAssignment,
    TierLimits,
)
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi, load_abi
from paimon.infrastructure.blockchain.contracts.fund import BATCH_MAX, ContractRead, FundContracts
from paimon.infrastructure.blockchain.rpc.errors import RpcError

_VAULT, _MANAGER, _CONTROLLER = ContractName.VAULT, ContractName.REDEMPTION_MANAGER, ContractName.ASSET_CONTROLLER

_FUND_READS: Final = {
    "asset": ContractRead(_VAULT, "asset"),
    "breakdown": ContractRead(_VAULT, "getLiquidityBreakdown"),
    "supply": ContractRead(_VAULT, "totalSupply"),
    "locked": ContractRead(_VAULT, "totalLockedShares"),
    "liability": ContractRead(_VAULT, "totalRedemptionLiability"),
    "redemption_fees": ContractRead(_VAULT, "withdrawableRedemptionFees"),
    "redemption_fees_ever": ContractRead(_VAULT, "totalAccumulatedRedemptionFees"),
    "total_assets": ContractRead(_VAULT, "totalAssets"),
    "share_price": ContractRead(_VAULT, "sharePrice"),
    "emergency_mode": ContractRead(_VAULT, "emergencyMode"),
    "vault_paused": ContractRead(_VAULT, "paused"),
    "manager_paused": ContractRead(_MANAGER, "paused"),
    "controller_paused": ContractRead(_CONTROLLER, "paused"),
    "configs": ContractRead(_CONTROLLER, "getAssetConfigs"),
    "limits": ContractRead(_CONTROLLER, "getLayerConfigs"),
    "buffer": ContractRead(_CONTROLLER, "getBufferPoolInfo"),
    "asset_value": ContractRead(_CONTROLLER, "calculateAssetValue"),
    "pending": ContractRead(_CONTROLLER, "getPendingFees"),
    "accrued_management": ContractRead(_CONTROLLER, "accumulatedManagementFees"),
    "accrued_performance": ContractRead(_CONTROLLER, "accumulatedPerformanceFees"),
    "recipient": ContractRead(_CONTROLLER, "feeRecipient"),
    "slippage": ContractRead(_CONTROLLER, "defaultSwapSlippage"),
    "oracle": ContractRead(_CONTROLLER, "oracleAdapter"),
    "otc": ContractRead(_CONTROLLER, "otcManager"),
}

_ORDER_PAID: Final = 1


@dataclass(frozen=True, slots=True)
class _Call:
    """A function of a contract that is not one of the fund's three."""

    to: Address
    abi: ContractAbi
    function: str
    args: tuple[Any, ...] = ()


async def read_snapshot(
    contracts: FundContracts, *, at: BlockStamp, requested_roles: Sequence[RoleAssignment] = ()
) -> FundSnapshot:
    """Read the fund at `at`; of the roles asked for, those that are held there.

    Raises:
        CallReverted: the contracts cannot value themselves, as before an oracle is set, or an asset's price is missing.
        RpcUnavailable, RpcError.
    """
    role_reads = [ContractRead(each.contract, "hasRole", (each.role, each.account)) for each in requested_roles]
    answers = await contracts.read([*_FUND_READS.values(), *role_reads], at=at)
    fund: dict[str, Any] = dict(zip(_FUND_READS, answers, strict=False))
    held = answers[len(_FUND_READS) :]
    tokens = [Address(each["token"]) for each in fund["configs"]]
    positions, orders = await _read_assets(contracts, fund, tokens, at=at)
    cash, layer1_yield, layer2, layer3 = fund["breakdown"].values()
    buffer = list(fund["buffer"].values())
    limits = [TierLimits(*(Bps(each) for each in tier.values())) for tier in fund["limits"].values()]
    return FundSnapshot(
        at=at,
        asset=Address(fund["asset"]),
        asset_decimals=await contracts.asset_decimals(at=at),
        cash=RawAmount(cash),
        assets=tuple(positions),
        total_supply=RawAmount(fund["supply"]),
        locked_shares=RawAmount(fund["locked"]),
        redemption_liability=RawAmount(fund["liability"]),
        withdrawable_redemption_fees=RawAmount(fund["redemption_fees"]),
        accumulated_redemption_fees=RawAmount(fund["redemption_fees_ever"]),
        fees=_fees(fund),
        tier_limits=(limits[0], limits[1], limits[2]),
        buffer=BufferPool(RawAmount(buffer[0]), RawAmount(buffer[1]), RawAmount(buffer[3]), Bps(buffer[4]), bool(buffer[5])),
        default_slippage=Bps(fund["slippage"]),
        flags=OperationalFlags(
            fund["vault_paused"], fund["manager_paused"], fund["controller_paused"], fund["emergency_mode"]
        ),
        in_transit=tuple(orders),
        contract=ContractFigures(
            total_assets=RawAmount(fund["total_assets"]),
            share_price=NavPerShare(fund["share_price"]),
            asset_value=RawAmount(fund["asset_value"]),
            layer1_yield=RawAmount(layer1_yield),
            layer2=RawAmount(layer2),
            layer3=RawAmount(layer3),
        ),
        roles=tuple(each for each, is_held in zip(requested_roles, held, strict=True) if is_held),
    )


def _fees(fund: dict[str, Any]) -> FeeFigures:
    management, performance, _total, last_accrual, mark = fund["pending"].values()
    return FeeFigures(
        accrued_management=RawAmount(fund["accrued_management"]),
        accrued_performance=RawAmount(fund["accrued_performance"]),
        pending_management=RawAmount(management),
        pending_performance=RawAmount(performance),
        last_accrual_at=_time(last_accrual),
        high_water_mark=RawAmount(mark),
        recipient=Address(fund["recipient"]),
    )


async def _read_assets(
    contracts: FundContracts, fund: dict[str, Any], tokens: Sequence[Address], *, at: BlockStamp
) -> tuple[list[AssetPosition], list[OrderInTransit]]:
    """Balances, prices and open OTC orders, token by token, in one round; then the orders themselves."""
    erc20, oracle_abi, otc_abi = load_abi("ERC20"), load_abi("OracleAdapter"), contracts.abis[ContractName.OTC_MANAGER]
    oracle, otc = Address(fund["oracle"]), Address(fund["otc"])
    balances = [_Call(token, erc20, "balanceOf", (contracts.addresses.vault,)) for token in tokens]
    prices = [_Call(oracle, oracle_abi, "getPrice", (token,)) for token in tokens]
    timed_prices = [_Call(oracle, oracle_abi, "getPriceWithTimestamp", (token,)) for token in tokens]
    pending = [_Call(otc, otc_abi, "getPendingOrders", (token,)) for token in tokens] if otc != ZERO_ADDRESS else []
    answers = await _try_calls(contracts, [*balances, *prices, *timed_prices, *pending], at=at)
    count = len(tokens)
    positions: list[AssetPosition] = []
    for index, config in enumerate(fund["configs"]):
        balance, price, quote = (answers[index + column * count] for column in range(3))
        if isinstance(balance, RpcError):
            raise balance
        positions.append(_position(config, balance=balance, price=price, quote=quote))
    ids = [order for found in answers[3 * count :] if not isinstance(found, RpcError) for order in found]
    return positions, await _read_orders(contracts, otc, otc_abi, ids, at=at)


def _position(config: dict[str, Any], *, balance: int, price: Any, quote: Any) -> AssetPosition:
    """An adapter may tell no times, and may have no price for what the vault does not hold."""
    quote_values = None if isinstance(quote, RpcError) else list(quote.values())
    return AssetPosition(
        token=Address(config["token"]),
        tier=Tier.from_chain(config["tier"]),
        decimals=config["decimals"],
        is_listed=config["isActive"],
        terms=PurchaseTerms(
            target_allocation=Bps(config["targetAllocation"]),
            adapter=Address(config["purchaseAdapter"]),
            method=PurchaseMethod(config["purchaseMethod"]),
            max_slippage=Bps(config["maxSlippage"]),
            minimum=RawAmount(config["minPurchaseAmount"]),
            subscription_start=_time(config["subscriptionStart"]),
            subscription_end=_time(config["subscriptionEnd"]),
        ),
        balance=RawAmount(balance),
        price=None if isinstance(price, RpcError) else RawAmount(price),
        priced_at=_time(quote_values[1]) if quote_values else None,
    )


async def _read_orders(
    contracts: FundContracts, otc: Address, abi: ContractAbi, ids: Sequence[int], *, at: BlockStamp
) -> list[OrderInTransit]:
    found = await _try_calls(contracts, [_Call(otc, abi, "getOrder", (each,)) for each in ids], at=at)
    for order in found:
        if isinstance(order, RpcError):
            raise order
    return [
        OrderInTransit(
            order_id=order["orderId"],
            token=Address(order["rwaToken"]),
            paid=RawAmount(order["usdtAmount"]),
            expected_tokens=RawAmount(order["expectedTokens"]),
            counterparty=Address(order["counterparty"]),
        )
        for order in found
        if order["status"] == _ORDER_PAID
    ]


async def _try_calls(contracts: FundContracts, calls: Sequence[_Call], *, at: BlockStamp) -> list[Any]:
    """Decoded results in order; a call that reverts, or that the contract does not have, leaves its error in its place."""
    results: list[Any] = []
    for start in range(0, len(calls), BATCH_MAX):
        chunk = calls[start : start + BATCH_MAX]
        requests = [("eth_call", [_target(call), {"blockHash": hex0x(at.hash)}]) for call in chunk]
        for call, answer in zip(chunk, await contracts.rpc.state_at(at.number).try_batch(requests), strict=True):
            results.append(_decoded(call, answer))
    return results


def _target(call: _Call) -> dict[str, str]:
    return {"to": checksum(call.to), "data": hex0x(call.abi.encode_call(call.function, *call.args))}


def _decoded(call: _Call, answer: Any) -> Any:
    if isinstance(answer, RpcError):
        if not answer.is_revert:
            raise answer
        return answer
    if answer == "0x":  # no such function here, and a fallback that takes anything
        return RpcError("eth_call", 3, f"{call.function} reverted: {checksum(call.to)} has no such function")
    return call.abi.decode_result(call.function, bytes.fromhex(answer[2:]))


_LAST_SECOND: Final = 253_402_300_799
"""The end of the year 9999. A contract's "never" is often the largest number there is."""


def _time(seconds: int) -> datetime | None:
    """A contract's timestamp; 0 means "not set"."""
    return datetime.fromtimestamp(min(seconds, _LAST_SECOND), UTC) if seconds else None
