"""Executing what is ready, by the keeper's key: anyone may, the signatures are what permits it.

Of a Safe only the proposals at its present nonce can be executed. The rejection goes first: who signed it wants the others
dead. What it leads to is an intent like any other, so the full call is simulated before a nonce is spent on it, the signer
reads it again from its bytes, and it ends by the Safe's own event.

A call that waits (its simulation fails) is taken back when it is no longer the one to execute: an owner was replaced or a
contract no longer stands by its consent, more owners have signed, its time is over, or its rejection is ready. What is in
flight stays in flight; which of the two the chain takes decides.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import select

from paimon.application.transactions.driver.intent_status import close
from paimon.application.transactions.intents import queue_intent, register_wallet
from paimon.application.transactions.multisig.context import SafeContext
from paimon.application.transactions.multisig.safe_errors import SafeTask, clear_safe_error, record_safe_error
from paimon.application.transactions.multisig.store import (
    list_open,
    lock_safe,
    signatures_of,
    tally_of,
    transaction_of,
    view_of,
)
from paimon.application.transactions.retries import FAILED_INTENTS_MAX
from paimon.application.transactions.store import lock_wallet
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, hex0x
from paimon.domain.transaction.lifecycle import WALLET_BY_INTENT_KIND, Call, IntentKind, IntentStatus
from paimon.domain.transaction.safe_proposal import ProposalStatus, SafeInfo, proposal_status
from paimon.domain.transaction.safe_transaction import OwnerSignature, pack_signatures, rejection_transaction
from paimon.infrastructure.blockchain.contracts.safe import SafeContract, build_execution_call
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

_KIND: Final = IntentKind.EXECUTE_SAFE
_FAILURES: Final = frozenset({IntentStatus.REVERTED, IntentStatus.FAILED})
_NOT_SENT: Final = frozenset({IntentStatus.QUEUED, IntentStatus.SIMULATED})
_CANCELLED: Final = frozenset({IntentStatus.CANCELLED, IntentStatus.EXPIRED})


def proposal_number(hash_: Hash32) -> int:
    """What an intent to execute this is about."""
    return int.from_bytes(hash_)


async def execute_ready(context: SafeContext, *, keeper: Address) -> None:
    """See to every Safe; whatever the node does not answer for now is shown, and seen to at the next run."""
    for name, address in context.safes.items():
        try:
            await _execute(context, address, keeper)
        except (RpcUnavailable, RpcError) as error:
            log.warning("execution.node_unavailable", safe=name, reason=str(error))
            await record_safe_error(context.database, address, SafeTask.EXECUTION, str(error))
        else:
            await clear_safe_error(context.database, address, SafeTask.EXECUTION)


async def _execute(context: SafeContext, address: Address, keeper: Address) -> None:
    final, contract = await context.final_block(), context.contract(address)
    async with context.database.write() as session:
        if (await session.execute(select(SafeRow.address).where(SafeRow.address == address))).first() is None:
            return  # not observed yet
        await register_wallet(session, keeper, WALLET_BY_INTENT_KIND[_KIND])
        if await lock_wallet(session, keeper) is None:
            return  # its driver is at work; an intent must not be taken back while it is being signed
        safe = view_of(await lock_safe(session, address))
        now = await database_now(session)
        proposals = [each for each in await list_open(session, address) if each.nonce == safe.nonce]
        selected = await _select_proposal(proposals, contract, safe, final, now)
        intents = await _list_intents(session, proposals)
        for intent in intents:
            if intent.status in _NOT_SENT and (selected is None or intent.data != selected[1].data):
                close(intent, IntentStatus.CANCELLED, "another call is to be executed now, or none", now=now)
        if selected is not None and not any(each.status not in _FAILURES | _CANCELLED for each in intents):
            await _queue_execution(session, selected, intents, keeper)


async def _select_proposal(
    proposals: Sequence[SafeProposalRow], contract: SafeContract, safe: SafeInfo, at: BlockStamp, now: datetime
) -> tuple[SafeProposalRow, Call] | None:
    """The one proposal to execute, with its call, of those at the Safe's nonce."""
    ready = [
        each
        for each in proposals
        if proposal_status(each.outcome, tally_of(each, safe), is_executing=False, expires_at=each.expires_at, now=now)
        is ProposalStatus.READY
    ]
    rejection = rejection_transaction(safe.nonce, contract.address)
    for proposal in sorted(ready, key=lambda each: (transaction_of(each) != rejection, each.created_at, each.hash)):
        valid = await _valid_signatures(proposal, contract, safe, at)
        if len(valid) >= safe.threshold:
            return proposal, build_execution_call(contract.address, transaction_of(proposal), pack_signatures(valid))
    return None


async def _valid_signatures(
    proposal: SafeProposalRow, contract: SafeContract, safe: SafeInfo, at: BlockStamp
) -> list[OwnerSignature]:
    """Signatures of present owners; a contract is asked again, for it may have changed its mind."""
    transaction = transaction_of(proposal)
    return [
        each
        for each in signatures_of(proposal)
        if each.owner in safe.owners
        and (not each.is_contract_signature or await contract.signature_rejection_reason(transaction, each, at=at) is None)
    ]


async def _list_intents(session: WriteSession, proposals: Sequence[SafeProposalRow]) -> Sequence[IntentRow]:
    query = select(IntentRow).where(
        IntentRow.kind == _KIND,
        IntentRow.request_id.in_([proposal_number(each.hash) for each in proposals]),
    )
    return (await session.scalars(query)).all()


async def _queue_execution(
    session: WriteSession, selected: tuple[SafeProposalRow, Call], earlier: Sequence[IntentRow], keeper: Address
) -> None:
    proposal, call = selected
    earlier_intents = [each for each in earlier if each.request_id == proposal_number(proposal.hash)]
    if sum(each.status in _FAILURES for each in earlier_intents) >= FAILED_INTENTS_MAX:
        log.error(
            "safe_execution.retries_exhausted",
            hash=hex0x(proposal.hash),
            tries=FAILED_INTENTS_MAX,
            reason="its intents say why",
        )
        return
    await queue_intent(
        session,
        key=f"execute-safe:{hex0x(proposal.hash)}" + (f"#{len(earlier_intents) + 1}" if earlier_intents else ""),
        kind=_KIND,
        wallet=keeper,
        call=call,
        request_id=proposal_number(proposal.hash),
    )
