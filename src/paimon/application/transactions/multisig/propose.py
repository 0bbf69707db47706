"""Proposing a Safe transaction: the hash computed here and by the Safe itself, the nonce reserved under the Safe's lock.

Each proposal takes the next nonce that none has here. To compete for a nonce on purpose is something else and is asked
for by name: a rejection is a self-call at the nonce of what it rejects, and only one of the two can ever be executed.
"""

from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import select

from paimon.application.transactions.multisig.context import SafeContext
from paimon.application.transactions.multisig.store import get_proposal, lock_safe, transaction_of
from paimon.application.transactions.multisig.sync import sync_safe
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, checksum, hex0x
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.multi_send import build_safe_transaction as combine_calls
from paimon.domain.transaction.safe_proposal import ProposalClosed
from paimon.domain.transaction.safe_transaction import SafeName, SafeTransaction, safe_transaction_hashes, rejection_transaction
from paimon.errors import Conflict, Unavailable
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

REASON_MAX: Final = 500


class ProposalConflict(Conflict):
    """What is proposed contradicts what was proposed before."""


class HashMismatch(Unavailable):
    """The Safe computes another hash than this house: nobody may sign either."""


@dataclass(frozen=True, slots=True)
class ProposeCalls:
    """`key` says what for, once: the same key again gives the proposal that is there."""

    key: str
    safe: SafeName
    calls: tuple[Call, ...]
    reason: str
    proposed_by: Address | None = None
    """None: this house, by a rule of its own."""
    at_nonce: int | None = None
    """Compete for the nonce of an open proposal, rather than take the next."""


async def propose(command: ProposeCalls, context: SafeContext) -> Hash32:
    """The hash its owners sign.

    Raises:
        SafeNotConfigured, ProposalConflict, HashMismatch, UnexpectedSafe, IncompleteExecutions, RpcUnavailable, RpcError.
    """
    final = await sync_safe(context, context.address(command.safe))
    async with context.database.write() as session:
        return await propose_in_session(session, command, context, at=final)


async def propose_in_session(session: WriteSession, command: ProposeCalls, context: SafeContext, *, at: BlockStamp) -> Hash32:
    """The same in the caller's transaction, for what must be written together; the Safe was observed at `at`."""
    address = context.address(command.safe)
    safe = await lock_safe(session, address)
    if (existing := await _find_by_key(session, command.key)) is not None:
        expected = combine_calls(command.calls, existing.nonce, multi_send=context.multi_send)
        if existing.safe != address or transaction_of(existing) != expected:
            raise ProposalConflict(f"proposal {command.key!r} exists with other calls: one key stands for one plan")
        return existing.hash
    nonce = safe.next_nonce if command.at_nonce is None else command.at_nonce
    if not safe.nonce <= nonce <= safe.next_nonce:
        raise ProposalConflict(f"nonce {nonce} is used, or beyond the next one: {safe.nonce} to {safe.next_nonce} are open")
    transaction = combine_calls(command.calls, nonce, multi_send=context.multi_send)
    return await _insert_proposal(session, context, safe, transaction, command, at)


async def propose_rejection(hash_: Hash32, context: SafeContext, *, proposed_by: Address) -> Hash32:
    """The hash of the rejection that competes with this proposal; there is one for each nonce.

    Raises:
        ProposalNotFound, ProposalClosed, SafeNotConfigured, HashMismatch, UnexpectedSafe, IncompleteExecutions, RpcUnavailable, RpcError.
    """
    async with context.database.read() as session:
        address = Address((await get_proposal(session, hash_)).safe)
    context.name(address)
    final = await sync_safe(context, address)
    async with context.database.write() as session:
        safe = await lock_safe(session, address)
        proposal = await get_proposal(session, hash_)
        if proposal.outcome is not None:
            raise ProposalClosed(f"nonce {proposal.nonce} is used: the proposal is {proposal.outcome}")
        key = f"reject:{checksum(address)}:{proposal.nonce}"
        if (existing := await _find_by_key(session, key)) is not None:
            existing.expires_at = max(existing.expires_at, await database_now(session) + context.proposal_ttl)
            return existing.hash
        transaction = rejection_transaction(proposal.nonce, address)
        reason = f"rejects {hex0x(hash_)}: {proposal.reason}"[:REASON_MAX]
        command = ProposeCalls(key, safe.name, (transaction.call,), reason, proposed_by)
        return await _insert_proposal(session, context, safe, transaction, command, final)


async def _find_by_key(session: WriteSession, key: str) -> SafeProposalRow | None:
    return (await session.scalars(select(SafeProposalRow).where(SafeProposalRow.idempotency_key == key))).one_or_none()


async def _insert_proposal(
    session: WriteSession,
    context: SafeContext,
    safe: SafeRow,
    transaction: SafeTransaction,
    command: ProposeCalls,
    at: BlockStamp,
) -> Hash32:
    contract = context.contract(Address(safe.address))
    hash_ = safe_transaction_hashes(transaction, contract.scope).transaction
    if (theirs := await contract.transaction_hash(transaction, at=at)) != hash_:
        raise HashMismatch(f"the Safe {checksum(safe.address)} computes {hex0x(theirs)}, this house {hex0x(hash_)}")
    if await session.get(SafeProposalRow, hash_) is not None:
        raise ProposalConflict(f"the same calls are proposed at nonce {transaction.nonce} already: {hex0x(hash_)}")
    now = await database_now(session)
    session.add(
        SafeProposalRow(
            hash=hash_,
            safe=safe.address,
            nonce=transaction.nonce,
            to_address=transaction.call.to,
            value_wei=transaction.call.value_wei,
            data=transaction.call.data,
            operation=transaction.operation.value,
            idempotency_key=command.key,
            reason=command.reason,
            proposed_by=command.proposed_by,
            expires_at=now + context.proposal_ttl,
        )
    )
    safe.next_nonce = max(safe.next_nonce, transaction.nonce + 1)
    log.info("proposal.created", safe=safe.name, hash=hex0x(hash_), nonce=transaction.nonce, key=command.key)
    return hash_
