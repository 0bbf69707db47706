"""Reads of redemptions: lists by state and owner, what awaits approval, and one request with all that belongs to it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.approval_workflow.queries import tickets_of_requests
from paimon.application.approval_workflow.store import find_ticket_of_request
from paimon.application.quarantine.queries import find_requests_with_quarantined_logs
from paimon.application.redemptions.reactions import LOCKED_NAV
from paimon.application.redemptions.store import find_redemption
from paimon.application.redemptions.timeline import ChainEvent, TimelineEntry, timeline
from paimon.application.transactions.queries import list_intents_for
from paimon.domain.approval.ticket import Ticket
from paimon.domain.kernel.chain import Address
from paimon.domain.redemption.request import Redemption, RedemptionChannel, RedemptionStatus
from paimon.domain.transaction.lifecycle import IntentKind
from paimon.errors import NotFound
from paimon.infrastructure.database.models.derived import BlockRow, ObservationRow, RawLogRow, RedemptionRequestRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page
from paimon.infrastructure.database.rows.redemption import to_domain


class RedemptionNotFound(NotFound):
    """No request with this id was recorded."""


@dataclass(frozen=True, slots=True)
class RedemptionFilter:
    """What a list is narrowed to. Days are UTC days of the request, both ends included."""

    status: RedemptionStatus | None = None
    channel: RedemptionChannel | None = None
    owner: Address | None = None
    first_day: date | None = None
    last_day: date | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        request = RedemptionRequestRow
        filters: list[ColumnElement[bool]] = []
        if self.status is not None:
            filters.append(request.status == self.status)
        if self.channel is not None:
            filters.append(request.channel == self.channel)
        if self.owner is not None:
            filters.append(request.owner == self.owner)
        if self.first_day is not None:
            filters.append(request.requested_at >= datetime.combine(self.first_day, time.min, UTC))
        if self.last_day is not None:
            filters.append(request.requested_at <= datetime.combine(self.last_day, time.max, UTC))
        return filters


@dataclass(frozen=True, slots=True)
class RedemptionListItem:
    """A request, and whether a quarantined log tells of it: then it may stand otherwise on chain than it does here."""

    redemption: Redemption
    quarantined: bool


async def list_redemptions(session: AsyncSession, page: PageRequest, filters: RedemptionFilter) -> Page[RedemptionListItem]:
    """Requests, latest first."""
    query = select(RedemptionRequestRow).where(*filters.conditions()).order_by(RedemptionRequestRow.request_id.desc())
    found = await fetch_page(session, query, page, to_domain)
    quarantined_requests = await find_requests_with_quarantined_logs(session, (each.request_id for each in found.items))
    return found.mapped(lambda each: RedemptionListItem(each, each.request_id in quarantined_requests))


@dataclass(frozen=True, slots=True)
class AwaitingApproval(RedemptionListItem):
    """A request under approval with its ticket; None for the moment between the event and its reaction."""

    ticket: Ticket | None


async def list_awaiting_approval(session: AsyncSession, page: PageRequest) -> Page[AwaitingApproval]:
    """Requests the chain holds back until someone approves, oldest first."""
    query = (
        select(RedemptionRequestRow)
        .where(RedemptionRequestRow.status == RedemptionStatus.PENDING_APPROVAL)
        .order_by(RedemptionRequestRow.requested_at, RedemptionRequestRow.request_id)
    )
    found = await fetch_page(session, query, page, to_domain)
    tickets = await tickets_of_requests(session, (each.request_id for each in found.items))
    quarantined_requests = await find_requests_with_quarantined_logs(session, (each.request_id for each in found.items))
    return found.mapped(
        lambda each: AwaitingApproval(each, each.request_id in quarantined_requests, tickets.get(each.request_id))
    )


@dataclass(frozen=True, slots=True)
class RedemptionDetail(RedemptionListItem):
    """A request with everything that belongs to it."""

    locked_nav: int | None
    ticket: Ticket | None
    intents: list[IntentRow]
    timeline: list[TimelineEntry]

    @property
    def settlement(self) -> IntentRow | None:
        """The latest intent to settle it, whose `unfunded` says that the money is not there yet."""
        return next((each for each in reversed(self.intents) if each.kind is IntentKind.SETTLE_REDEMPTION), None)


async def get_detail(session: AsyncSession, request_id: int) -> RedemptionDetail:
    """Raises RedemptionNotFound."""
    redemption = await find_redemption(session, request_id)
    quarantined = bool(await find_requests_with_quarantined_logs(session, [request_id]))
    if redemption is None:
        hint = ", but a log in quarantine tells of it: see /system/quarantine" if quarantined else ""
        raise RedemptionNotFound(f"there is no redemption request {request_id}{hint}")
    ticket = await find_ticket_of_request(session, request_id)
    intents = [*await list_intents_for(session, request_id)]
    return RedemptionDetail(
        redemption=redemption,
        quarantined=quarantined,
        locked_nav=await _locked_nav(session, request_id),
        ticket=ticket,
        intents=intents,
        timeline=timeline(await _events(session, request_id), ticket, intents),
    )


async def _locked_nav(session: AsyncSession, request_id: int) -> int | None:
    query = (
        select(ObservationRow.data)
        .where(ObservationRow.kind == LOCKED_NAV, ObservationRow.subject == str(request_id))
        .order_by(ObservationRow.block_number.desc())
        .limit(1)
    )
    data = (await session.execute(query)).scalar_one_or_none()
    return None if data is None else int(data["lockedNav"])


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
