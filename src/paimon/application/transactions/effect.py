"""How what an intent is for stands on chain, in one question whatever the kind of intent.

A node that does not tell it of one intent (a request it does not know, state it has thrown away, a Safe's nonce that no event
explains) says nothing of the others: the answer is `EffectUnknown`, that intent's own. No answer at all is the node's.
"""

from collections.abc import Sequence
from typing import Any, Final

from paimon.application.transactions.plan_step_effect import read_plan_step_effect
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, hex0x
from paimon.domain.redemption.request import OnChainStatus
from paimon.domain.transaction.lifecycle import EffectStatus, IntentKind, effect_of
from paimon.domain.transaction.safe_transaction import SafeScope, SafeTransaction, safe_transaction_hashes
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.reads import CallReverted, FailedRead
from paimon.infrastructure.blockchain.contracts.safe import SafeContract, UnexpectedSafe, parse_execution
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.database.models.ops.transaction import IntentRow

_SEARCH_BLOCKS: Final = 2_000
_SEARCHES_MAX: Final = 50
"""How far back a Safe's own event is looked for: intents are followed within seconds, and a night's pause is 100 000 blocks."""


_MULTI_REQUEST_KINDS: Final = frozenset({IntentKind.EXECUTE_SAFE, IntentKind.PLAN_STEP})
"""Kinds whose effect no single question tells."""


class EffectUnknown(Exception):
    """The node does not tell how this intent's effect stands; the message says why."""


EffectResult = tuple[EffectStatus, str]
"""The effect, and in words what was found."""


async def read_effect(contracts: FundContracts, chain_id: int, intent: IntentRow, *, at: BlockStamp) -> EffectResult:
    """The effect at this block.

    Raises:
        EffectUnknown, RpcUnavailable.
    """
    (found,) = await read_effects(contracts, chain_id, [(intent, at)])
    if isinstance(found, EffectUnknown):
        raise found
    return found


async def read_effects(
    contracts: FundContracts, chain_id: int, asked: Sequence[tuple[IntentRow, BlockStamp]]
) -> list[EffectResult | EffectUnknown]:
    """Each intent's effect at its block, in one request but for those that take several. Raises RpcUnavailable."""
    redemption_intents = [each for each in asked if each[0].kind not in _MULTI_REQUEST_KINDS]
    rpc = contracts.rpc.state_at(max((at.number for _, at in redemption_intents), default=0))
    answers = iter(await rpc.try_batch([_effect_request(contracts, intent, at) for intent, at in redemption_intents]))
    return [
        await _read_multi_request_effect(contracts, chain_id, intent, at)
        if intent.kind in _MULTI_REQUEST_KINDS
        else _redemption_effect(contracts, intent, at, next(answers))
        for intent, at in asked
    ]


async def read_effect_with(
    contracts: FundContracts, chain_id: int, intent: IntentRow, others: Sequence[Request], *, at: BlockStamp
) -> tuple[EffectResult | EffectUnknown, list[Any]]:
    """The effect at this block and the answers to other questions, error answers in their places: where one request can
    ask it all, one node answers. Raises RpcUnavailable."""
    if intent.kind in _MULTI_REQUEST_KINDS:
        return await _read_multi_request_effect(contracts, chain_id, intent, at), await contracts.rpc.try_batch(others)
    answer, *rest = await contracts.rpc.state_at(at.number).try_batch([_effect_request(contracts, intent, at), *others])
    return _redemption_effect(contracts, intent, at, answer), rest


def _effect_request(contracts: FundContracts, intent: IntentRow, at: BlockStamp) -> Request:
    return contracts.redemption_manager.request(intent.request_id).build_request(at.hash)


def _redemption_effect(
    contracts: FundContracts, intent: IntentRow, at: BlockStamp, answer: Any
) -> EffectResult | EffectUnknown:
    try:
        found = contracts.redemption_manager.request(intent.request_id).decode(answer)
    except RpcError as error:
        return EffectUnknown(str(error))
    if isinstance(found, FailedRead):
        return EffectUnknown(f"request {intent.request_id} at block {at.number}: {found.reason}")
    number = found.status
    if number not in {each.value for each in OnChainStatus}:
        # A later deployment's state: nothing is known to be done, and the simulation tells whether the call passes.
        description = f"in state {number}, which this version does not know,"
        return EffectStatus.DUE, f"request {intent.request_id} is {description} at block {at.number}"
    status = OnChainStatus(number)
    return effect_of(intent.kind, status), f"request {intent.request_id} is {status.name} at block {at.number}"


async def _read_multi_request_effect(
    contracts: FundContracts, chain_id: int, intent: IntentRow, at: BlockStamp
) -> EffectResult | EffectUnknown:
    """Of an intent whose effect takes questions of its own."""
    try:
        if intent.kind is IntentKind.PLAN_STEP:
            return await read_plan_step_effect(contracts, intent, at=at)
        contract = SafeContract(contracts.rpc, SafeScope(chain_id, Address(intent.to_address)))
        return await _safe_execution_effect(contract, intent, at)
    except (RpcError, CallReverted, UnexpectedSafe) as error:
        return EffectUnknown(str(error))


async def _safe_execution_effect(contract: SafeContract, intent: IntentRow, at: BlockStamp) -> EffectResult | EffectUnknown:
    """Due while the Safe's nonce still gives the signed hash; then by the Safe's own event, not by any receipt's status.

    Its executions are gone through from the latest back, each a nonce lower, to the one that used the signed nonce.
    """
    signed, nonce = Hash32(intent.request_id.to_bytes(32, "big")), (await contract.view(at=at)).nonce
    asked = parse_execution(intent.data)

    def matches_at(at_nonce: int) -> bool:
        return safe_transaction_hashes(SafeTransaction(asked.call, asked.operation, at_nonce), contract.scope).transaction == signed

    if matches_at(nonce):
        return EffectStatus.DUE, f"the Safe is at nonce {nonce} in block {at.number}"
    for last in range(at.number, max(at.number - _SEARCH_BLOCKS * _SEARCHES_MAX, -1), -_SEARCH_BLOCKS):
        for each in reversed(await contract.executions(max(last - _SEARCH_BLOCKS + 1, 0), last)):
            nonce -= 1
            if each.hash == signed:
                if each.succeeded:
                    return EffectStatus.DONE, f"it was executed in transaction {hex0x(each.tx_hash)}"
                return EffectStatus.IMPOSSIBLE, f"it failed and used up nonce {nonce} in transaction {hex0x(each.tx_hash)}"
            if matches_at(nonce):
                return EffectStatus.IMPOSSIBLE, f"transaction {hex0x(each.tx_hash)} used nonce {nonce} for something else"
    return EffectUnknown(f"the node shows no execution that used the signed nonce of {hex0x(signed)}")
