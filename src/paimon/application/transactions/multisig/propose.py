"""Propose a Safe transaction: its hash is computed here and by the Safe itself, its nonce is reserved under the Safe's lock.

Each proposal takes the next nonce that no proposal here has. To compete for a nonce on purpose is a separate command: a
rejection is a self-call at the nonce of the proposal that it rejects, and the Safe can execute only one of the two.
"""

from dataclasses import dataclass
from typing import Final

import structlog

from paimon.application.transactions.multisig.context import SafeContext
from paimon.application.transactions.multisig.store import (
    add_proposal,
    find_proposal,
    find_proposal_by_key,
    get_proposal,
    lock_safe,
    transaction_of,
)
from paimon.application.transactions.multisig.sync import sync_safe
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, checksum, hex0x
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.multi_send import build_safe_transaction as combine_calls
from paimon.domain.transaction.safe_proposal import ProposalClosed
from paimon.domain.transaction.safe_transaction import SafeName, SafeTransaction, rejection_transaction, safe_transaction_hashes
from paimon.errors import Conflict, Unavailable
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.multisig import SafeRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

REASON_MAX: Final = 500


class ProposalConflict(Conflict):
    """The proposal contradicts an earlier one."""


class HashMismatch(Unavailable):
    """The Safe computes another hash than this system: neither hash may be signed."""


@dataclass(frozen=True, slots=True)
class ProposeCalls:
    """Calls to propose. A key stands for one proposal: a second request with the key gets the proposal that exists."""

    key: str
    safe: SafeName
    calls: tuple[Call, ...]
    reason: str
    proposed_by: Address | None = None
    """None: a rule of this system."""
    at_nonce: int | None = None
    """Compete for the nonce of an open proposal; None takes the next nonce."""


async def propose_calls(command: ProposeCalls, context: SafeContext) -> Hash32:
    """Propose the calls, and return the hash that the owners sign.

    Raises:
        SafeNotConfigured, ProposalConflict, HashMismatch, UnexpectedSafe, IncompleteExecutions, RpcUnavailable, RpcError.
    """
    final = await sync_safe(context, context.address(command.safe))
    async with context.database.write() as session:
        return await propose_in_session(session, command, context, at=final)


async def propose_in_session(session: WriteSession, command: ProposeCalls, context: SafeContext, *, at: BlockStamp) -> Hash32:
    """Propose the calls in the caller's transaction. The Safe was synced at the block `at`."""
    address = context.address(command.safe)
    safe = await lock_safe(session, address)
    if (existing := await find_proposal_by_key(session, command.key)) is not None:
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
    """Propose the rejection that competes with this proposal, and return its hash. Each nonce has one rejection.

    Raises:
        ProposalNotFound, ProposalClosed, SafeNotConfigured, HashMismatch, UnexpectedSafe, IncompleteExecutions, RpcUnavailable,
        RpcError.
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
        if (existing := await find_proposal_by_key(session, key)) is not None:
            existing.expires_at = max(existing.expires_at, await database_now(session) + context.proposal_ttl)
            return existing.hash
        transaction = rejection_transaction(proposal.nonce, address)
        reason = f"rejects {hex0x(hash_)}: {proposal.reason}"[:REASON_MAX]
        command = ProposeCalls(key, safe.name, (transaction.call,), reason, proposed_by)
        return await _insert_proposal(session, context, safe, transaction, command, final)


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
        raise HashMismatch(f"the Safe {checksum(safe.address)} computes {hex0x(theirs)}, this system {hex0x(hash_)}")
    if await find_proposal(session, hash_) is not None:
        raise ProposalConflict(f"the same calls are already proposed at nonce {transaction.nonce}: {hex0x(hash_)}")
    now = await database_now(session)
    add_proposal(
        session,
        hash_,
        Address(safe.address),
        transaction,
        key=command.key,
        reason=command.reason,
        proposed_by=command.proposed_by,
        expires_at=now + context.proposal_ttl,
    )
    safe.next_nonce = max(safe.next_nonce, transaction.nonce + 1)
    log.info("proposal.created", safe=safe.name, hash=hex0x(hash_), nonce=transaction.nonce, key=command.key)
    return hash_
