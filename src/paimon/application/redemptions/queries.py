"""Reads of redemptions: lists by status and owner, requests awaiting approval, and one request with its details."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.approval_tickets.store import find_ticket_for_request
from paimon.application.approval_workflow.queries import tickets_by_request
from paimon.application.quarantine.queries import find_requests_with_quarantined_logs
from paimon.application.redemptions.store import find_locked_nav, find_redemption
from paimon.application.redemptions.timeline import ChainEvent, TimelineEntry, timeline
from paimon.application.transactions.queries import list_intents_about
from paimon.domain.approval.ticket import RedemptionTicket
from paimon.domain.kernel.chain import Address
from paimon.domain.redemption.request import Redemption, RedemptionChannel, RedemptionStatus
from paimon.domain.transaction.intent import IntentWithAttempts
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import IntentKind
from paimon.errors import NotFound
from paimon.infrastructure.database.models.derived import BlockRow, RawLogRow, RedemptionRequestRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page, latest_first, oldest_first
from paimon.infrastructure.database.rows.redemption import to_domain


class RedemptionNotFound(NotFound):
    """No request with this id is recorded."""


@dataclass(frozen=True, slots=True)
class RedemptionFilter:
    """The filters of a list. Days are UTC days of the request, both ends included."""

    status: RedemptionStatus | None = None
    channel: RedemptionChannel | None = None
    owner: Address | None = None
    first_day: date | None = None
    last_day: date | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        request = RedemptionRequestRow
        conditions: list[ColumnElement[bool]] = []
        if self.status is not None:
            conditions.append(request.status == self.status)
        if self.channel is not None:
            conditions.append(request.channel == self.channel)
        if self.owner is not None:
            conditions.append(request.owner == self.owner)
        if self.first_day is not None:
            conditions.append(request.requested_at >= datetime.combine(self.first_day, time.min, UTC))
        if self.last_day is not None:
            conditions.append(request.requested_at <= datetime.combine(self.last_day, time.max, UTC))
        return conditions


@dataclass(frozen=True, slots=True)
class RedemptionListItem:
    """A request; `quarantined` says that a quarantined log is about it, so its state on chain may differ."""

    redemption: Redemption
    quarantined: bool


async def list_redemptions(session: AsyncSession, page: PageRequest, filters: RedemptionFilter) -> Page[RedemptionListItem]:
    """List requests, latest first."""
    query = select(RedemptionRequestRow).where(*filters.conditions())
    found = await fetch_page(session, query, page, to_domain, order=latest_first(RedemptionRequestRow.request_id))
    quarantined = await find_requests_with_quarantined_logs(session, (item.request_id for item in found.items))
    return found.mapped(lambda redemption: RedemptionListItem(redemption, redemption.request_id in quarantined))


@dataclass(frozen=True, slots=True)
class AwaitingApproval(RedemptionListItem):
    """A request that awaits approval with its ticket; None between the event and its handler."""

    ticket: RedemptionTicket | None


async def list_awaiting_approval(session: AsyncSession, page: PageRequest) -> Page[AwaitingApproval]:
    """List requests that await approval on chain, oldest first."""
    query = select(RedemptionRequestRow).where(RedemptionRequestRow.status == RedemptionStatus.PENDING_APPROVAL)
    order = oldest_first(RedemptionRequestRow.requested_at, RedemptionRequestRow.request_id)
    found = await fetch_page(session, query, page, to_domain, order=order)
    request_ids = [redemption.request_id for redemption in found.items]
    tickets = await tickets_by_request(session, request_ids)
    quarantined = await find_requests_with_quarantined_logs(session, request_ids)
    return found.mapped(
        lambda redemption: AwaitingApproval(
            redemption, redemption.request_id in quarantined, tickets.get(redemption.request_id)
        )
    )


@dataclass(frozen=True, slots=True)
class RedemptionDetail(RedemptionListItem):
    """A request with its ticket, its intents and its timeline."""

    locked_nav: int | None
    ticket: RedemptionTicket | None
    intents: list[IntentWithAttempts]
    timeline: list[TimelineEntry]

    @property
    def settlement(self) -> IntentWithAttempts | None:
        """The latest intent that settles the request; its `unfunded` says that the vault lacks the money."""
        return next((intent for intent in reversed(self.intents) if intent.kind is IntentKind.SETTLE_REDEMPTION), None)


async def get_detail(session: AsyncSession, request_id: int) -> RedemptionDetail:
    """Return the request with its details.

    Raises:
        RedemptionNotFound
    """
    redemption = await find_redemption(session, request_id)
    quarantined = bool(await find_requests_with_quarantined_logs(session, [request_id]))
    if redemption is None:
        hint = ", but a quarantined log is about it: see /system/quarantine" if quarantined else ""
        raise RedemptionNotFound(f"there is no redemption request {request_id}{hint}")
    ticket = await find_ticket_for_request(session, request_id)
    intents = [*await list_intents_about(session, IntentSubject.redemption(request_id))]
    return RedemptionDetail(
        redemption=redemption,
        quarantined=quarantined,
        locked_nav=await find_locked_nav(session, request_id),
        ticket=ticket,
        intents=intents,
        timeline=timeline(await _events(session, request_id), ticket, intents),
    )


async def _events(session: AsyncSession, request_id: int) -> list[ChainEvent]:
    query = (
        select(RawLogRow.event, RawLogRow.args, RawLogRow.tx_hash, BlockRow.number, BlockRow.timestamp, BlockRow.recorded_at)
        .join(BlockRow, BlockRow.number == RawLogRow.block_number)
        .where(RawLogRow.request_id == request_id, RawLogRow.event.is_not(None))
        .order_by(RawLogRow.block_number, RawLogRow.log_index)
    )
    return [
        ChainEvent(row.event, row.args or {}, row.tx_hash, row.number, row.timestamp, row.recorded_at)
        for row in await session.execute(query)
    ]
