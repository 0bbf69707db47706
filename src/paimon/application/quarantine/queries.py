"""Queries of what waits for an operator: outbox messages, quarantined logs, and the decisions about both."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.common.log_id import LogId
from paimon.application.quarantine.store import LogNotFound, OutboxMessageNotFound, OutboxMessageRef, Target
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import Address, ContractName, Hash32, InvalidAddress, parse_address
from paimon.domain.operations.outbox import OutboxPriority, OutboxStatus, outbox_status
from paimon.domain.risk.operator_decision import OperatorDecisionKind, OperatorDecisionStatus
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi, to_json_value
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import BlockRow, RawLogRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page, latest_first


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message of the outbox, with its status at the time of the query."""

    id: int
    kind: str
    aggregate_id: str
    payload: dict[str, Any]
    priority: OutboxPriority
    status: OutboxStatus
    created_at: datetime
    available_at: datetime
    attempts: int
    last_error: str | None
    done_at: datetime | None
    dead_lettered_at: datetime | None


_OPEN: Final = OutboxMessageRow.done_at.is_(None) & OutboxMessageRow.dead_lettered_at.is_(None)
_STATUS_FILTERS: Final[Mapping[OutboxStatus, ColumnElement[bool]]] = {
    OutboxStatus.DUE: _OPEN & (OutboxMessageRow.available_at <= func.now()),
    OutboxStatus.SCHEDULED: _OPEN & (OutboxMessageRow.available_at > func.now()),
    OutboxStatus.DEAD_LETTERED: OutboxMessageRow.dead_lettered_at.is_not(None),
    OutboxStatus.DONE: OutboxMessageRow.done_at.is_not(None),
}


async def list_outbox_messages(
    session: AsyncSession, page: PageRequest, *, status: OutboxStatus | None = None, priority: OutboxPriority | None = None
) -> Page[OutboxMessage]:
    """List outbox messages, latest first."""
    query = select(OutboxMessageRow)
    if status is not None:
        query = query.where(_STATUS_FILTERS[status])
    if priority is not None:
        query = query.where(OutboxMessageRow.priority == priority)
    now = await database_now(session)

    def message_of(row: OutboxMessageRow) -> OutboxMessage:
        return _outbox_message(row, now)

    return await fetch_page(session, query, page, message_of, order=latest_first(OutboxMessageRow.id))


async def get_outbox_message(session: AsyncSession, message_id: int) -> OutboxMessage:
    """Load one outbox message. Raises OutboxMessageNotFound."""
    row = await session.get(OutboxMessageRow, message_id)
    if row is None:
        raise OutboxMessageNotFound(f"the outbox has no message {message_id}")
    return _outbox_message(row, await database_now(session))


def _outbox_message(row: OutboxMessageRow, now: datetime) -> OutboxMessage:
    return OutboxMessage(
        id=row.id,
        kind=row.kind,
        aggregate_id=row.aggregate_id,
        payload=row.payload,
        priority=row.priority,
        status=outbox_status(
            available_at=row.available_at, done_at=row.done_at, dead_lettered_at=row.dead_lettered_at, now=now
        ),
        created_at=row.created_at,
        available_at=row.available_at,
        attempts=row.attempts,
        last_error=row.last_error,
        done_at=row.done_at,
        dead_lettered_at=row.dead_lettered_at,
    )


@dataclass(frozen=True, slots=True)
class UnappliedLog:
    """A recorded log that is quarantined or skipped, or was so before a decision, with the addresses it names."""

    block_number: int
    log_index: int
    time: datetime
    tx_hash: Hash32
    contract: ContractName
    address: Address
    topics: tuple[bytes, ...]
    data: bytes
    event: str | None
    args: dict[str, Any] | None
    request_id: int | None
    status: LogStatus
    reason: str | None
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
    """List quarantined and skipped logs, latest first."""
    query = select(RawLogRow).where(RawLogRow.status.in_(UNAPPLIED_STATUSES if status is None else (status,)))
    if request_id is not None:
        query = query.where(RawLogRow.request_id == request_id)
    order = latest_first(RawLogRow.block_number, RawLogRow.log_index)
    found: Page[RawLogRow] = await fetch_page(session, query, page, lambda row: row, order=order)
    times = await _block_times(session, {row.block_number for row in found.items})
    return found.mapped(lambda row: _unapplied_log(row, times[row.block_number], abis[row.contract]))


