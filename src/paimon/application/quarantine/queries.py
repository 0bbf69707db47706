"""Reads of what waits for a person: the outbox, the quarantine, and what was decided about either."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.quarantine.store import LogNotFound, LogPosition, OutboxMessageNotFound, OutboxMessageRef, Target
from paimon.domain.kernel.chain import Address, ContractName, InvalidAddress, parse_address
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi, plain
from paimon.infrastructure.database.models.derived import BlockRow, LogStatus, RawLogRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow, OutboxPriority
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page


class OutboxStatus(StrEnum):
    """How a reaction stands: due now, not before a later time, given up, or done."""

    DUE = "DUE"
    SCHEDULED = "SCHEDULED"
    DEAD_LETTERED = "DEAD_LETTERED"
    DONE = "DONE"


_OPEN: Final = OutboxMessageRow.done_at.is_(None) & OutboxMessageRow.dead_lettered_at.is_(None)
_WITH_STATUS: Final[Mapping[OutboxStatus, ColumnElement[bool]]] = {
    OutboxStatus.DUE: _OPEN & (OutboxMessageRow.available_at <= func.now()),
    OutboxStatus.SCHEDULED: _OPEN & (OutboxMessageRow.available_at > func.now()),
    OutboxStatus.DEAD_LETTERED: OutboxMessageRow.dead_lettered_at.is_not(None),
    OutboxStatus.DONE: OutboxMessageRow.done_at.is_not(None),
}


def status_of(message: OutboxMessageRow, now: datetime) -> OutboxStatus:
    if message.done_at is not None:
        return OutboxStatus.DONE
    if message.dead_lettered_at is not None:
        return OutboxStatus.DEAD_LETTERED
    return OutboxStatus.DUE if message.available_at <= now else OutboxStatus.SCHEDULED


async def list_outbox_messages(
    session: AsyncSession, page: PageRequest, *, state: OutboxStatus | None = None, priority: OutboxPriority | None = None
) -> Page[OutboxMessageRow]:
    """Rows of the outbox, latest first."""
    query = select(OutboxMessageRow).order_by(OutboxMessageRow.id.desc())
    if state is not None:
        query = query.where(_WITH_STATUS[state])
    if priority is not None:
        query = query.where(OutboxMessageRow.priority == priority)

    def whole(message: OutboxMessageRow) -> OutboxMessageRow:
        return message

    return await fetch_page(session, query, page, whole)


async def get_outbox_message(session: AsyncSession, outbox_id: int) -> OutboxMessageRow:
    """Raises OutboxMessageNotFound."""
    message = await session.get(OutboxMessageRow, outbox_id)
    if message is None:
        raise OutboxMessageNotFound(f"the outbox has no row {outbox_id}")
    return message


@dataclass(frozen=True, slots=True)
class UnappliedLog:
    """A log that is in quarantine or left out, and what it is about, as far as its bytes tell."""

    log: RawLogRow
    at: datetime
    addresses: tuple[Address, ...]


UNAPPLIED_STATUSES: Final = (LogStatus.QUARANTINED, LogStatus.SKIPPED)


async def list_unapplied_logs(
    session: AsyncSession,
    page: PageRequest,
    abis: Mapping[ContractName, ContractAbi],
    *,
    status: LogStatus | None = None,
    request_id: int | None = None,
) -> Page[UnappliedLog]:
    """Quarantined and left-out logs, latest first."""
    query = select(RawLogRow).where(RawLogRow.status.in_(UNAPPLIED_STATUSES if status is None else (status,)))
    if request_id is not None:
        query = query.where(RawLogRow.request_id == request_id)

    def whole(row: RawLogRow) -> RawLogRow:
        return row

    found = await fetch_page(session, query.order_by(RawLogRow.block_number.desc(), RawLogRow.log_index.desc()), page, whole)
    times = await _times(session, {each.block_number for each in found.items})
    return found.mapped(lambda each: UnappliedLog(each, times[each.block_number], addresses_in(each, abis[each.contract])))


async def get_unapplied_log(
    session: AsyncSession, place: LogPosition, abis: Mapping[ContractName, ContractAbi]
) -> UnappliedLog:
    """One log, wherever it stands by now. Raises LogNotFound."""
    row = await session.get(RawLogRow, place)
    if row is None:
        raise LogNotFound(f"no log {place.log_index} of block {place.block_number} is recorded")
    times = await _times(session, {row.block_number})
    return UnappliedLog(row, times[row.block_number], addresses_in(row, abis[row.contract]))


async def _times(session: AsyncSession, blocks: Iterable[int]) -> dict[int, datetime]:
    query = select(BlockRow.number, BlockRow.timestamp).where(BlockRow.number.in_(blocks))
    return {row.number: row.timestamp for row in await session.execute(query)}


def addresses_in(row: RawLogRow, abi: ContractAbi) -> tuple[Address, ...]:
    """Holders, tokens and others that the log names: what is shown of them may be behind the chain."""
    values: Mapping[str, Any] = row.args if row.args is not None else plain(abi.decode_topics(row.topics))
    found: dict[Address, None] = {}
    for value in values.values():
        if isinstance(value, str) and len(value) == 42:
            try:
                found[parse_address(value)] = None
            except InvalidAddress:
                continue  # some text of this length
    return tuple(found)


async def find_requests_with_quarantined_logs(session: AsyncSession, request_ids: Iterable[int]) -> set[int]:
    """Those of these requests that a quarantined log tells of."""
    condition = [*request_ids]
    if not condition:
        return set()
    query = select(RawLogRow.request_id).where(RawLogRow.request_id.in_(condition), RawLogRow.status == LogStatus.QUARANTINED)
    return {int(each) for each in await session.scalars(query) if each is not None}


async def list_decisions_for(session: AsyncSession, target: Target) -> Sequence[OperatorDecisionRow]:
    """What people decided about it, oldest first. Of a log recorded anew in another block's place, that log's only."""
    if isinstance(target, OutboxMessageRef):
        condition = OperatorDecisionRow.outbox_id == target.id
    else:
        at_place = (RawLogRow.block_number == target.block_number) & (RawLogRow.log_index == target.log_index)
        block_hash = select(RawLogRow.block_hash).where(at_place).scalar_subquery()
        condition = (OperatorDecisionRow.block_hash == block_hash) & (OperatorDecisionRow.log_index == target.log_index)
    return (await session.scalars(select(OperatorDecisionRow).where(condition).order_by(OperatorDecisionRow.id))).all()
