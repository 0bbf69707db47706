"""What people see of the Safes: whose they are, what is proposed, who has signed, who is missing. Never asks the chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.transactions.multisig.context import SafeDesk
from paimon.application.transactions.multisig.describe import CallInWords, describe
from paimon.application.transactions.multisig.execute import number_of
from paimon.application.transactions.multisig.store import (
    competitors,
    get_proposal,
    tally_of,
    transaction_of,
    view_of,
    with_signatures,
)
from paimon.application.transactions.queries import Interruption, intents_for_request, interruption_of
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.transaction.lifecycle import IntentKind
from paimon.domain.transaction.safe_proposal import ProposalStatus, SafeView, Tally, status_of
from paimon.domain.transaction.safe_transaction import HashCard, SafeName, hash_card, typed_data
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page


@dataclass(frozen=True, slots=True)
class ProposalState:
    """A proposal as it stands: by its Safe's present owners, the clock, and what the chain did at its nonce."""

    row: SafeProposalRow
    safe_name: SafeName
    safe_nonce: int
    status: ProposalStatus
    tally: Tally
    interrupted: Interruption | None
    competing: list[Hash32]
    calls: list[CallInWords]


@dataclass(frozen=True, slots=True)
class ProposalFile:
    """The same with all that an owner compares before signing; `document` is None when there is nothing to sign any more."""

    state: ProposalState
    card: HashCard
    document: dict[str, Any] | None
    intents: Sequence[IntentRow]

    @property
    def executed_outside(self) -> bool:
        """Its nonce was used by a transaction that is none of ours."""
        ours = {attempt.hash for intent in self.intents for attempt in intent.attempts}
        return self.state.row.executed_tx is not None and self.state.row.executed_tx not in ours


async def list_safes(session: AsyncSession, desk: SafeDesk) -> Sequence[SafeRow]:
    """The settings' Safes that were observed."""
    query = select(SafeRow).where(SafeRow.address.in_(desk.safes.values())).order_by(SafeRow.name.desc())
    return (await session.scalars(query)).all()


async def list_proposals(
    session: AsyncSession, page: PageRequest, desk: SafeDesk, *, safe: SafeName | None = None, is_open: bool | None = None
) -> Page[ProposalState]:
    """Proposals by nonce, latest first, so that those that compete for one stand together."""
    wanted: list[ColumnElement[bool]] = []
    if safe is not None:
        wanted.append(SafeRow.name == safe)
    if is_open is not None:
        wanted.append(SafeProposalRow.outcome.is_(None) if is_open else SafeProposalRow.outcome.is_not(None))
    query = (
        select(SafeProposalRow)
        .join(SafeRow, SafeRow.address == SafeProposalRow.safe)
        .where(*wanted)
        .order_by(SafeRow.name.desc(), SafeProposalRow.nonce.desc(), SafeProposalRow.created_at.desc(), SafeProposalRow.hash)
    )
    found: Page[SafeProposalRow] = await fetch_page(session, with_signatures(query), page, lambda row: row)
    return Page(await states_of(session, found.items, desk), found.total, found.request)


async def get_proposal_file(session: AsyncSession, hash_: Hash32, desk: SafeDesk) -> ProposalFile:
    """Raises ProposalNotFound."""
    row = await get_proposal(session, hash_)
    (state,) = await states_of(session, [row], desk)
    transaction, scope = transaction_of(row), desk.scope(Address(row.safe))
    takes_signatures = row.outcome is None and state.status is not ProposalStatus.EXPIRED
    return ProposalFile(
        state=state,
        card=hash_card(transaction, scope),
        document=typed_data(transaction, scope) if takes_signatures else None,
        intents=await intents_for_request(session, number_of(hash_)),
    )


async def states_of(session: AsyncSession, rows: Sequence[SafeProposalRow], desk: SafeDesk) -> list[ProposalState]:
    """How these proposals, loaded with their signatures, stand."""
    now = await database_now(session)
    safes = {
        each.address: each for each in await session.scalars(select(SafeRow).where(SafeRow.address.in_({r.safe for r in rows})))
    }
    rivals = await competitors(session, rows)
    executing = await _executing(session, rows)
    return [
        _state(each, safes[each.safe], rivals[each.safe, each.nonce], desk, now, is_executing=each.hash in executing)
        for each in rows
    ]


async def _executing(session: AsyncSession, rows: Sequence[SafeProposalRow]) -> frozenset[Hash32]:
    """Those of them that a transaction of ours is to execute."""
    numbers = {number_of(each.hash): each.hash for each in rows}
    query = select(IntentRow.request_id).where(
        IntentRow.kind == IntentKind.EXECUTE_SAFE,
        IntentRow.closed_at.is_(None),
        IntentRow.request_id.in_(numbers),
    )
    return frozenset(numbers[each] for each in await session.scalars(query))


def _state(
    row: SafeProposalRow, safe: SafeRow, rivals: Sequence[Hash32], desk: SafeDesk, now: datetime, *, is_executing: bool
) -> ProposalState:
    view: SafeView = view_of(safe)
    counted = tally_of(row, view)
    return ProposalState(
        row=row,
        safe_name=safe.name,
        safe_nonce=view.nonce,
        status=status_of(row.outcome, counted, is_executing=is_executing, expires_at=row.expires_at, now=now),
        tally=counted,
        interrupted=interruption_of(safe),
        competing=[each for each in rivals if each != row.hash],
        calls=describe(transaction_of(row), Address(row.safe), desk.contracts, multi_send=desk.multi_send),
    )
