"""How what an intent is for stands on chain, in one question whatever the kind of intent."""

from typing import Final

from paimon.application.transactions.node import read_effect
from paimon.application.transactions.plan_step import effect_of_step
from paimon.domain.chain import Address, BlockStamp, Hash32, hex0x
from paimon.domain.safe import SafeScope, SafeTransaction, hash_card
from paimon.domain.transaction import Effect, IntentKind
from paimon.infrastructure.blockchain.contracts import FundContracts
from paimon.infrastructure.blockchain.rpc import RpcError
from paimon.infrastructure.blockchain.safe import SafeContract, read_execution
from paimon.infrastructure.database.models.owned import TransactionIntent

_WINDOW: Final = 2_000
_WINDOWS_MAX: Final = 50
"""How far back a Safe's own event is looked for: intents are followed within seconds, and a night's pause is 100 000 blocks."""


async def effect_of_intent(
    contracts: FundContracts, chain_id: int, intent: TransactionIntent, *, at: BlockStamp
) -> tuple[Effect, str]:
    """The effect at this block, and in words what was found.

    Raises:
        CallReverted: what it is about does not exist at this block.
        RpcUnavailable, RpcError.
    """
    if intent.kind is IntentKind.EXECUTE_SAFE:
        return await _execution(SafeContract(contracts.rpc, SafeScope(chain_id, Address(intent.to_address))), intent, at)
    if intent.kind is IntentKind.PLAN_STEP:
        return await effect_of_step(contracts, intent, at=at)
    effect, state = await read_effect(contracts, intent.kind, intent.request_id, at=at)
    return effect, f"request {intent.request_id} is {state} at block {at.number}"


async def _execution(contract: SafeContract, intent: TransactionIntent, at: BlockStamp) -> tuple[Effect, str]:
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
    raise RpcError("eth_getLogs", 0, f"the node shows no execution that used the signed nonce of {hex0x(signed)}")
