"""Read the state on chain of an intent's effect, by one function for every kind of intent.

A node that does not tell the effect of one intent (a request it does not know, state it has pruned, a Safe's nonce that no
event explains) says nothing about the others: the answer for that intent is `EffectUnknown`. A node that does not answer at
all raises `RpcUnavailable`.
"""

from collections.abc import Sequence
from typing import Any, Final

from paimon.application.transactions.plan_step_effect import read_plan_step_effect
from paimon.domain.kernel.chain import BlockStamp, hex0x
from paimon.domain.redemption.request import OnChainStatus
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.lifecycle import EffectStatus, IntentKind, effect_of
from paimon.domain.transaction.safe_transaction import SafeScope, SafeTransaction, safe_transaction_hashes
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.reads import CallReverted, FailedRead
from paimon.infrastructure.blockchain.contracts.safe import SafeContract, UnexpectedSafe, parse_execution
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.errors import RpcError

_SEARCH_BLOCKS: Final = 2_000
_SEARCHES_MAX: Final = 50
"""How far back a Safe's own event is searched: intents are tracked within seconds; 100 000 blocks cover a night."""


_MULTI_REQUEST_KINDS: Final = frozenset({IntentKind.EXECUTE_SAFE, IntentKind.PLAN_STEP})
"""Kinds whose effect takes several requests."""


class EffectUnknown(Exception):
    """The node does not tell the effect of this intent; the message says why."""


EffectResult = tuple[EffectStatus, str]
"""The effect, and a description of what was found."""


async def read_effect(contracts: FundContracts, chain_id: int, intent: Intent, *, at: BlockStamp) -> EffectResult:
    """Read the effect at this block.

    Raises:
        EffectUnknown, RpcUnavailable.
    """
    (found,) = await read_effects(contracts, chain_id, [(intent, at)])
    if isinstance(found, EffectUnknown):
        raise found
    return found


async def read_effects(
    contracts: FundContracts, chain_id: int, intents_at: Sequence[tuple[Intent, BlockStamp]]
) -> list[EffectResult | EffectUnknown]:
    """Read each intent's effect at its block. All redemptions share one request. Raises RpcUnavailable."""
    redemption_intents = [(intent, at) for intent, at in intents_at if intent.kind not in _MULTI_REQUEST_KINDS]
    rpc = contracts.rpc.state_at(max((at.number for _, at in redemption_intents), default=0))
    answers = iter(await rpc.try_batch([_effect_request(contracts, intent, at) for intent, at in redemption_intents]))
    return [
        await _read_multi_request_effect(contracts, chain_id, intent, at)
        if intent.kind in _MULTI_REQUEST_KINDS
        else _redemption_effect(contracts, intent, at, next(answers))
        for intent, at in intents_at
    ]


async def read_effect_with(
    contracts: FundContracts, chain_id: int, intent: Intent, others: Sequence[Request], *, at: BlockStamp
) -> tuple[EffectResult | EffectUnknown, list[Any]]:
    """Read the effect at this block and the answers to other requests, with errors in their places.

    Where one batch can hold everything, one node answers all of it. Raises RpcUnavailable.
    """
    if intent.kind in _MULTI_REQUEST_KINDS:
        return await _read_multi_request_effect(contracts, chain_id, intent, at), await contracts.rpc.try_batch(others)
    answer, *rest = await contracts.rpc.state_at(at.number).try_batch([_effect_request(contracts, intent, at), *others])
    return _redemption_effect(contracts, intent, at, answer), rest


def _request_id(intent: Intent) -> int:
    if (request_id := intent.subject.request_id) is None:
        raise TypeError(f"intent {intent.idempotency_key} is about a {intent.subject}, not about a redemption")
    return request_id


def _effect_request(contracts: FundContracts, intent: Intent, at: BlockStamp) -> Request:
    return contracts.redemption_manager.request(_request_id(intent)).build_request(at.hash)


def _redemption_effect(contracts: FundContracts, intent: Intent, at: BlockStamp, answer: Any) -> EffectResult | EffectUnknown:
    try:
        found = contracts.redemption_manager.request(_request_id(intent)).decode(answer)
    except RpcError as error:
        return EffectUnknown(str(error))
    if isinstance(found, FailedRead):
        return EffectUnknown(f"request {intent.subject.id} at block {at.number}: {found.reason}")
    number = found.status
    if number not in {known.value for known in OnChainStatus}:
        # The status of a later deployment: nothing is known to be done, and the simulation shows whether the call passes.
        description = f"in state {number}, which this version does not know,"
        return EffectStatus.DUE, f"request {intent.subject.id} is {description} at block {at.number}"
    status = OnChainStatus(number)
    return effect_of(intent.kind, status), f"request {intent.subject.id} is {status.name} at block {at.number}"


async def _read_multi_request_effect(
    contracts: FundContracts, chain_id: int, intent: Intent, at: BlockStamp
) -> EffectResult | EffectUnknown:
    try:
        if intent.kind is IntentKind.PLAN_STEP:
            return await read_plan_step_effect(contracts, intent, at=at)
        contract = SafeContract(contracts.rpc, SafeScope(chain_id, intent.call.to))
        return await _safe_execution_effect(contract, intent, at)
    except (RpcError, CallReverted, UnexpectedSafe) as error:
        return EffectUnknown(str(error))


async def _safe_execution_effect(contract: SafeContract, intent: Intent, at: BlockStamp) -> EffectResult | EffectUnknown:
    """Read the effect of an execution: due while the Safe's nonce still gives the signed hash, then by the Safe's own event.

    The search goes through the Safe's executions from the latest back, each one nonce lower, to the one that used the signed
    nonce.
    """
    signed, nonce = intent.subject.safe_tx_hash, (await contract.view(at=at)).nonce
    if signed is None:
        raise TypeError(f"intent {intent.idempotency_key} is about a {intent.subject}, not about a Safe transaction")
    execution = parse_execution(intent.call.data)

    def matches_at(at_nonce: int) -> bool:
        transaction = SafeTransaction(execution.call, execution.operation, at_nonce)
        return safe_transaction_hashes(transaction, contract.scope).transaction == signed

    if matches_at(nonce):
        return EffectStatus.DUE, f"the Safe is at nonce {nonce} in block {at.number}"
    for last in range(at.number, max(at.number - _SEARCH_BLOCKS * _SEARCHES_MAX, -1), -_SEARCH_BLOCKS):
        for event in reversed(await contract.read_executions(max(last - _SEARCH_BLOCKS + 1, 0), last)):
            nonce -= 1
            if event.hash == signed:
                if event.succeeded:
                    return EffectStatus.DONE, f"it was executed in transaction {hex0x(event.tx_hash)}"
                return EffectStatus.IMPOSSIBLE, f"it failed and used up nonce {nonce} in transaction {hex0x(event.tx_hash)}"
            if matches_at(nonce):
                return EffectStatus.IMPOSSIBLE, f"transaction {hex0x(event.tx_hash)} used nonce {nonce} for something else"
    return EffectUnknown(f"the node shows no execution that used the signed nonce of {hex0x(signed)}")
