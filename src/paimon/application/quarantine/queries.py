"""Reads of what waits for a person: the outbox, the quarantine, and what was decided about either."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.quarantine.store import LogNotFound, Place, Reaction, ReactionNotFound, Target
from paimon.domain.kernel.chain import Address, ContractName, InvalidAddress, parse_address
from paimon.infrastructure.blockchain.abi import ContractAbi, plain
from paimon.infrastructure.database.models.derived import BlockRow, LogStatus, RawLogRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow, OutboxPriority
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page


class ReactionState(StrEnum):
    """How a reaction stands: due now, not before a later time, given up, or done."""

    DUE = "due"
    LATER = "later"
    DEAD = "dead"
    DONE = "done"


_OPEN: Final = OutboxMessageRow.done_at.is_(None) & OutboxMessageRow.dead_at.is_(None)
_IN_STATE: Final[Mapping[ReactionState, ColumnElement[bool]]] = {
    ReactionState.DUE: _OPEN & (OutboxMessageRow.available_at <= func.now()),
    ReactionState.LATER: _OPEN & (OutboxMessageRow.available_at > func.now()),
    ReactionState.DEAD: OutboxMessageRow.dead_at.is_not(None),
    ReactionState.DONE: OutboxMessageRow.done_at.is_not(None),
}


def state_of(message: OutboxMessageRow, now: datetime) -> ReactionState:
    if message.done_at is not None:
        return ReactionState.DONE
    if message.dead_at is not None:
        return ReactionState.DEAD
    return ReactionState.DUE if message.available_at <= now else ReactionState.LATER


async def list_reactions(
    session: AsyncSession, page: PageRequest, *, state: ReactionState | None = None, priority: OutboxPriority | None = None
) -> Page[OutboxMessageRow]:
    """Rows of the outbox, latest first."""
    query = select(OutboxMessageRow).order_by(OutboxMessageRow.id.desc())
    if state is not None:
        query = query.where(_IN_STATE[state])
    if priority is not None:
        query = query.where(OutboxMessageRow.priority == priority)

    def whole(message: OutboxMessageRow) -> OutboxMessageRow:
        return message

    return await fetch_page(session, query, page, whole)


async def get_reaction(session: AsyncSession, outbox_id: int) -> OutboxMessageRow:
    """Raises ReactionNotFound."""
    message = await session.get(OutboxMessageRow, outbox_id)
    if message is None:
        raise ReactionNotFound(f"the outbox has no row {outbox_id}")
    return message


@dataclass(frozen=True, slots=True)
class SetAside:
    """A log that is in quarantine or left out, and what it is about, as far as its bytes tell."""

    log: RawLogRow
    at: datetime
    addresses: tuple[Address, ...]


SET_ASIDE: Final = (LogStatus.QUARANTINED, LogStatus.SKIPPED)


async def list_set_aside(
    session: AsyncSession,
    page: PageRequest,
    abis: Mapping[ContractName, ContractAbi],
    *,
    status: LogStatus | None = None,
    request_id: int | None = None,
) -> Page[SetAside]:
    """Quarantined and left-out logs, latest first."""
    query = select(RawLogRow).where(RawLogRow.status.in_(SET_ASIDE if status is None else (status,)))
    if request_id is not None:
        query = query.where(RawLogRow.request_id == request_id)

    def whole(row: RawLogRow) -> RawLogRow:
        return row

    found = await fetch_page(session, query.order_by(RawLogRow.block_number.desc(), RawLogRow.log_index.desc()), page, whole)
    times = await _times(session, {each.block_number for each in found.items})
    return found.mapped(lambda each: SetAside(each, times[each.block_number], addresses_in(each, abis[each.contract])))


async def get_set_aside(session: AsyncSession, place: Place, abis: Mapping[ContractName, ContractAbi]) -> SetAside:
    """One log, wherever it stands by now. Raises LogNotFound."""
    row = await session.get(RawLogRow, place)
    if row is None:
        raise LogNotFound(f"no log {place.log_index} of block {place.block_number} is recorded")
    times = await _times(session, {row.block_number})
    return SetAside(row, times[row.block_number], addresses_in(row, abis[row.contract]))


async def _times(session: AsyncSession, blocks: Iterable[int]) -> dict[int, datetime]:
    query = select(BlockRow.number, BlockRow.timestamp).where(BlockRow.number.in_(blocks))
    return {row.number: row.timestamp for row in await session.execute(query)}


def addresses_in(row: RawLogRow, abi: ContractAbi) -> tuple[Address, ...]:
    """Holders, tokens and others that the log names: what is shown of them may be behind the chain."""
    told: Mapping[str, Any] = row.args if row.args is not None else plain(abi.told_by_topics(row.topics))
    found: dict[Address, None] = {}
    for value in told.values():
        if isinstance(value, str) and len(value) == 42:
            try:
                found[parse_address(value)] = None
            except InvalidAddress:
                continue  # some text of this length
    return tuple(found)


async def requests_in_doubt(session: AsyncSession, request_ids: Iterable[int]) -> set[int]:
    """Those of these requests that a quarantined log tells of."""
    wanted = [*request_ids]
    if not wanted:
        return set()
    query = select(RawLogRow.request_id).where(RawLogRow.request_id.in_(wanted), RawLogRow.status == LogStatus.QUARANTINED)
    return {int(each) for each in await session.scalars(query) if each is not None}


async def remedies_for(session: AsyncSession, target: Target) -> Sequence[OperatorDecisionRow]:
    """What people decided about it, oldest first. Of a log recorded anew in another block's place, that log's only."""
    if isinstance(target, Reaction):
        wanted = OperatorDecisionRow.outbox_id == target.id
    else:
        at_place = (RawLogRow.block_number == target.block_number) & (RawLogRow.log_index == target.log_index)
        block_hash = select(RawLogRow.block_hash).where(at_place).scalar_subquery()
        wanted = (OperatorDecisionRow.block_hash == block_hash) & (OperatorDecisionRow.log_index == target.log_index)
    return (await session.scalars(select(OperatorDecisionRow).where(wanted).order_by(OperatorDecisionRow.id))).all()
