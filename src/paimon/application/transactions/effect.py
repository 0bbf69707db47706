"""How what an intent is for stands on chain, in one question whatever the kind of intent.

A node that does not tell it of one intent (a request it does not know, state it has thrown away, a Safe's nonce that no event
explains) says nothing of the others: the answer is `EffectUnknown`, that intent's own. No answer at all is the node's.
"""

from collections.abc import Sequence
from typing import Any, Final

from paimon.application.transactions.plan_step_effect import effect_of_step
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, Hash32, hex0x
from paimon.domain.redemption.request import OnChainStatus
from paimon.domain.transaction.lifecycle import Effect, IntentKind, effect_of
from paimon.domain.transaction.safe_transaction import SafeScope, SafeTransaction, hash_card
from paimon.infrastructure.blockchain.contracts import CallReverted, FundContracts, NoAnswer, Read
from paimon.infrastructure.blockchain.rpc import Request, RpcError
from paimon.infrastructure.blockchain.safe import NotOurSafe, SafeContract, read_execution
from paimon.infrastructure.database.models.ops.transaction import IntentRow

_WINDOW: Final = 2_000
_WINDOWS_MAX: Final = 50
"""How far back a Safe's own event is looked for: intents are followed within seconds, and a night's pause is 100 000 blocks."""


_OF_ITS_OWN: Final = frozenset({IntentKind.EXECUTE_SAFE, IntentKind.PLAN_STEP})
"""Kinds whose effect no single question tells."""


class EffectUnknown(Exception):
    """The node does not tell how this intent's effect stands; the message says why."""


Found = tuple[Effect, str]
"""The effect, and in words what was found."""


async def effect_of_intent(contracts: FundContracts, chain_id: int, intent: IntentRow, *, at: BlockStamp) -> Found:
    """The effect at this block.

    Raises:
        EffectUnknown, RpcUnavailable.
    """
    (found,) = await effects_of(contracts, chain_id, [(intent, at)])
    if isinstance(found, EffectUnknown):
        raise found
    return found


async def effects_of(
    contracts: FundContracts, chain_id: int, asked: Sequence[tuple[IntentRow, BlockStamp]]
) -> list[Found | EffectUnknown]:
    """Each intent's effect at its block, in one request but for those that take several. Raises RpcUnavailable."""
    of_requests = [each for each in asked if each[0].kind not in _OF_ITS_OWN]
    rpc = contracts.rpc.state_at(max((at.number for _, at in of_requests), default=0))
    answers = iter(await rpc.try_batch([_question(contracts, intent, at) for intent, at in of_requests]))
    return [
        await _of_its_own(contracts, chain_id, intent, at)
        if intent.kind in _OF_ITS_OWN
        else _of_request(contracts, intent, at, next(answers))
        for intent, at in asked
    ]


async def effect_beside(
    contracts: FundContracts, chain_id: int, intent: IntentRow, others: Sequence[Request], *, at: BlockStamp
) -> tuple[Found | EffectUnknown, list[Any]]:
    """The effect at this block and the answers to other questions, error answers in their places: where one request can
    ask it all, one node answers. Raises RpcUnavailable."""
    if intent.kind in _OF_ITS_OWN:
        return await _of_its_own(contracts, chain_id, intent, at), await contracts.rpc.try_batch(others)
    answer, *rest = await contracts.rpc.state_at(at.number).try_batch([_question(contracts, intent, at), *others])
    return _of_request(contracts, intent, at, answer), rest


def _read(intent: IntentRow) -> Read:
    return Read(ContractName.REDEMPTION_MANAGER, "getRedemptionRequest", (intent.request_id,))


def _question(contracts: FundContracts, intent: IntentRow, at: BlockStamp) -> Request:
    return contracts.request_of(_read(intent), at)


def _of_request(contracts: FundContracts, intent: IntentRow, at: BlockStamp, answer: Any) -> Found | EffectUnknown:
    try:
        found = contracts.outcome_of(_read(intent), answer)
    except RpcError as error:
        return EffectUnknown(str(error))
    if isinstance(found, NoAnswer):
        return EffectUnknown(f"request {intent.request_id} at block {at.number}: {found.reason}")
    number = found["status"]
    if number not in {each.value for each in OnChainStatus}:
        # A later deployment's state: nothing is known to be done, and the simulation tells whether the call passes.
        words = f"in state {number}, which this version does not know,"
        return Effect.DUE, f"request {intent.request_id} is {words} at block {at.number}"
    status = OnChainStatus(number)
    return effect_of(intent.kind, status), f"request {intent.request_id} is {status.name} at block {at.number}"


async def _of_its_own(contracts: FundContracts, chain_id: int, intent: IntentRow, at: BlockStamp) -> Found | EffectUnknown:
    """Of an intent whose effect takes questions of its own."""
    try:
        if intent.kind is IntentKind.PLAN_STEP:
            return await effect_of_step(contracts, intent, at=at)
        contract = SafeContract(contracts.rpc, SafeScope(chain_id, Address(intent.to_address)))
        return await _execution(contract, intent, at)
    except (RpcError, CallReverted, NotOurSafe) as error:
        return EffectUnknown(str(error))


async def _execution(contract: SafeContract, intent: IntentRow, at: BlockStamp) -> Found | EffectUnknown:
    """Due while the Safe's nonce still gives the signed hash; then by the Safe's own event, not by any receipt's status.

    Its executions are gone through from the latest back, each a nonce lower, to the one that used the signed nonce.
    """
    signed, nonce = Hash32(intent.request_id.to_bytes(32, "big")), (await contract.view(at=at)).nonce
    asked = read_execution(intent.data)

    def is_signed_at(place: int) -> bool:
        return hash_card(SafeTransaction(asked.call, asked.operation, place), contract.scope).transaction == signed

    if is_signed_at(nonce):
        return Effect.DUE, f"the Safe is at nonce {nonce} in block {at.number}"
    for last in range(at.number, max(at.number - _WINDOW * _WINDOWS_MAX, -1), -_WINDOW):
        for each in reversed(await contract.executions(max(last - _WINDOW + 1, 0), last)):
            nonce -= 1
            if each.hash == signed:
                if each.succeeded:
                    return Effect.DONE, f"it was executed in transaction {hex0x(each.tx_hash)}"
                return Effect.MOOT, f"it failed and used up nonce {nonce} in transaction {hex0x(each.tx_hash)}"
            if is_signed_at(nonce):
                return Effect.MOOT, f"transaction {hex0x(each.tx_hash)} used nonce {nonce} for something else"
    return EffectUnknown(f"the node shows no execution that used the signed nonce of {hex0x(signed)}")
