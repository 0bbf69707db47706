"""Execute ready proposals with the keeper's key. Anyone may execute: the signatures are the permission.

A Safe can execute only the proposals at its present nonce. The rejection goes first, because its signers want the other
proposals dead. A plan whose ticket is not approved is not executed: its signatures are counted again first, by the people and
roles of this moment. An execution is an intent like any other: the full call is simulated before a nonce is spent on it, the
signer reads it again from its bytes, and the Safe's own event ends it.

A call that waits because its simulation fails is cancelled when it is no longer the call to execute: an owner was replaced, a
contract withdrew its consent, more owners have signed, the proposal expired, or its rejection is ready. What is in flight
stays in flight; the chain decides which of the two it takes.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog

from paimon.application.approval_tickets.plan_tickets import follow_signatures
from paimon.application.approval_tickets.store import lock_plan_ticket
from paimon.application.transactions.driver.intent_status import close
from paimon.application.transactions.intents import queue_intent
from paimon.application.transactions.multisig.context import SafeContext
from paimon.application.transactions.multisig.safe_errors import SafeTask, clear_safe_error, record_safe_error
from paimon.application.transactions.multisig.store import (
    find_safe,
    list_execution_intents,
    list_open,
    lock_safe,
    signatures_of,
    tally_of,
    transaction_of,
    view_of,
)
from paimon.application.transactions.retries import FAILED_INTENTS_MAX
from paimon.application.transactions.statements import save_intents
from paimon.application.transactions.store import lock_wallet, register_wallet
from paimon.domain.approval.ticket import TicketStatus
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, hex0x
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import WALLET_BY_INTENT_KIND, Call, IntentKind, IntentStatus
from paimon.domain.transaction.safe_proposal import ProposalStatus, SafeInfo, proposal_status
from paimon.domain.transaction.safe_transaction import OwnerSignature, pack_signatures, rejection_transaction
from paimon.infrastructure.blockchain.contracts.safe import SafeContract, build_execution_call
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

_KIND: Final = IntentKind.EXECUTE_SAFE
_FAILURES: Final = frozenset({IntentStatus.REVERTED, IntentStatus.FAILED})
_NOT_SENT: Final = frozenset({IntentStatus.QUEUED, IntentStatus.SIMULATED})
_CANCELLED: Final = frozenset({IntentStatus.CANCELLED, IntentStatus.EXPIRED})


async def execute_ready(context: SafeContext, *, keeper: Address) -> None:
    """Queue the execution of what is ready in every Safe. An error of the node is shown on the Safe until the next run."""
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
        if await find_safe(session, address) is None:
            return  # not synced yet
        await register_wallet(session, keeper, WALLET_BY_INTENT_KIND[_KIND])
        if await lock_wallet(session, keeper) is None:
            return  # the driver is at work: an intent must not be cancelled while it is being signed
        safe = view_of(await lock_safe(session, address))
        now = await database_now(session)
        proposals = [proposal for proposal in await list_open(session, address) if proposal.nonce == safe.nonce]
        selected = await _select_proposal(session, context, contract, proposals, safe, final)
        recorded = await list_execution_intents(session, [proposal.hash for proposal in proposals])
        intents = [_cancel_outdated(intent, selected, now) for intent in recorded]
        await save_intents(session, recorded, intents)
        if selected is not None and not any(intent.status not in _FAILURES | _CANCELLED for intent in intents):
            await _queue_execution(session, selected, intents, keeper)


async def _select_proposal(
    session: WriteSession,
    context: SafeContext,
    contract: SafeContract,
    proposals: Sequence[SafeProposalRow],
    safe: SafeInfo,
    at: BlockStamp,
) -> tuple[SafeProposalRow, Call] | None:
    """Return the one proposal at the Safe's nonce to execute, with its call."""
    now = await database_now(session)
    ready = [
        proposal
        for proposal in proposals
        if proposal_status(
            proposal.outcome, tally_of(proposal, safe), is_executing=False, expires_at=proposal.expires_at, now=now
        )
        is ProposalStatus.READY
    ]
    rejection = rejection_transaction(safe.nonce, contract.address)
    for proposal in sorted(ready, key=lambda row: (transaction_of(row) != rejection, row.created_at, row.hash)):
        valid = await _valid_signatures(proposal, contract, safe, at)
        if len(valid) >= safe.threshold and await _is_approved(session, context, proposal, valid, safe, now):
            return proposal, build_execution_call(contract.address, transaction_of(proposal), pack_signatures(valid))
    return None


async def _is_approved(
    session: WriteSession,
    context: SafeContext,
    proposal: SafeProposalRow,
    valid: Sequence[OwnerSignature],
    safe: SafeInfo,
    now: datetime,
) -> bool:
    """Whether the proposal is no ticket's, or its ticket is approved by these signatures now."""
    ticket = await lock_plan_ticket(session, Hash32(proposal.hash))
    if ticket is None:
        return True
    signers = [signature.owner for signature in valid]
    counted = await follow_signatures(session, ticket, signers, threshold=safe.threshold, scope=context.signing_scope, now=now)
    return counted.status is TicketStatus.APPROVED


async def _valid_signatures(
    proposal: SafeProposalRow, contract: SafeContract, safe: SafeInfo, at: BlockStamp
) -> list[OwnerSignature]:
    """Return the signatures of present owners. A contract is asked again, because it may have withdrawn its consent."""
    transaction = transaction_of(proposal)
    return [
        signature
        for signature in signatures_of(proposal)
        if signature.owner in safe.owners
        and (
            not signature.is_contract_signature
            or await contract.signature_rejection_reason(transaction, signature, at=at) is None
        )
    ]


def _cancel_outdated(intent: Intent, selected: tuple[SafeProposalRow, Call] | None, now: datetime) -> Intent:
    """Cancel an intent that was not sent and does not make the selected call."""
    if intent.status in _NOT_SENT and (selected is None or intent.call.data != selected[1].data):
        return close(intent, IntentStatus.CANCELLED, "the Safe has another call to execute now, or none", now=now)
    return intent


async def _queue_execution(
    session: WriteSession, selected: tuple[SafeProposalRow, Call], intents: Sequence[Intent], keeper: Address
) -> None:
    proposal, call = selected
    subject = IntentSubject.safe_transaction(proposal.hash)
    earlier_intents = [intent for intent in intents if intent.subject == subject]
    if sum(intent.status in _FAILURES for intent in earlier_intents) >= FAILED_INTENTS_MAX:
        log.error(
            "safe_execution.retries_exhausted",
            hash=hex0x(proposal.hash),
            tries=FAILED_INTENTS_MAX,
            reason="its intents say why",
        )
        return
    await queue_intent(
        session,
        key=f"execute-safe:{subject.id}" + (f"#{len(earlier_intents) + 1}" if earlier_intents else ""),
        kind=_KIND,
        wallet=keeper,
        call=call,
        subject=subject,
    )
