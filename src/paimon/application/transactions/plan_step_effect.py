"""Whether a call of a plan had its effect: by what its own transaction logged, for no state of the fund says that it was made.

The controller succeeds also where it did nothing: a purchase below the asset's minimum, an allocation to an empty layer. So
the effect is an event with an amount in it. Only filling the buffer can be done by somebody else: then it is at its target.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, hex0x
from paimon.domain.transaction.lifecycle import AttemptStatus, EffectStatus, IntentStatus
from paimon.domain.transaction.wallet_selection import RebalancerFunction
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.money_calls import read_buffer
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow

_CONTROLLER: Final = ContractName.ASSET_CONTROLLER
_EFFECT_EVENTS: Final[Mapping[str, tuple[str, Callable[[Mapping[str, Any]], bool]]]] = {
    RebalancerFunction.ALLOCATE: ("PurchaseRouted", lambda told: told["tokensReceived"] > 0),
    RebalancerFunction.PURCHASE: ("AssetPurchased", lambda told: told["tokensReceived"] > 0),
    RebalancerFunction.REDEEM: ("AssetRedeemed", lambda told: told["usdtReceived"] > 0),
    RebalancerFunction.REBALANCE_BUFFER: ("BufferPoolRebalanced", lambda told: told["newBuffer"] > told["oldBuffer"]),
}
"""What each function of the hot key logs, and when that is an effect."""


async def read_plan_step_effect(contracts: FundContracts, intent: IntentRow, *, at: BlockStamp) -> tuple[EffectStatus, str]:
    """The effect at this block, and in words what was found. An intent in flight must have been loaded with its attempts.

    Raises:
        RpcUnavailable, RpcError.
    """
    function, _arguments = contracts.abis[_CONTROLLER].decode_call(intent.data)
    if (ours := _successful_attempt(intent)) is not None:
        told = await _read_controller_events(contracts, ours)
        event, is_effect = _EFFECT_EVENTS[function]
        if any(name == event and is_effect(arguments) for name, arguments in told):
            return EffectStatus.DONE, f"{function} was carried out in transaction {hex0x(ours.hash)}"
        return EffectStatus.DUE, f"{function} succeeded in transaction {hex0x(ours.hash)} and did nothing"
    if function == RebalancerFunction.REBALANCE_BUFFER:
        total, target = await read_buffer(contracts, at=at)
        if total >= target:
            return EffectStatus.DONE, f"the buffer is at its target in block {at.number}"
    return EffectStatus.DUE, f"{function} was not carried out"


def _successful_attempt(intent: IntentRow) -> AttemptRow | None:
    """Our own transaction that made the call, once it is final. One that has none in flight has made it in none."""
    if intent.status is not IntentStatus.SENDING:
        return None
    return next(
        (each for each in intent.attempts if each.status is AttemptStatus.FINAL and each.succeeded and not each.cancels), None
    )


async def _read_controller_events(contracts: FundContracts, attempt: AttemptRow) -> list[tuple[str, dict[str, Any]]]:
    receipt = await contracts.rpc.call("eth_getTransactionReceipt", [hex0x(attempt.hash)])
    if receipt is None:
        raise RpcError("eth_getTransactionReceipt", 0, f"the node shows no receipt of {hex0x(attempt.hash)}, which is final")
    controller, abi = contracts.address(_CONTROLLER), contracts.abis[_CONTROLLER]
    found = [
        abi.decode_log([bytes.fromhex(topic[2:]) for topic in log["topics"]], bytes.fromhex(log["data"][2:]))
        for log in receipt["logs"]
        if Address(bytes.fromhex(log["address"][2:])) == controller
    ]
    return [each for each in found if each is not None]
