"""Read plans for people: the calls, the wallet and why it was selected, and the status. No query asks the chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from paimon.application.approval_tickets.store import list_refused_plan_tickets
from paimon.application.transactions.multisig.context import SafeContext
from paimon.application.transactions.multisig.queries import list_summaries
from paimon.application.transactions.multisig.store import with_signatures
from paimon.application.transactions.plans.store import list_executing_proposals
from paimon.domain.approval.plan_ticket import REFUSED_TICKETS, RefusedTicket
from paimon.domain.approval.ticket import TicketStatus
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.intent import IntentWithAttempts
from paimon.domain.transaction.plan import PlanStatus, status_of_intents, status_of_proposal
from paimon.domain.transaction.safe_proposal import ProposalStatus
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.errors import NotFound
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.approval import ApprovalTicketRow
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow
from paimon.infrastructure.database.models.ops.plan import PlanCallRow, PlanRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page, latest_first
from paimon.infrastructure.database.rows.transaction import intent_with_attempts_of


class PlanNotFound(NotFound):
    """No plan has this id."""


@dataclass(frozen=True, slots=True)
class PlanFilter:
    """Which plans to list. None matches every plan; `is_open` is False for plans that have ended."""

    wallet: PlanWallet | None = None
    plan: str | None = None
    is_open: bool | None = None


@dataclass(frozen=True, slots=True)
class PlanCallDetail:
    """One call of a plan, with the intent that makes it if the hot key carries out the plan."""

    description: str
    function: str
    to: Address
    data: bytes
    amount: RawAmount
    intent: IntentWithAttempts | None


@dataclass(frozen=True, slots=True)
class PlanDetail:
    """A plan with its status, its calls, and what was signed."""

    id: UUID
    idempotency_key: str
    payload_hash: Hash32
    name: str
    reason: str
    wallet: PlanWallet
    amount: RawAmount
    rejected_wallets: tuple[str, ...]
    proposal: Hash32 | None
    created_at: datetime
    requested_by: Address
    typed_data: dict[str, Any]
    signature: bytes
    status: PlanStatus
    calls: tuple[PlanCallDetail, ...]
    refused: RefusedTicket | None
    """The plan's ticket, where it ended without an approval. The Safe transaction is its owners' to reject."""


async def list_plans(session: AsyncSession, page: PageRequest, context: SafeContext, filters: PlanFilter) -> Page[PlanDetail]:
    """Return plans, latest first."""
    conditions: list[ColumnElement[bool]] = []
    if filters.wallet is not None:
        conditions.append(PlanRow.wallet == filters.wallet)
    if filters.plan is not None:
        conditions.append(PlanRow.name == filters.plan)
    if filters.is_open is not None:
        is_open = await _is_open(session)
        conditions.append(is_open if filters.is_open else ~is_open)
    order = latest_first(PlanRow.created_at, PlanRow.id)
    found: Page[PlanRow] = await fetch_page(session, _plan_query().where(*conditions), page, lambda row: row, order=order)
    return found.with_items(await _with_status(session, found.items, context))


async def get_plan(session: AsyncSession, plan_id: UUID, context: SafeContext) -> PlanDetail:
    """Raises PlanNotFound."""
    row = (await session.scalars(_plan_query().where(PlanRow.id == plan_id))).one_or_none()
    if row is None:
        raise PlanNotFound(f"there is no plan {plan_id}")
    (details,) = await _with_status(session, [row], context)
    return details


async def find_plan_by_key(session: AsyncSession, key: str, context: SafeContext) -> PlanDetail | None:
    """Return the plan with this idempotency key, None before it is submitted."""
    row = (await session.scalars(_plan_query().where(PlanRow.idempotency_key == key))).one_or_none()
    return None if row is None else (await _with_status(session, [row], context))[0]


def _plan_query() -> Select[PlanRow]:
    intents = selectinload(PlanRow.calls).selectinload(PlanCallRow.intent).selectinload(IntentRow.attempts)
    return select(PlanRow).options(intents)


async def find_open_plan(session: AsyncSession, prefixes: Sequence[str], *, other_than: str | None) -> str | None:
    """Return the name of the oldest open plan whose key begins with one of the prefixes, but not the one with this key."""
    begins = or_(*(PlanRow.idempotency_key.startswith(prefix, autoescape=True) for prefix in prefixes))
    query = select(PlanRow.name).where(begins, await _is_open(session), PlanRow.idempotency_key.is_distinct_from(other_than))
    found: str | None = await session.scalar(query.order_by(PlanRow.created_at, PlanRow.id).limit(1))
    return found


async def _is_open(session: AsyncSession) -> ColumnElement[bool]:
    """Return the condition that `PlanStatus` means by an open plan."""
    now, executing = await database_now(session), await list_executing_proposals(session)
    by_hot_key = exists().where(
        PlanCallRow.plan_id == PlanRow.id, PlanCallRow.intent_id == IntentRow.id, IntentRow.closed_at.is_(None)
    )
    is_refused = exists().where(ApprovalTicketRow.plan_id == PlanRow.id, ApprovalTicketRow.status.in_(REFUSED_TICKETS))

    def by_safe(condition: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(SafeProposalRow.hash == PlanRow.proposal, SafeProposalRow.outcome.is_(None), condition)

    is_executing, is_in_time = by_safe(SafeProposalRow.hash.in_(executing)), by_safe(SafeProposalRow.expires_at > now)
    return or_(by_hot_key, is_executing, and_(is_in_time, ~is_refused))


async def _with_status(session: AsyncSession, rows: Sequence[PlanRow], context: SafeContext) -> list[PlanDetail]:
    hashes = [row.proposal for row in rows if row.proposal is not None]
    proposals = list(await session.scalars(with_signatures(select(SafeProposalRow).where(SafeProposalRow.hash.in_(hashes)))))
    summaries = await list_summaries(session, proposals, context)
    statuses = {summary.hash: summary.status for summary in summaries}
    refused = await list_refused_plan_tickets(session, [row.id for row in rows if row.proposal is not None])
    return [_plan_detail(row, _status_of(row, statuses, refused.get(row.id)), refused.get(row.id)) for row in rows]


_STATUS_OF_REFUSED: Final = {
    TicketStatus.REJECTED: PlanStatus.REJECTED,
    TicketStatus.CANCELLED: PlanStatus.CANCELLED,
    TicketStatus.EXPIRED: PlanStatus.EXPIRED,
    TicketStatus.VOID: PlanStatus.VOID,
}


def _status_of(row: PlanRow, proposals: dict[Hash32, ProposalStatus], refused: RefusedTicket | None) -> PlanStatus:
    if row.proposal is not None:
        ended_as = None if refused is None else _STATUS_OF_REFUSED[refused.status]
        return status_of_proposal(proposals[Hash32(row.proposal)], refused=ended_as)
    return status_of_intents([call.intent.status for call in row.calls if call.intent is not None])


def _plan_detail(row: PlanRow, status: PlanStatus, refused: RefusedTicket | None) -> PlanDetail:
    return PlanDetail(
        id=row.id,
        idempotency_key=row.idempotency_key,
        payload_hash=Hash32(row.payload_hash),
        name=row.name,
        reason=row.reason,
        wallet=row.wallet,
        amount=RawAmount(row.amount),
        rejected_wallets=tuple(row.rejected_wallets),
        proposal=row.proposal,
        created_at=row.created_at,
        requested_by=row.requested_by,
        typed_data=row.typed_data,
        signature=row.signature,
        status=status,
        calls=tuple(_call_detail(call) for call in row.calls),
        refused=refused,
    )


def _call_detail(row: PlanCallRow) -> PlanCallDetail:
    return PlanCallDetail(
        description=row.description,
        function=row.function,
        to=Address(row.to_address),
        data=row.data,
        amount=RawAmount(row.amount),
        intent=None if row.intent is None else intent_with_attempts_of(row.intent),
    )
