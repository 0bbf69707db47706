"""Load and save Safes, proposals and signatures.

Every change of a Safe's proposals happens under the lock on its row. Two proposals at once take two nonces, and no signature
slips in while the outcome of its proposal is written.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from paimon.domain.kernel.chain import Address, BlockStamp, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.intent_subject import IntentSubject, SubjectType
from paimon.domain.transaction.lifecycle import Call, IntentKind
from paimon.domain.transaction.safe_proposal import SafeInfo, SignatureTally, tally_signatures
from paimon.domain.transaction.safe_transaction import OwnerSignature, SafeName, SafeOperation, SafeTransaction
from paimon.errors import NotFound
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeRow, SafeSignatureRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.rows.transaction import intent_of
from paimon.infrastructure.database.sessions import WriteSession


class ProposalNotFound(NotFound):
    """No proposal has this hash."""


def view_of(row: SafeRow) -> SafeInfo:
    return SafeInfo(tuple(Address(owner) for owner in row.owners), row.threshold, row.nonce)


def transaction_of(row: SafeProposalRow) -> SafeTransaction:
    call = Call(Address(row.to_address), row.data, RawAmount(row.value_wei))
    return SafeTransaction(call, SafeOperation(row.operation), row.nonce)


def signatures_of(row: SafeProposalRow) -> list[OwnerSignature]:
    return [OwnerSignature(Address(found.owner), found.signature, found.is_contract_signature) for found in row.signatures]


def tally_of(row: SafeProposalRow, safe: SafeInfo) -> SignatureTally:
    return tally_signatures((Address(signature.owner) for signature in row.signatures), safe)


def with_signatures(query: Select[SafeProposalRow]) -> Select[SafeProposalRow]:
    return query.options(selectinload(SafeProposalRow.signatures))


async def lock_safe(session: WriteSession, address: Address) -> SafeRow:
    """Lock the row of a Safe that was synced before, until the transaction ends."""
    query = select(SafeRow).where(SafeRow.address == address).with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(query)).one()


async def find_proposal(session: AsyncSession, hash_: Hash32) -> SafeProposalRow | None:
    query = with_signatures(select(SafeProposalRow).where(SafeProposalRow.hash == hash_))
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


async def get_proposal(session: AsyncSession, hash_: Hash32) -> SafeProposalRow:
    """Raises ProposalNotFound."""
    if (found := await find_proposal(session, hash_)) is None:
        raise ProposalNotFound(f"there is no proposal 0x{hash_.hex()}")
    return found


async def list_open(session: AsyncSession, safe: Address) -> list[SafeProposalRow]:
    """Return the proposals without an outcome, in the order in which the Safe can execute them."""
    query = with_signatures(select(SafeProposalRow).where(SafeProposalRow.safe == safe, SafeProposalRow.outcome.is_(None)))
    return list(await session.scalars(query.order_by(SafeProposalRow.nonce, SafeProposalRow.created_at)))


async def list_competing(session: AsyncSession, proposals: Iterable[SafeProposalRow]) -> dict[tuple[bytes, int], list[Hash32]]:
    """Return the hashes that are proposed at the nonces of these proposals, oldest first."""
    rows = list(proposals)
    query = (
        select(SafeProposalRow.safe, SafeProposalRow.nonce, SafeProposalRow.hash)
        .where(SafeProposalRow.safe.in_({row.safe for row in rows}), SafeProposalRow.nonce.in_({row.nonce for row in rows}))
        .order_by(SafeProposalRow.created_at, SafeProposalRow.hash)
    )
    found: dict[tuple[bytes, int], list[Hash32]] = {}
    for safe, nonce, hash_ in await session.execute(query):
        found.setdefault((safe, nonce), []).append(hash_)
    return found


async def find_safe(session: AsyncSession, address: Address) -> SafeRow | None:
    """Return the Safe's row; None before its first sync."""
    return (await session.scalars(select(SafeRow).where(SafeRow.address == address))).one_or_none()


async def list_thresholds(session: AsyncSession) -> dict[Address | None, int]:
    """Return the threshold of every Safe that was synced, by its address."""
    return {
        Address(address): threshold for address, threshold in await session.execute(select(SafeRow.address, SafeRow.threshold))
    }


async def insert_safe(session: WriteSession, address: Address, name: SafeName, info: SafeInfo, *, at: BlockStamp) -> None:
    """Insert the Safe as it is at this block, unless another worker has done so."""
    statement = insert(SafeRow).values(
        address=address,
        name=name,
        owners=list(info.owners),
        threshold=info.threshold,
        nonce=info.nonce,
        next_nonce=info.nonce,
        seen_block=at.number,
        seen_hash=at.hash,
    )
    await session.execute(statement.on_conflict_do_nothing(index_elements=[SafeRow.address]))


async def record_error(session: WriteSession, safe: Address, message: str) -> None:
    """Show the error on the Safe's row. A Safe that was never synced has no row to show it on."""
    since = func.coalesce(SafeRow.failing_since, func.now())
    await session.execute(update(SafeRow).where(SafeRow.address == safe).values(failing_since=since, last_error=message))


async def clear_error(session: WriteSession, safe: Address, *, prefix: str) -> bool:
    """Clear an error that begins with the prefix. Return whether there was one."""
    cleared = (
        update(SafeRow)
        .where(SafeRow.address == safe, SafeRow.last_error.startswith(prefix))
        .values(failing_since=None, last_error=None)
        .returning(SafeRow.name)
    )
    return (await session.execute(cleared)).scalar() is not None


async def find_proposal_by_key(session: WriteSession, key: str) -> SafeProposalRow | None:
    return (await session.scalars(select(SafeProposalRow).where(SafeProposalRow.idempotency_key == key))).one_or_none()


def add_proposal(
    session: WriteSession,
    hash_: Hash32,
    safe: Address,
    transaction: SafeTransaction,
    *,
    key: str,
    reason: str,
    proposed_by: Address | None,
    expires_at: datetime,
) -> None:
    """Add the proposal; the commit writes it. The caller holds the Safe's lock."""
    session.add(
        SafeProposalRow(
            hash=hash_,
            safe=safe,
            nonce=transaction.nonce,
            to_address=transaction.call.to,
            value_wei=transaction.call.value_wei,
            data=transaction.call.data,
            operation=transaction.operation.value,
            idempotency_key=key,
            reason=reason,
            proposed_by=proposed_by,
            expires_at=expires_at,
        )
    )


async def save_signature(
    session: WriteSession, proposal: SafeProposalRow, signature: OwnerSignature, *, submitted_by: Address, now: datetime
) -> None:
    """Store the owner's signature in place of an earlier one, and reload the proposal's signatures."""
    await session.merge(
        SafeSignatureRow(
            proposal=proposal.hash,
            owner=signature.owner,
            signature=signature.signature,
            is_contract_signature=signature.is_contract_signature,
            submitted_by=submitted_by,
            signed_at=now,
        )
    )
    await session.flush()
    await session.refresh(proposal, ["signatures"])


async def list_execution_intents(session: WriteSession, hashes: Iterable[Hash32]) -> list[Intent]:
    """Return the intents that execute these proposals, open or ended."""
    query = select(IntentRow).where(
        IntentRow.kind == IntentKind.EXECUTE_SAFE,
        IntentRow.subject_type == SubjectType.SAFE_TRANSACTION,
        IntentRow.subject_id.in_([IntentSubject.safe_transaction(hash_).id for hash_ in hashes]),
    )
    return [intent_of(row) for row in await session.scalars(query)]
