"""What people see of plans: what was handed in, which wallet has it and why, and how it stands. Never asks the chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from paimon.application.transactions.multisig.context import SafeContext
from paimon.application.transactions.multisig.queries import list_summaries
from paimon.application.transactions.multisig.store import with_signatures
from paimon.application.transactions.plans.select_wallet import list_executing_proposals
from paimon.domain.kernel.chain import Hash32
from paimon.domain.transaction.plan import PlanStatus, status_of_intents, status_of_proposal
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.errors import NotFound
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow
from paimon.infrastructure.database.models.ops.plan import PlanCallRow, PlanRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page


class PlanNotFound(NotFound):
    """No plan has this id."""


@dataclass(frozen=True, slots=True)
class PlanFilter:
    """Which plans; what is None does not matter. `is_open` is False for those that have ended."""

    wallet: PlanWallet | None = None
    plan: str | None = None
    is_open: bool | None = None


@dataclass(frozen=True, slots=True)
class PlanDetail:
    """A plan with its calls and their intents, as it stands."""

    row: PlanRow
    status: PlanStatus


async def list_plans(session: AsyncSession, page: PageRequest, context: SafeContext, filters: PlanFilter) -> Page[PlanDetail]:
    """Plans, latest first."""
    conditions: list[ColumnElement[bool]] = []
    if filters.wallet is not None:
        conditions.append(PlanRow.wallet == filters.wallet)
    if filters.plan is not None:
        conditions.append(PlanRow.name == filters.plan)
    if filters.is_open is not None:
        is_open = await _is_open(session)
        conditions.append(is_open if filters.is_open else ~is_open)
    query = _plan_query().where(*conditions).order_by(PlanRow.created_at.desc(), PlanRow.id.desc())

    def row(plan: PlanRow) -> PlanRow:
        return plan

    found = await fetch_page(session, query, page, row)
    return Page(await _with_status(session, found.items, context), found.total, found.request)


async def get_plan(session: AsyncSession, plan_id: UUID, context: SafeContext) -> PlanDetail:
    """Raises PlanNotFound."""
    row = (await session.scalars(_plan_query().where(PlanRow.id == plan_id))).one_or_none()
    if row is None:
        raise PlanNotFound(f"there is no plan {plan_id}")
    (details,) = await _with_status(session, [row], context)
    return details


def _plan_query() -> Select[PlanRow]:
    intents = selectinload(PlanRow.calls).selectinload(PlanCallRow.intent).selectinload(IntentRow.attempts)
    return select(PlanRow).options(intents)


async def _is_open(session: AsyncSession) -> ColumnElement[bool]:
    """The same as the state says, for the database to select by."""
    now, executing = await database_now(session), await list_executing_proposals(session)
    of_key = exists().where(
        PlanCallRow.plan_id == PlanRow.id, PlanCallRow.intent_id == IntentRow.id, IntentRow.closed_at.is_(None)
    )
    in_time = or_(SafeProposalRow.expires_at > now, SafeProposalRow.hash.in_(executing))
    of_safe = exists().where(and_(SafeProposalRow.hash == PlanRow.proposal, SafeProposalRow.outcome.is_(None), in_time))
    return or_(of_key, of_safe)


async def _with_status(session: AsyncSession, rows: Sequence[PlanRow], context: SafeContext) -> list[PlanDetail]:
    hashes = [each.proposal for each in rows if each.proposal is not None]
    proposals = list(await session.scalars(with_signatures(select(SafeProposalRow).where(SafeProposalRow.hash.in_(hashes)))))
    statuses = {
        Hash32(each.row.hash): status_of_proposal(each.status) for each in await list_summaries(session, proposals, context)
    }
    return [PlanDetail(each, _status_of(each, statuses)) for each in rows]


def _status_of(row: PlanRow, proposals: dict[Hash32, PlanStatus]) -> PlanStatus:
    if row.proposal is not None:
        return proposals[Hash32(row.proposal)]
    return status_of_intents([each.intent.status for each in row.calls if each.intent is not None])
