"""Proposing a Safe transaction: the hash computed here and by the Safe itself, the nonce reserved under the Safe's lock.

Each proposal takes the next nonce that none has here. To compete for a nonce on purpose is something else and is asked
for by name: a rejection is a self-call at the nonce of what it rejects, and only one of the two can ever be executed.
"""

from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import select

from paimon.application.transactions.multisig.context import SafeDesk
from paimon.application.transactions.multisig.store import get_proposal, lock_safe, transaction_of
from paimon.application.transactions.multisig.sync import observe
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, checksum, hex0x
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.multi_send import transaction_of as transaction_for
from paimon.domain.transaction.safe_proposal import ProposalClosed
from paimon.domain.transaction.safe_transaction import SafeName, SafeTransaction, hash_card, rejection_at
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


async def propose(command: ProposeCalls, desk: SafeDesk) -> Hash32:
    """The hash its owners sign.

    Raises:
        NoSuchSafe, ProposalConflict, HashMismatch, NotOurSafe, MissingExecutions, RpcUnavailable, RpcError.
    """
    final = await observe(desk, desk.address(command.safe))
    async with desk.database.write() as session:
        return await propose_within(session, command, desk, at=final)


async def propose_within(session: WriteSession, command: ProposeCalls, desk: SafeDesk, *, at: BlockStamp) -> Hash32:
    """The same in the caller's transaction, for what must be written together; the Safe was observed at `at`."""
    address = desk.address(command.safe)
    safe = await lock_safe(session, address)
    if (known := await _with_key(session, command.key)) is not None:
        wanted = transaction_for(command.calls, known.nonce, multi_send=desk.multi_send)
        if known.safe != address or transaction_of(known) != wanted:
            raise ProposalConflict(f"proposal {command.key!r} exists with other calls: one key stands for one plan")
        return known.hash
    nonce = safe.next_nonce if command.at_nonce is None else command.at_nonce
    if not safe.nonce <= nonce <= safe.next_nonce:
        raise ProposalConflict(f"nonce {nonce} is used, or beyond the next one: {safe.nonce} to {safe.next_nonce} are open")
    transaction = transaction_for(command.calls, nonce, multi_send=desk.multi_send)
    return await _insert(session, desk, safe, transaction, command, at)


async def propose_rejection(hash_: Hash32, desk: SafeDesk, *, proposed_by: Address) -> Hash32:
    """The hash of the rejection that competes with this proposal; there is one for each nonce.

    Raises:
        ProposalNotFound, ProposalClosed, NoSuchSafe, HashMismatch, NotOurSafe, MissingExecutions, RpcUnavailable, RpcError.
    """
    async with desk.database.read() as session:
        address = Address((await get_proposal(session, hash_)).safe)
    desk.name(address)
    final = await observe(desk, address)
    async with desk.database.write() as session:
        safe = await lock_safe(session, address)
        proposal = await get_proposal(session, hash_)
        if proposal.outcome is not None:
            raise ProposalClosed(f"nonce {proposal.nonce} is used: the proposal is {proposal.outcome}")
        key = f"reject:{checksum(address)}:{proposal.nonce}"
        if (known := await _with_key(session, key)) is not None:
            known.expires_at = max(known.expires_at, await database_now(session) + desk.proposal_ttl)
            return known.hash
        transaction = rejection_at(proposal.nonce, address)
        reason = f"rejects {hex0x(hash_)}: {proposal.reason}"[:REASON_MAX]
        command = ProposeCalls(key, safe.name, (transaction.call,), reason, proposed_by)
        return await _insert(session, desk, safe, transaction, command, final)


async def _with_key(session: WriteSession, key: str) -> SafeProposalRow | None:
    return (await session.scalars(select(SafeProposalRow).where(SafeProposalRow.idempotency_key == key))).one_or_none()


async def _insert(
    session: WriteSession, desk: SafeDesk, safe: SafeRow, transaction: SafeTransaction, command: ProposeCalls, at: BlockStamp
) -> Hash32:
    contract = desk.contract(Address(safe.address))
    hash_ = hash_card(transaction, contract.scope).transaction
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
            expires_at=now + desk.proposal_ttl,
        )
    )
    safe.next_nonce = max(safe.next_nonce, transaction.nonce + 1)
    log.info("proposal.made", safe=safe.name, hash=hex0x(hash_), nonce=transaction.nonce, key=command.key)
    return hash_
