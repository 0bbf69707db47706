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
from paimon.application.transactions.multisig.context import SafeDesk
from paimon.application.transactions.multisig.safe_errors import Stage, end_interruption, note_interruption
from paimon.application.transactions.multisig.store import (
    list_open,
    lock_safe,
    signatures_of,
    tally_of,
    transaction_of,
    view_of,
)
from paimon.application.transactions.retries import TRIES_MAX
from paimon.application.transactions.store import lock_wallet
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, hex0x
from paimon.domain.transaction.lifecycle import WALLET_OF, Call, IntentKind, IntentStatus
from paimon.domain.transaction.safe_proposal import ProposalStatus, SafeView, status_of
from paimon.domain.transaction.safe_transaction import OwnerSignature, pack_signatures, rejection_at
from paimon.infrastructure.blockchain.rpc import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.safe import SafeContract, execution_call
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

_KIND: Final = IntentKind.EXECUTE_SAFE
_DEFECTS: Final = frozenset({IntentStatus.REVERTED, IntentStatus.FAILED})
_NOT_SENT: Final = frozenset({IntentStatus.QUEUED, IntentStatus.SIMULATED})
_WITHDRAWN: Final = frozenset({IntentStatus.CANCELLED, IntentStatus.EXPIRED})


def number_of(hash_: Hash32) -> int:
    """What an intent to execute this is about."""
    return int.from_bytes(hash_)


async def execute_ready(desk: SafeDesk, *, keeper: Address) -> None:
    """See to every Safe; whatever the node does not answer for now is shown, and seen to at the next run."""
    for name, address in desk.safes.items():
        try:
            await _execute(desk, address, keeper)
        except (RpcUnavailable, RpcError) as error:
            log.warning("execution.waits_for_node", safe=name, reason=str(error))
            await note_interruption(desk.database, address, Stage.EXECUTION, str(error))
        else:
            await end_interruption(desk.database, address, Stage.EXECUTION)


async def _execute(desk: SafeDesk, address: Address, keeper: Address) -> None:
    final, contract = await desk.final_block(), desk.contract(address)
    async with desk.database.write() as session:
        if (await session.execute(select(SafeRow.address).where(SafeRow.address == address))).first() is None:
            return  # not observed yet
        await register_wallet(session, keeper, WALLET_OF[_KIND])
        if await lock_wallet(session, keeper) is None:
            return  # its driver is at work; an intent must not be taken back while it is being signed
        safe = view_of(await lock_safe(session, address))
        now = await database_now(session)
        proposals = [each for each in await list_open(session, address) if each.nonce == safe.nonce]
        wanted = await _wanted(proposals, contract, safe, final, now)
        intents = await _intents(session, proposals)
        for intent in intents:
            if intent.status in _NOT_SENT and (wanted is None or intent.data != wanted[1].data):
                close(intent, IntentStatus.CANCELLED, "another call is to be executed now, or none", now=now)
        if wanted is not None and not any(each.status not in _DEFECTS | _WITHDRAWN for each in intents):
            await _queue(session, wanted, intents, keeper)


async def _wanted(
    proposals: Sequence[SafeProposalRow], contract: SafeContract, safe: SafeView, at: BlockStamp, now: datetime
) -> tuple[SafeProposalRow, Call] | None:
    """The one proposal to execute, with its call, of those at the Safe's nonce."""
    ready = [
        each
        for each in proposals
        if status_of(each.outcome, tally_of(each, safe), is_executing=False, expires_at=each.expires_at, now=now)
        is ProposalStatus.READY
    ]
    rejection = rejection_at(safe.nonce, contract.address)
    for proposal in sorted(ready, key=lambda each: (transaction_of(each) != rejection, each.created_at, each.hash)):
        counting = await _counting(proposal, contract, safe, at)
        if len(counting) >= safe.threshold:
            return proposal, execution_call(contract.address, transaction_of(proposal), pack_signatures(counting))
    return None


async def _counting(proposal: SafeProposalRow, contract: SafeContract, safe: SafeView, at: BlockStamp) -> list[OwnerSignature]:
    """Signatures of present owners; a contract is asked again, for it may have changed its mind."""
    transaction = transaction_of(proposal)
    return [
        each
        for each in signatures_of(proposal)
        if each.owner in safe.owners and (not each.by_contract or await contract.refusal_of(transaction, each, at=at) is None)
    ]


async def _intents(session: WriteSession, proposals: Sequence[SafeProposalRow]) -> Sequence[IntentRow]:
    query = select(IntentRow).where(
        IntentRow.kind == _KIND,
        IntentRow.request_id.in_([number_of(each.hash) for each in proposals]),
    )
    return (await session.scalars(query)).all()


async def _queue(
    session: WriteSession, wanted: tuple[SafeProposalRow, Call], earlier: Sequence[IntentRow], keeper: Address
) -> None:
    proposal, call = wanted
    tried = [each for each in earlier if each.request_id == number_of(proposal.hash)]
    if sum(each.status in _DEFECTS for each in tried) >= TRIES_MAX:
        log.error("execution.given_up", hash=hex0x(proposal.hash), tries=TRIES_MAX, reason="its intents say why")
        return
    await queue_intent(
        session,
        key=f"execute-safe:{hex0x(proposal.hash)}" + (f"#{len(tried) + 1}" if tried else ""),
        kind=_KIND,
        wallet=keeper,
        call=call,
        request_id=number_of(proposal.hash),
    )
