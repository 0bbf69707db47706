"""What people see of the Safes: whose they are, what is proposed, who has signed, who is missing. Never asks the chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.transactions.multisig.context import SafeContext
from paimon.application.transactions.multisig.describe import DescribedCall, describe_transaction
from paimon.application.transactions.multisig.execute import proposal_number
from paimon.application.transactions.multisig.store import (
    get_proposal,
    list_competing,
    tally_of,
    transaction_of,
    view_of,
    with_signatures,
)
from paimon.application.transactions.queries import LastError, last_error_of, list_intents_for
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.transaction.lifecycle import IntentKind
from paimon.domain.transaction.safe_proposal import ProposalStatus, SafeInfo, SignatureTally, proposal_status
from paimon.domain.transaction.safe_transaction import SafeTransactionHashes, SafeName, safe_transaction_hashes, safe_transaction_document
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page


@dataclass(frozen=True, slots=True)
class ProposalSummary:
    """A proposal as it stands: by its Safe's present owners, the clock, and what the chain did at its nonce."""

    row: SafeProposalRow
    safe_name: SafeName
    safe_nonce: int
    status: ProposalStatus
    tally_signatures: SignatureTally
    last_error: LastError | None
    competing: list[Hash32]
    calls: list[DescribedCall]


@dataclass(frozen=True, slots=True)
class ProposalDetail:
    """The same with all that an owner compares before signing; `document` is None when there is nothing to sign any more."""

    summary: ProposalSummary
    hashes: SafeTransactionHashes
    document: dict[str, Any] | None
    intents: Sequence[IntentRow]

    @property
    def executed_externally(self) -> bool:
        """Its nonce was used by a transaction that is none of ours."""
        ours = {attempt.hash for intent in self.intents for attempt in intent.attempts}
        return self.summary.row.executed_tx_hash is not None and self.summary.row.executed_tx_hash not in ours


async def list_safes(session: AsyncSession, context: SafeContext) -> Sequence[SafeRow]:
    """The settings' Safes that were observed."""
    query = select(SafeRow).where(SafeRow.address.in_(context.safes.values())).order_by(SafeRow.name.desc())
    return (await session.scalars(query)).all()


async def list_proposals(
    session: AsyncSession, page: PageRequest, context: SafeContext, *, safe: SafeName | None = None, is_open: bool | None = None
) -> Page[ProposalSummary]:
    """Proposals by nonce, latest first, so that those that compete for one stand together."""
    conditions: list[ColumnElement[bool]] = []
    if safe is not None:
        conditions.append(SafeRow.name == safe)
    if is_open is not None:
        conditions.append(SafeProposalRow.outcome.is_(None) if is_open else SafeProposalRow.outcome.is_not(None))
    query = (
        select(SafeProposalRow)
        .join(SafeRow, SafeRow.address == SafeProposalRow.safe)
        .where(*conditions)
        .order_by(SafeRow.name.desc(), SafeProposalRow.nonce.desc(), SafeProposalRow.created_at.desc(), SafeProposalRow.hash)
    )
    found: Page[SafeProposalRow] = await fetch_page(session, with_signatures(query), page, lambda row: row)
    return Page(await list_summaries(session, found.items, context), found.total, found.request)


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
        intents=await list_intents_for(session, proposal_number(hash_)),
    )


async def list_summaries(session: AsyncSession, rows: Sequence[SafeProposalRow], context: SafeContext) -> list[ProposalSummary]:
    """How these proposals, loaded with their signatures, stand."""
    now = await database_now(session)
    safes = {
        each.address: each for each in await session.scalars(select(SafeRow).where(SafeRow.address.in_({r.safe for r in rows})))
    }
    competing_hashes = await list_competing(session, rows)
    executing = await _list_executing(session, rows)
    return [
        _summarize(
            each, safes[each.safe], competing_hashes[each.safe, each.nonce], context, now, is_executing=each.hash in executing
        )
        for each in rows
    ]


async def _list_executing(session: AsyncSession, rows: Sequence[SafeProposalRow]) -> frozenset[Hash32]:
    """Those of them that a transaction of ours is to execute."""
    numbers = {proposal_number(each.hash): each.hash for each in rows}
    query = select(IntentRow.request_id).where(
        IntentRow.kind == IntentKind.EXECUTE_SAFE,
        IntentRow.closed_at.is_(None),
        IntentRow.request_id.in_(numbers),
    )
    return frozenset(numbers[each] for each in await session.scalars(query))


def _summarize(
    row: SafeProposalRow,
    safe: SafeRow,
    competing_hashes: Sequence[Hash32],
    context: SafeContext,
    now: datetime,
    *,
    is_executing: bool,
) -> ProposalSummary:
    view: SafeInfo = view_of(safe)
    counted = tally_of(row, view)
    return ProposalSummary(
        row=row,
        safe_name=safe.name,
        safe_nonce=view.nonce,
        status=proposal_status(row.outcome, counted, is_executing=is_executing, expires_at=row.expires_at, now=now),
        tally_signatures=counted,
        last_error=last_error_of(safe),
        competing=[each for each in competing_hashes if each != row.hash],
        calls=describe_transaction(transaction_of(row), Address(row.safe), context.contracts, multi_send=context.multi_send),
    )
