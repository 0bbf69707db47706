"""What people see of plans: what was handed in, which wallet has it and why, and how it stands. Never asks the chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from paimon.application.transactions.multisig.context import SafeDesk
from paimon.application.transactions.multisig.queries import states_of
from paimon.application.transactions.multisig.store import with_signatures
from paimon.application.transactions.plans.select_wallet import list_executing
from paimon.domain.kernel.chain import Hash32
from paimon.domain.transaction.plan import PlanState, state_of_intents, state_of_proposal
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
class PlanFile:
    """A plan with its calls and their intents, as it stands."""

    row: PlanRow
    state: PlanState


async def list_plans(session: AsyncSession, page: PageRequest, desk: SafeDesk, wanted: PlanFilter) -> Page[PlanFile]:
    """Plans, latest first."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.wallet is not None:
        conditions.append(PlanRow.wallet == wanted.wallet)
    if wanted.plan is not None:
        conditions.append(PlanRow.name == wanted.plan)
    if wanted.is_open is not None:
        is_open = await _is_open(session)
        conditions.append(is_open if wanted.is_open else ~is_open)
    query = _whole().where(*conditions).order_by(PlanRow.created_at.desc(), PlanRow.id.desc())

    def row(plan: PlanRow) -> PlanRow:
        return plan

    found = await fetch_page(session, query, page, row)
    return Page(await _files(session, found.items, desk), found.total, found.request)


async def get_plan(session: AsyncSession, plan_id: UUID, desk: SafeDesk) -> PlanFile:
    """Raises PlanNotFound."""
    row = (await session.scalars(_whole().where(PlanRow.id == plan_id))).one_or_none()
    if row is None:
        raise PlanNotFound(f"there is no plan {plan_id}")
    (file,) = await _files(session, [row], desk)
    return file


def _whole() -> Select[PlanRow]:
    intents = selectinload(PlanRow.calls).selectinload(PlanCallRow.intent).selectinload(IntentRow.attempts)
    return select(PlanRow).options(intents)


async def _is_open(session: AsyncSession) -> ColumnElement[bool]:
    """The same as the state says, for the database to select by."""
    now, executing = await database_now(session), await list_executing(session)
    of_key = exists().where(
        PlanCallRow.plan_id == PlanRow.id, PlanCallRow.intent_id == IntentRow.id, IntentRow.closed_at.is_(None)
    )
    in_time = or_(SafeProposalRow.expires_at > now, SafeProposalRow.hash.in_(executing))
    of_safe = exists().where(and_(SafeProposalRow.hash == PlanRow.proposal, SafeProposalRow.outcome.is_(None), in_time))
    return or_(of_key, of_safe)


async def _files(session: AsyncSession, rows: Sequence[PlanRow], desk: SafeDesk) -> list[PlanFile]:
    hashes = [each.proposal for each in rows if each.proposal is not None]
    proposals = list(await session.scalars(with_signatures(select(SafeProposalRow).where(SafeProposalRow.hash.in_(hashes)))))
    states = {Hash32(each.row.hash): state_of_proposal(each.status) for each in await states_of(session, proposals, desk)}
    return [PlanFile(each, _state(each, states)) for each in rows]


def _state(row: PlanRow, proposals: dict[Hash32, PlanState]) -> PlanState:
    if row.proposal is not None:
        return proposals[Hash32(row.proposal)]
    return state_of_intents([each.intent.status for each in row.calls if each.intent is not None])
