"""What calls of the AssetController move, in units of the vault's asset, read at one block; and whether one would move nothing.

| Call | Counts for |
|---|---|
| `allocateToLayer`, `purchaseAsset` | its amount |
| `redeemAsset` | its tokens at the fund's oracle price, rounded up |
| `rebalanceBuffer` | how far the buffer is from its target, and what the calls before it could widen that by |
| `executeWaterfallLiquidation` | the amount it is to free |
| `executeOTCPayment` | the order's amount; the order must be there already |
| `createOTCOrder`, `confirmOTCDelivery` | nothing: they move no USDT |

The application weighs a plan by this, and the signer, by reads of its own, every transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, checksum
from paimon.domain.kernel.units import RawAmount, Rounding, divide
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.wallet_selection import RebalancerFunction
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi
from paimon.infrastructure.blockchain.contracts.fund import CallReverted, ContractRead, FundContracts

_CONTROLLER: Final = ContractName.ASSET_CONTROLLER

AMOUNT_ARGUMENT: Final[Mapping[RebalancerFunction, str]] = {
    RebalancerFunction.ALLOCATE: "amount",
    RebalancerFunction.PURCHASE: "usdtAmount",
    RebalancerFunction.REDEEM: "tokenAmount",
    RebalancerFunction.WATERFALL: "amountNeeded",
    RebalancerFunction.CREATE_OTC: "usdtAmount",
    RebalancerFunction.CONFIRM_OTC: "actualTokens",
}
"""The argument that says how much; of none it would be for nothing."""

_RETURNS_AMOUNT: Final = frozenset(
    {RebalancerFunction.ALLOCATE, RebalancerFunction.PURCHASE, RebalancerFunction.REDEEM, RebalancerFunction.WATERFALL}
)
"""Functions that return what they did, and succeed having done nothing."""


@dataclass(frozen=True, slots=True)
class MoneyCall:
    """One of them with its arguments by name."""

    function: RebalancerFunction
    arguments: Mapping[str, Any]


async def read_amounts(calls: Sequence[MoneyCall], contracts: FundContracts, *, at: BlockStamp) -> list[RawAmount]:
    """What each counts for, when they are made in this order.

    Raises:
        CallReverted: a token is not one of the fund's or has no price; an OTC order is not there.
        RpcUnavailable, RpcError.
    """
    amounts: list[RawAmount] = []
    for each in calls:
        amount = await _read_amount(each, contracts, at=at)
        # What is bought before it is cash that the buffer lacks then.
        before = sum(amounts) if each.function is RebalancerFunction.REBALANCE_BUFFER else 0
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


async def read_buffer(contracts: FundContracts, *, at: BlockStamp) -> tuple[int, int]:
    """What the buffer has, and its target."""
    (pool,) = await contracts.read([ContractRead(_CONTROLLER, "getBufferPoolInfo")], at=at)
    return int(pool["total"]), int(pool["target"])


async def _token_value(token: Address, amount: int, contracts: FundContracts, *, at: BlockStamp) -> int:
    oracle, configs = await contracts.read(
        [ContractRead(_CONTROLLER, "oracleAdapter"), ContractRead(_CONTROLLER, "getAssetConfigs")], at=at
    )
    decimals = next((each["decimals"] for each in configs if Address(each["token"]) == token), None)
    if decimals is None:
        raise CallReverted(f"{checksum(token)} is not an asset of the fund", None)
    price = await contracts.price(Address(oracle), token, at=at)
    return divide(amount * price, 10**decimals, rounding=Rounding.UP)


async def _otc_order_amount(order_id: int, contracts: FundContracts, *, at: BlockStamp) -> int:
    (manager,) = await contracts.read([ContractRead(_CONTROLLER, "otcManager")], at=at)
    (order,) = await contracts.read(
        [ContractRead(ContractName.OTC_MANAGER, "getOrder", (order_id,), address=Address(manager))], at=at
    )
    if not order["usdtAmount"]:  # in a deployment that answers for orders it does not have
        raise CallReverted(f"there is no OTC order {order_id}", None)
    return int(order["usdtAmount"])


def has_no_effect(call: Call, result: bytes, abi: ContractAbi) -> bool:
    """Whether a call that passed by its result would do nothing: a success without effect is none."""
    entry = abi.functions_by_selector.get(call.data[:4])
    if entry is None or entry.name not in {each.value for each in _RETURNS_AMOUNT}:
        return False
    return int.from_bytes(result) == 0
