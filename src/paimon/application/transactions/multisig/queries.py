"""Read the Safes for people: owners, proposals, signatures and missing signers. No query asks the chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.approval_tickets.store import find_plan_ticket_id
from paimon.application.transactions.multisig.context import SafeContext
from paimon.application.transactions.multisig.describe import DescribedCall, describe_transaction
from paimon.application.transactions.multisig.store import (
    get_proposal,
    list_competing,
    tally_of,
    transaction_of,
    view_of,
    with_signatures,
)
from paimon.application.transactions.queries import LastError, last_error_of, list_intents_about
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.transaction.intent import IntentWithAttempts
from paimon.domain.transaction.intent_subject import IntentSubject, SubjectType
from paimon.domain.transaction.lifecycle import IntentKind
from paimon.domain.transaction.safe_proposal import ProposalStatus, SignatureTally, proposal_status
from paimon.domain.transaction.safe_transaction import (
    SafeName,
    SafeOperation,
    SafeTransactionHashes,
    safe_transaction_document,
    safe_transaction_hashes,
)
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeRow, SafeSignatureRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page, latest_first


@dataclass(frozen=True, slots=True)
class SafeSummary:
    """A Safe as it was at the final block of its last sync."""

    name: SafeName
    address: Address
    owners: tuple[Address, ...]
    threshold: int
    nonce: int
    next_nonce: int
    """The first nonce that no proposal here has."""
    seen_block: int
    seen_at: datetime
    last_error: LastError | None


@dataclass(frozen=True, slots=True)
class SubmittedSignature:
    """One owner's signature, and the signed-in user who submitted it."""

    owner: Address
    is_contract_signature: bool
    signature: bytes
    submitted_by: Address
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class ProposalSummary:
    """A proposal with its status: by the Safe's present owners, the clock, and what the chain executed at its nonce."""

    hash: Hash32
    safe: Address
    safe_name: SafeName
    safe_nonce: int
    nonce: int
    to: Address
    value_wei: int
    data: bytes
    operation: SafeOperation
    status: ProposalStatus
    reason: str
    proposed_by: Address | None
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    executed_tx_hash: Hash32 | None
    tally: SignatureTally
    signatures: tuple[SubmittedSignature, ...]
    last_error: LastError | None
    competing: tuple[Hash32, ...]
    calls: tuple[DescribedCall, ...]


@dataclass(frozen=True, slots=True)
class ProposalDetail:
    """A proposal with all that an owner compares before signing. `document` is None when it takes no more signatures."""

    summary: ProposalSummary
    hashes: SafeTransactionHashes
    document: dict[str, Any] | None
    intents: Sequence[IntentWithAttempts]
    ticket_id: str | None

    @property
    def executed_externally(self) -> bool:
        """Whether a transaction that is not ours used the nonce."""
        ours = {attempt.hash for intent in self.intents for attempt in intent.attempts}
        return self.summary.executed_tx_hash is not None and self.summary.executed_tx_hash not in ours


async def list_safes(session: AsyncSession, context: SafeContext) -> list[SafeSummary]:
    """Return the Safes of the settings that were synced."""
    query = select(SafeRow).where(SafeRow.address.in_(context.safes.values())).order_by(SafeRow.name.desc())
    return [_summarize_safe(row) for row in await session.scalars(query)]


def _summarize_safe(row: SafeRow) -> SafeSummary:
    return SafeSummary(
        name=row.name,
        address=Address(row.address),
        owners=tuple(Address(owner) for owner in row.owners),
        threshold=row.threshold,
        nonce=row.nonce,
        next_nonce=row.next_nonce,
        seen_block=row.seen_block,
        seen_at=row.seen_at,
        last_error=last_error_of(row),
    )


async def list_proposals(
    session: AsyncSession, page: PageRequest, context: SafeContext, *, safe: SafeName | None = None, is_open: bool | None = None
) -> Page[ProposalSummary]:
    """Return proposals by nonce, latest first, so that competing proposals stand together."""
    conditions: list[ColumnElement[bool]] = []
    if safe is not None:
        conditions.append(SafeRow.name == safe)
    if is_open is not None:
        conditions.append(SafeProposalRow.outcome.is_(None) if is_open else SafeProposalRow.outcome.is_not(None))
    query = with_signatures(select(SafeProposalRow).join(SafeRow, SafeRow.address == SafeProposalRow.safe).where(*conditions))
    order = latest_first(SafeRow.name, SafeProposalRow.nonce, SafeProposalRow.created_at, SafeProposalRow.hash)
    found: Page[SafeProposalRow] = await fetch_page(session, query, page, lambda row: row, order=order)
    return found.with_items(await list_summaries(session, found.items, context))


