"""Rows of Safes, proposals and signatures, as the use cases read them.

Whatever changes a Safe's proposals holds the lock on its row: two proposals at once take two nonces, and a signature
cannot slip in while the chain's verdict on its proposal is written down.
"""

from collections.abc import Iterable

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.safe_proposal import SafeInfo, SignatureTally, tally_signatures
from paimon.domain.transaction.safe_transaction import SafeOperation, OwnerSignature, SafeTransaction
from paimon.errors import NotFound
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeRow
from paimon.infrastructure.database.sessions import WriteSession


class ProposalNotFound(NotFound):
    """No proposal has this hash."""


def view_of(row: SafeRow) -> SafeInfo:
    return SafeInfo(tuple(Address(each) for each in row.owners), row.threshold, row.nonce)


def transaction_of(row: SafeProposalRow) -> SafeTransaction:
    call = Call(Address(row.to_address), row.data, RawAmount(row.value_wei))
    return SafeTransaction(call, SafeOperation(row.operation), row.nonce)


def signatures_of(row: SafeProposalRow) -> list[OwnerSignature]:
    return [OwnerSignature(Address(each.owner), each.signature, each.is_contract_signature) for each in row.signatures]


def tally_of(row: SafeProposalRow, safe: SafeInfo) -> SignatureTally:
    return tally_signatures((Address(each.owner) for each in row.signatures), safe)


def with_signatures(query: Select[SafeProposalRow]) -> Select[SafeProposalRow]:
    return query.options(selectinload(SafeProposalRow.signatures))


async def lock_safe(session: WriteSession, address: Address) -> SafeRow:
    """The Safe's row, ours until the transaction ends; it is there once the Safe was observed."""
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
    """What the chain has not ended, in the order it can be executed in."""
    query = with_signatures(select(SafeProposalRow).where(SafeProposalRow.safe == safe, SafeProposalRow.outcome.is_(None)))
    return list(await session.scalars(query.order_by(SafeProposalRow.nonce, SafeProposalRow.created_at)))


async def list_competing(session: AsyncSession, proposals: Iterable[SafeProposalRow]) -> dict[tuple[bytes, int], list[Hash32]]:
    """The hashes proposed at each of these proposals' nonces, oldest first."""
    rows = list(proposals)
    query = (
        select(SafeProposalRow.safe, SafeProposalRow.nonce, SafeProposalRow.hash)
        .where(SafeProposalRow.safe.in_({each.safe for each in rows}), SafeProposalRow.nonce.in_({each.nonce for each in rows}))
        .order_by(SafeProposalRow.created_at, SafeProposalRow.hash)
    )
    found: dict[tuple[bytes, int], list[Hash32]] = {}
    for safe, nonce, hash_ in await session.execute(query):
        found.setdefault((safe, nonce), []).append(hash_)
    return found
