"""Read whether a plan's call had its effect: by the events of its own transaction, because no state of the fund shows it.

The controller also succeeds where it did nothing: a purchase below the asset's minimum, an allocation to an empty layer. So the
effect is an event with an amount in it. Only the filling of the buffer can be done by someone else: then it is at its target.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, hex0x
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.intent import Intent, IntentWithAttempts
from paimon.domain.transaction.lifecycle import AttemptStatus, EffectStatus, IntentStatus
from paimon.domain.transaction.wallet_selection import RebalancerFunction
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.money_calls import read_buffer
from paimon.infrastructure.blockchain.rpc.errors import RpcError

_CONTROLLER: Final = ContractName.ASSET_CONTROLLER
_EFFECT_EVENTS: Final[Mapping[str, tuple[str, Callable[[Mapping[str, Any]], bool]]]] = {
    RebalancerFunction.ALLOCATE: ("PurchaseRouted", lambda arguments: arguments["tokensReceived"] > 0),
    RebalancerFunction.PURCHASE: ("AssetPurchased", lambda arguments: arguments["tokensReceived"] > 0),
    RebalancerFunction.REDEEM: ("AssetRedeemed", lambda arguments: arguments["usdtReceived"] > 0),
    RebalancerFunction.REBALANCE_BUFFER: (
        "BufferPoolRebalanced",
        lambda arguments: arguments["newBuffer"] > arguments["oldBuffer"],
    ),
}
"""The event that each function of the hot key logs, and the test whether the event is an effect."""


async def read_plan_step_effect(contracts: FundContracts, intent: Intent, *, at: BlockStamp) -> tuple[EffectStatus, str]:
    """Read the effect at this block, with a description. An intent in flight must be loaded with its attempts.

    Raises:
        RpcUnavailable, RpcError.
    """
    function, _arguments = contracts.abis[_CONTROLLER].decode_call(intent.call.data)
    if (ours := _successful_attempt(intent)) is not None:
        events = await _read_controller_events(contracts, ours)
        event, is_effect = _EFFECT_EVENTS[function]
        if any(name == event and is_effect(arguments) for name, arguments in events):
            return EffectStatus.DONE, f"{function} was carried out in transaction {hex0x(ours.hash)}"
        return EffectStatus.DUE, f"{function} succeeded in transaction {hex0x(ours.hash)} and did nothing"
    if function == RebalancerFunction.REBALANCE_BUFFER:
        total, target = await read_buffer(contracts, at=at)
        if total >= target:
            return EffectStatus.DONE, f"the buffer is at its target in block {at.number}"
    return EffectStatus.DUE, f"{function} was not carried out"


def _successful_attempt(intent: Intent) -> Attempt | None:
    """Return our own final transaction that made the call. Only an intent in flight can have one."""
    if intent.status is not IntentStatus.SENDING:
        return None
    if not isinstance(intent, IntentWithAttempts):
        raise TypeError(f"intent {intent.idempotency_key} is in flight and was loaded without its attempts")
    return next(
        (attempt for attempt in intent.attempts if attempt.status is AttemptStatus.FINAL and attempt.is_call_successful), None
    )


async def _read_controller_events(contracts: FundContracts, attempt: Attempt) -> list[tuple[str, dict[str, Any]]]:
    receipt = await contracts.rpc.call("eth_getTransactionReceipt", [hex0x(attempt.hash)])
    if receipt is None:
        raise RpcError("eth_getTransactionReceipt", 0, f"the node shows no receipt of {hex0x(attempt.hash)}, which is final")
    controller, abi = contracts.address(_CONTROLLER), contracts.abis[_CONTROLLER]
    found = [
        abi.decode_log([bytes.fromhex(topic[2:]) for topic in log["topics"]], bytes.fromhex(log["data"][2:]))
        for log in receipt["logs"]
        if Address(bytes.fromhex(log["address"][2:])) == controller
    ]
    return [event for event in found if event is not None]