async def get_proposal_detail(session: AsyncSession, hash_: Hash32, context: SafeContext) -> ProposalDetail:
    """Raises ProposalNotFound."""
    row = await get_proposal(session, hash_)
    (summary,) = await list_summaries(session, [row], context)
    transaction, scope = transaction_of(row), context.scope(Address(row.safe))
    takes_signatures = row.outcome is None and summary.status is not ProposalStatus.EXPIRED
    return ProposalDetail(
        summary=summary,
        hashes=safe_transaction_hashes(transaction, scope),
        document=safe_transaction_document(transaction, scope) if takes_signatures else None,
        intents=await list_intents_about(session, IntentSubject.safe_transaction(hash_)),
        ticket_id=await find_plan_ticket_id(session, hash_),
    )


async def list_summaries(session: AsyncSession, rows: Sequence[SafeProposalRow], context: SafeContext) -> list[ProposalSummary]:
    """Summarize these proposals, which must be loaded with their signatures."""
    now = await database_now(session)
    addresses = {row.safe for row in rows}
    safes = {safe.address: safe for safe in await session.scalars(select(SafeRow).where(SafeRow.address.in_(addresses)))}
    competing_hashes = await list_competing(session, rows)
    executing = await _list_executing(session, rows)
    return [
        _summarize(
            row, safes[row.safe], competing_hashes[row.safe, row.nonce], context, now, is_executing=row.hash in executing
        )
        for row in rows
    ]


async def _list_executing(session: AsyncSession, rows: Sequence[SafeProposalRow]) -> frozenset[Hash32]:
    """Return the hashes of the proposals that a transaction of ours executes."""
    hashes = {IntentSubject.safe_transaction(row.hash).id: row.hash for row in rows}
    query = select(IntentRow.subject_id).where(
        IntentRow.kind == IntentKind.EXECUTE_SAFE,
        IntentRow.closed_at.is_(None),
        IntentRow.subject_type == SubjectType.SAFE_TRANSACTION,
        IntentRow.subject_id.in_(hashes),
    )
    return frozenset(hashes[subject_id] for subject_id in await session.scalars(query))


def _summarize(
    row: SafeProposalRow,
    safe: SafeRow,
    competing_hashes: Sequence[Hash32],
    context: SafeContext,
    now: datetime,
    *,
    is_executing: bool,
) -> ProposalSummary:
    info = view_of(safe)
    tally = tally_of(row, info)
    transaction = transaction_of(row)
    return ProposalSummary(
        hash=Hash32(row.hash),
        safe=Address(row.safe),
        safe_name=safe.name,
        safe_nonce=info.nonce,
        nonce=row.nonce,
        to=transaction.call.to,
        value_wei=transaction.call.value_wei,
        data=transaction.call.data,
        operation=transaction.operation,
        status=proposal_status(row.outcome, tally, is_executing=is_executing, expires_at=row.expires_at, now=now),
        reason=row.reason,
        proposed_by=None if row.proposed_by is None else Address(row.proposed_by),
        created_at=row.created_at,
        expires_at=row.expires_at,
        closed_at=row.closed_at,
        executed_tx_hash=row.executed_tx_hash,
        tally=tally,
        signatures=tuple(_submitted_signature(signature) for signature in row.signatures),
        last_error=last_error_of(safe),
        competing=tuple(hash_ for hash_ in competing_hashes if hash_ != row.hash),
        calls=tuple(describe_transaction(transaction, Address(row.safe), context.contracts, multi_send=context.multi_send)),
    )


def _submitted_signature(row: SafeSignatureRow) -> SubmittedSignature:
    return SubmittedSignature(
        owner=Address(row.owner),
        is_contract_signature=row.is_contract_signature,
        signature=row.signature,
        submitted_by=Address(row.submitted_by),
        signed_at=row.signed_at,
    )
