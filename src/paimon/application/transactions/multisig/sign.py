"""Sign a proposal: take in one owner's signature if the Safe itself would count it now.

The checks, in this order, each with an exception of its own: the proposal exists; the bytes can be a signature; the signed-in
user has the permission; the nonce is unused and the proposal not expired; the named owner owns the Safe at a final block; the
plan's ticket, if there is one, is open and another person's request; the owner has not signed; the Safe accepts the signature
over exactly this transaction. A key's signature is 65 bytes that recover to the owner: from the typed data, or from the hash
as a text if the last byte is 31 or 32 (`eth_sign`). Anything else is a contract's signature, which the Safe itself checks
(EIP-1271, the form with bytes and bytes). A signature over the transaction of a plan with a ticket is the owner's vote on it.
"""

from dataclasses import dataclass
from typing import Final

import structlog

from paimon.application.approval_tickets.plan_tickets import follow_signatures
from paimon.application.approval_tickets.stand_ins import find_pairs, with_lent_rights
from paimon.application.approval_tickets.store import lock_plan_ticket
from paimon.application.identity.permissions import require_permission
from paimon.application.transactions.multisig.context import SafeContext
from paimon.application.transactions.multisig.store import (
    get_proposal,
    lock_safe,
    save_signature,
    signatures_of,
    tally_of,
    transaction_of,
    view_of,
)
from paimon.application.transactions.multisig.sync import sync_safe
from paimon.domain.approval.plan_ticket import require_signable
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, checksum, hex0x
from paimon.domain.kernel.signature import normalized_signature
from paimon.domain.transaction.safe_proposal import AlreadySigned, NotASafeOwner, ProposalClosed
from paimon.domain.transaction.safe_transaction import (
    OWNER_SIGNATURE_BYTES,
    OwnerSignature,
    SafeScope,
    SafeTransaction,
    eth_sign_form,
    safe_transaction_document,
    safe_transaction_hashes,
)
from paimon.domain.user.roles import Permission, User
from paimon.errors import Forbidden
from paimon.infrastructure.blockchain.contracts.safe import SafeContract
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow
from paimon.infrastructure.keys.signatures import MalformedSignature, recover_bytes, recover_typed

log = structlog.get_logger(__name__)

SIGNATURE_BYTES_MAX: Final = 4_096
"""The longest signature of a contract: a Safe that owns a Safe needs 65 bytes for each of its own owners."""


class SignatureRejected(Forbidden):
    """The Safe would not count this signature."""

    field = "signature"


@dataclass(frozen=True, slots=True)
class SignProposal:
    """The signed-in user's request: an owner's signature, which may be another wallet's."""

    proposal: Hash32
    user: User
    owner: Address
    signature: str


async def sign_proposal(command: SignProposal, context: SafeContext) -> None:
    """Verify and store the signature.

    Raises:
        ProposalNotFound, MalformedSignature, NotPermitted, ProposalClosed, NotASafeOwner, TicketClosed, VoterNotAllowed,
        AlreadySigned, SignatureRejected, SafeNotConfigured, UnexpectedSafe, IncompleteExecutions, RpcUnavailable, RpcError.
    """
    async with context.database.read() as session:
        address = Address((await get_proposal(session, command.proposal)).safe)
        user = await with_lent_rights(session, command.user, context.signing_scope)
    context.name(address)
    signature = _parse(command.signature)
    require_permission(user, Permission.SIGN_PROPOSALS)
    final = await sync_safe(context, address)
    async with context.database.write() as session:
        safe = view_of(await lock_safe(session, address))
        proposal = await get_proposal(session, command.proposal)
        now = await database_now(session)
        if proposal.outcome is not None:
            raise ProposalClosed(f"nonce {proposal.nonce} of the Safe is used: the proposal is {proposal.outcome}")
        if now >= proposal.expires_at:
            raise ProposalClosed(f"the proposal expired at {proposal.expires_at:%Y-%m-%dT%H:%M:%SZ}; propose it again")
        if command.owner not in safe.owners:
            raise NotASafeOwner(f"{checksum(command.owner)} does not own the Safe {checksum(address)} at block {final.number}")
        ticket = await lock_plan_ticket(session, proposal.hash)
        if ticket is not None:
            require_signable(ticket, command.owner, now=now)
            (await find_pairs(session, context.signing_scope, now, ticket=ticket)).require_no_party(ticket, command.owner)
        contract = context.contract(address)
        await _require_unsigned(proposal, command.owner, contract, final)
        owner_signature = await _build_signature(proposal, command.owner, signature, contract, final)
        if (
            rejection := await contract.signature_rejection_reason(transaction_of(proposal), owner_signature, at=final)
        ) is not None:
            raise SignatureRejected(f"the Safe does not count this signature as {checksum(command.owner)}'s: {rejection}")
        await save_signature(session, proposal, owner_signature, submitted_by=command.user.address, now=now)
        counted = tally_of(proposal, safe)
        if ticket is not None:
            await follow_signatures(
                session, ticket, counted.valid_signers, threshold=safe.threshold, scope=context.signing_scope, now=now
            )
    log.info(
        "proposal.signed",
        hash=hex0x(command.proposal),
        owner=checksum(command.owner),
        counting=len(counted.valid_signers),
        threshold=counted.threshold,
    )


def _parse(text: str) -> bytes:
    try:
        signature = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise MalformedSignature("a signature is 0x followed by hexadecimal digits") from None
    if len(signature) > SIGNATURE_BYTES_MAX:
        raise MalformedSignature(f"a signature has at most {SIGNATURE_BYTES_MAX} bytes, this one has {len(signature)}")
    return signature


async def _require_unsigned(proposal: SafeProposalRow, owner: Address, contract: SafeContract, at: BlockStamp) -> None:
    """Refuse a second signature. A contract may sign anew when it has withdrawn its earlier consent."""
    earlier = next((signature for signature in signatures_of(proposal) if signature.owner == owner), None)
    if earlier is not None and await contract.signature_rejection_reason(transaction_of(proposal), earlier, at=at) is None:
        raise AlreadySigned(f"{checksum(owner)} has signed this proposal; an owner signs once")


async def _build_signature(
    proposal: SafeProposalRow, owner: Address, signature: bytes, contract: SafeContract, at: BlockStamp
) -> OwnerSignature:
    keys_signature = normalized_signature(signature)  # a contract's signature is its own business, and stays as it is
    if _recovers_to(owner, transaction_of(proposal), contract.scope, keys_signature):
        return OwnerSignature(owner, keys_signature, is_contract_signature=False)
    if await contract.has_code(owner, at=at):
        return OwnerSignature(owner, signature, is_contract_signature=True)
    raise SignatureRejected(f"the signature is not {checksum(owner)}'s over this proposal's hash {hex0x(proposal.hash)}")


def _recovers_to(owner: Address, transaction: SafeTransaction, scope: SafeScope, signature: bytes) -> bool:
    if len(signature) != OWNER_SIGNATURE_BYTES:
        return False
    try:
        if (wallets_own := eth_sign_form(signature)) is not None:
            return recover_bytes(safe_transaction_hashes(transaction, scope).transaction, wallets_own) == owner
        return recover_typed(safe_transaction_document(transaction, scope), signature) == owner
    except MalformedSignature:  # bytes that no key makes may still be a contract's signature
        return False