async def get_unapplied_log(session: AsyncSession, log_id: LogId, abis: Mapping[ContractName, ContractAbi]) -> UnappliedLog:
    """Load one recorded log of any status. Raises LogNotFound."""
    row = await session.get(RawLogRow, log_id)
    if row is None:
        raise LogNotFound(f"no log {log_id.log_index} of block {log_id.block_number} is recorded")
    times = await _block_times(session, {row.block_number})
    return _unapplied_log(row, times[row.block_number], abis[row.contract])


async def _block_times(session: AsyncSession, blocks: Iterable[int]) -> dict[int, datetime]:
    query = select(BlockRow.number, BlockRow.timestamp).where(BlockRow.number.in_(blocks))
    return {row.number: row.timestamp for row in await session.execute(query)}


def _unapplied_log(row: RawLogRow, time: datetime, abi: ContractAbi) -> UnappliedLog:
    return UnappliedLog(
        block_number=row.block_number,
        log_index=row.log_index,
        time=time,
        tx_hash=row.tx_hash,
        contract=row.contract,
        address=row.address,
        topics=tuple(row.topics),
        data=row.data,
        event=row.event,
        args=row.args,
        request_id=row.request_id,
        status=row.status,
        reason=row.reason,
        addresses=_addresses_in(row, abi),
    )


def _addresses_in(row: RawLogRow, abi: ContractAbi) -> tuple[Address, ...]:
    """Return the holders, tokens and other accounts the log names: their recorded state may be behind the chain."""
    values: Mapping[str, Any] = row.args if row.args is not None else to_json_value(abi.decode_topics(row.topics))
    found: dict[Address, None] = {}
    for value in values.values():
        if isinstance(value, str) and len(value) == 42:
            try:
                found[parse_address(value)] = None
            except InvalidAddress:
                continue  # another text of this length
    return tuple(found)


async def find_requests_with_quarantined_logs(session: AsyncSession, request_ids: Iterable[int]) -> set[int]:
    """Return those of these requests that a quarantined log is about."""
    candidates = [*request_ids]
    if not candidates:
        return set()
    query = select(RawLogRow.request_id).where(RawLogRow.request_id.in_(candidates), RawLogRow.status == LogStatus.QUARANTINED)
    return {int(request_id) for request_id in await session.scalars(query) if request_id is not None}


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """An operator's decision as it was recorded. Its typed data and signature are None if it came from the command line."""

    kind: OperatorDecisionKind
    problem: str
    reason: str
    requested_by: Address
    requested_at: datetime
    status: OperatorDecisionStatus
    outcome: str | None
    ended_at: datetime | None
    typed_data: dict[str, Any] | None
    signature: bytes | None


def recorded_decision(row: OperatorDecisionRow) -> RecordedDecision:
    """Convert the decision's row to its read model."""
    return RecordedDecision(
        kind=row.kind,
        problem=row.problem,
        reason=row.reason,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        status=row.status,
        outcome=row.outcome,
        ended_at=row.ended_at,
        typed_data=row.typed_data,
        signature=row.signature,
    )


async def list_decisions_for(session: AsyncSession, target: Target) -> Sequence[RecordedDecision]:
    """List the decisions about an outbox message or a log, oldest first.

    A log is matched by its block's hash: decisions about a log that a reorganisation removed do not count for the log that
    took its position.
    """
    if isinstance(target, OutboxMessageRef):
        condition = OperatorDecisionRow.outbox_id == target.id
    else:
        at_position = (RawLogRow.block_number == target.block_number) & (RawLogRow.log_index == target.log_index)
        block_hash = select(RawLogRow.block_hash).where(at_position).scalar_subquery()
        condition = (OperatorDecisionRow.block_hash == block_hash) & (OperatorDecisionRow.log_index == target.log_index)
    query = select(OperatorDecisionRow).where(condition).order_by(OperatorDecisionRow.id)
    return [recorded_decision(row) for row in await session.scalars(query)]
