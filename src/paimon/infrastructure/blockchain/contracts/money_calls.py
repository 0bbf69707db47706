"""The value that calls of the AssetController move, in units of the vault's asset, read at one block.

| Call | Counts for |
|---|---|
| `allocateToLayer`, `purchaseAsset` | its amount |
| `redeemAsset` | its tokens at the fund's oracle price, rounded up |
| `rebalanceBuffer` | the buffer's distance from its target, and what the calls before it could add to that distance |
| `executeWaterfallLiquidation` | the amount to free |
| `executeOTCPayment` | the order's amount; the order must exist already |
| `createOTCOrder`, `confirmOTCDelivery` | nothing: they move no USDT |

The application selects a plan's wallet by this value. The signer checks every transaction against its limits, by reads
of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from paimon.domain.kernel.chain import Address, BlockStamp, checksum
from paimon.domain.kernel.units import RawAmount, Rounding, divide
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.wallet_selection import RebalancerFunction
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.oracle_adapter import OracleAdapter
from paimon.infrastructure.blockchain.contracts.reads import CallReverted, ReadBatch

AMOUNT_ARGUMENT: Final[Mapping[RebalancerFunction, str]] = {
    RebalancerFunction.ALLOCATE: "amount",
    RebalancerFunction.PURCHASE: "usdtAmount",
    RebalancerFunction.REDEEM: "tokenAmount",
    RebalancerFunction.WATERFALL: "amountNeeded",
    RebalancerFunction.CREATE_OTC: "usdtAmount",
    RebalancerFunction.CONFIRM_OTC: "actualTokens",
}
"""The argument that states the amount. A call with an amount of zero would do nothing."""

_RETURNS_AMOUNT: Final = frozenset(
    {RebalancerFunction.ALLOCATE, RebalancerFunction.PURCHASE, RebalancerFunction.REDEEM, RebalancerFunction.WATERFALL}
)
"""Functions that return the amount they moved, and succeed even where that is zero."""


@dataclass(frozen=True, slots=True)
class MoneyCall:
    """One call of the AssetController with its arguments by name."""

    function: RebalancerFunction
    arguments: Mapping[str, Any]


async def read_amounts(calls: Sequence[MoneyCall], contracts: FundContracts, *, at: BlockStamp) -> list[RawAmount]:
    """Read what each call counts for, when they are made in this order.

    Raises:
        CallReverted: a token is not an asset of the fund or has no price; an OTC order does not exist.
        RpcUnavailable, RpcError.
    """
    amounts: list[RawAmount] = []
    for call in calls:
        amount = await _read_amount(call, contracts, at=at)
        # The calls before it spend cash, which the buffer lacks afterwards.
        before = sum(amounts) if call.function is RebalancerFunction.REBALANCE_BUFFER else 0
        amounts.append(RawAmount(amount + before))
    return amounts


async def _read_amount(call: MoneyCall, contracts: FundContracts, *, at: BlockStamp) -> int:
    arguments = call.arguments
    match call.function:
        case RebalancerFunction.REDEEM:
            return await _token_value(Address(arguments["token"]), arguments["tokenAmount"], contracts, at=at)
        case RebalancerFunction.REBALANCE_BUFFER:
            total, target = await read_buffer(contracts, at=at)
            return abs(total - target)
        case RebalancerFunction.PAY_OTC:
            return await _otc_order_amount(arguments["orderId"], contracts, at=at)
        case RebalancerFunction.CREATE_OTC | RebalancerFunction.CONFIRM_OTC:
            return 0
    return int(arguments[AMOUNT_ARGUMENT[call.function]])


async def read_buffer(contracts: FundContracts, *, at: BlockStamp) -> tuple[RawAmount, RawAmount]:
    """Read the buffer's total and its target."""
    buffer = await contracts.read_one(contracts.asset_controller.buffer_pool_info(), at=at)
    return buffer.total, buffer.target


async def _token_value(token: Address, amount: int, contracts: FundContracts, *, at: BlockStamp) -> int:
    batch = ReadBatch()
    oracle = batch.add(contracts.asset_controller.oracle_adapter())
    configs = batch.add(contracts.asset_controller.asset_configs())
    await contracts.run(batch, at=at)
    decimals = next((config.decimals for config in configs.result if config.token == token), None)
    if decimals is None:
        raise CallReverted(f"{checksum(token)} is not an asset of the fund", None)
    price = await contracts.read_one(OracleAdapter(oracle.result).price(token), at=at)
    return divide(amount * price, 10**decimals, rounding=Rounding.UP)


async def _otc_order_amount(order_id: int, contracts: FundContracts, *, at: BlockStamp) -> int:
    manager = await contracts.read_one(contracts.asset_controller.otc_manager(), at=at)
    order = await contracts.read_one(contracts.otc_manager(manager).order(order_id), at=at)
    if not order.usdt_amount:  # some deployments return an empty order for an unknown id
        raise CallReverted(f"there is no OTC order {order_id}", None)
    return order.usdt_amount


def has_no_effect(call: Call, result: bytes, abi: ContractAbi) -> bool:
    """Return whether a call whose simulation passed would move nothing, by the amount it returned."""
    entry = abi.functions_by_selector.get(call.data[:4])
    if entry is None or entry.name not in {function.value for function in _RETURNS_AMOUNT}:
        return False
    return int.from_bytes(result) == 0
