"""Storage of notifications: what is to be told of each event, and the messages with their life."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import aliased

from paimon.application.risk_control.store import to_domain
from paimon.domain.kernel.chain import Address
from paimon.domain.notification.grouping import CONSEQUENCES, FLOOD_MINUTE, Bundle, ChannelLoad
from paimon.domain.notification.message import (
    Attempt,
    MessageLanguage,
    MessageStatus,
    Notice,
    Occasion,
    Outcome,
    OutgoingMessage,
    alarm_key,
    is_too_old,
    next_pause,
)
from paimon.domain.notification.templates import MessageText
from paimon.domain.notification.timing import Preferences, QuietHours
from paimon.domain.risk.risk_event import RiskEvent, RiskStatus, Severity
from paimon.errors import NotFound
from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.ops.notification import (
    NotificationEventRow,
    NotificationPreferenceRow,
    NotificationRow,
    RoutedEventRow,
)
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

_TOLD: Final = (Occasion.OPENED, Occasion.REMINDER)
_CRITICAL_FIRST: Final = RiskEventRow.severity != Severity.CRITICAL


class NotificationNotFound(NotFound):
    """No notification has this id."""


async def try_lock(session: WriteSession, name: str) -> bool:
    """Lock a name until the transaction ends; False if another one holds it."""
    query = text("SELECT pg_try_advisory_xact_lock(hashtextextended('paimon.notifications.' || :name, 0))")
    return bool((await session.execute(query, {"name": name})).scalar_one())


# Routing


@dataclass(frozen=True, slots=True)
class UnroutedEvent:
    """An open event that some channel is to be told of now: what was told of it so far."""

    event: RiskEvent
    told_severity: Severity | None
    routed_at: datetime | None
    escalated: timedelta


async def list_unrouted(session: WriteSession, *, now: datetime, limit: int) -> list[UnroutedEvent]:
    """Return open events that are new, more severe than what was told, or due for an escalation; the most severe first."""
    query = (
        select(RiskEventRow, RoutedEventRow)
        .outerjoin(RoutedEventRow, RoutedEventRow.event_id == RiskEventRow.id)
        .where(
            RiskEventRow.status == RiskStatus.OPEN,
            or_(
                RoutedEventRow.event_id.is_(None),
                RoutedEventRow.severity != RiskEventRow.severity,
                RoutedEventRow.next_step_at <= now,
            ),
        )
        .order_by(_CRITICAL_FIRST, RiskEventRow.id)
        .limit(limit)
    )
    return [
        UnroutedEvent(
            to_domain(event),
            routed.severity if routed else None,
            routed.routed_at if routed else None,
            timedelta(seconds=routed.escalated_seconds if routed else 0),
        )
        for event, routed in await session.execute(query)
    ]


@dataclass(frozen=True, slots=True)
class ChannelNotice:
    """An event to tell on a channel, and from when on."""

    channel: str
    notice: Notice
    due_at: datetime


async def insert_notices(session: WriteSession, notices: Sequence[ChannelNotice]) -> None:
    """Insert what is to be told; what is there already stays as it is."""
    rows = [
        {
            "event_id": each.notice.event.id,
            "channel": each.channel,
            "occasion": each.notice.occasion,
            "step": each.notice.step,
            "due_at": each.due_at,
        }
        for each in notices
    ]
    if rows:
        await session.execute(upsert(table_of(NotificationEventRow)).on_conflict_do_nothing(), rows)


@dataclass(frozen=True, slots=True)
class Routed:
    """How far an event is routed."""

    event_id: int
    severity: Severity
    routed_at: datetime
    escalated: timedelta
    next_step_at: datetime | None


async def save_routed(session: WriteSession, routed: Sequence[Routed]) -> None:
    rows = [
        {
            "event_id": each.event_id,
            "severity": each.severity,
            "routed_at": each.routed_at,
            "escalated_seconds": each.escalated.total_seconds(),
            "next_step_at": each.next_step_at,
        }
        for each in routed
    ]
    if rows:
        statement = upsert(table_of(RoutedEventRow))
        changed = {name: statement.excluded[name] for name in rows[0] if name != "event_id"}
        await session.execute(statement.on_conflict_do_update(index_elements=["event_id"], set_=changed), rows)


async def load_preferences(session: ReadSession | WriteSession) -> Mapping[Address, Preferences]:
    rows = await session.scalars(select(NotificationPreferenceRow))
    return {Address(row.person): preferences_of(row) for row in rows}


def preferences_of(row: NotificationPreferenceRow) -> Preferences:
    quiet = None if row.quiet_from is None or row.quiet_until is None else (row.quiet_from, row.quiet_until)
    return Preferences(row.language, row.severity_min, None if quiet is None else QuietHours(*quiet, row.time_zone))


async def save_preferences(session: WriteSession, person: Address, preferences: Preferences) -> None:
    quiet = preferences.quiet_hours
    values = {
        "language": preferences.language,
        "severity_min": preferences.severity_min,
        "quiet_from": quiet.start if quiet else None,
        "quiet_until": quiet.end if quiet else None,
        "time_zone": quiet.zone if quiet else "UTC",
    }
    statement = upsert(table_of(NotificationPreferenceRow)).values(person=person, **values)
    changed = {**values, "updated_at": func.now()}
    await session.execute(statement.on_conflict_do_update(index_elements=["person"], set_=changed))


# Composing


async def list_waiting(session: WriteSession, channel: str, *, now: datetime, limit: int) -> list[Notice]:
    """Return what the channel is to be told now, the most severe first."""
    query = (
        select(NotificationEventRow, RiskEventRow)
        .join(RiskEventRow, RiskEventRow.id == NotificationEventRow.event_id)
        .where(
            NotificationEventRow.channel == channel,
            NotificationEventRow.due_at <= now,
            NotificationEventRow.message_id.is_(None),
            ~NotificationEventRow.dropped,
        )
        .order_by(_CRITICAL_FIRST, RiskEventRow.id)
        .limit(limit)
    )
    return [Notice(to_domain(event), notice.occasion, notice.step) for notice, event in await session.execute(query)]


async def drop_notices(session: WriteSession, channel: str, notices: Sequence[Notice]) -> None:
    """Mark what need not be told any more."""
    if notices:
        statement = update(NotificationEventRow).where(_these(channel, notices)).values(dropped=True)
        await session.execute(statement, execution_options={"synchronize_session": False})


def _these(channel: str, notices: Sequence[Notice]) -> ColumnElement[bool]:
    by_step: dict[tuple[Occasion, str], list[int]] = {}
    for notice in notices:
        by_step.setdefault((notice.occasion, notice.step), []).append(notice.event.id)
    steps = [
        and_(
            NotificationEventRow.occasion == occasion,
            NotificationEventRow.step == step,
            NotificationEventRow.event_id == func.any(ids),
        )
        for (occasion, step), ids in by_step.items()
    ]
    return and_(NotificationEventRow.channel == channel, or_(*steps))


async def list_open_causes(session: WriteSession) -> list[RiskEvent]:
    """Return the unresolved events that may explain others."""
    query = select(RiskEventRow).where(RiskEventRow.kind.in_(CONSEQUENCES), RiskEventRow.status != RiskStatus.RESOLVED)
    return [to_domain(row) for row in await session.scalars(query.order_by(RiskEventRow.id))]


async def read_load(session: WriteSession, channel: str, *, now: datetime) -> ChannelLoad:
    """Return what the channel was told lately."""
    lately = (NotificationRow.channel == channel) & (NotificationRow.created_at > now - FLOOD_MINUTE)
    query = select(
        func.count().filter(NotificationRow.occasion.in_(_TOLD)),
        func.max(NotificationRow.created_at).filter(NotificationRow.is_group),
    ).where(lately)
    messages, last_group_at = (await session.execute(query)).one()
    return ChannelLoad(messages, last_group_at)


async def insert_message(
    session: WriteSession, channel: str, bundled: Bundle, message: MessageText, *, language: MessageLanguage
) -> int:
    """Queue the message of these events, and return its id."""
    key = new_key()
    first = bundled.notices[0]
    message_id = await _insert(
        session,
        key=key,
        channel=channel,
        occasion=first.occasion,
        severity=first.event.finding.severity,
        language=language,
        title=message.title,
        body=message.body,
        dedup_key=alarm_key([first] if not bundled.is_group else bundled.notices, message_key=key),
        events=len(bundled.notices),
        is_group=bundled.is_group,
    )
    statement = update(NotificationEventRow).where(_these(channel, bundled.notices)).values(message_id=message_id)
    await session.execute(statement, execution_options={"synchronize_session": False})
    return message_id


async def insert_test(session: WriteSession, channel: str, message: MessageText, *, language: MessageLanguage) -> int:
    """Queue a message that only tries the channel."""
    key = new_key()
    return await _insert(
        session,
        key=key,
        channel=channel,
        occasion=Occasion.TEST,
        severity=Severity.WARNING,
        language=language,
        title=message.title,
        body=message.body,
        dedup_key=key,
        events=0,
        is_group=False,
    )


@dataclass(frozen=True, slots=True)
class ToldMessage:
    """A sent message whose events have all ended."""

    id: int
    channel: str
    severity: Severity
    language: MessageLanguage
    title: str
    dedup_key: str
    events: int


async def list_ended(session: WriteSession, *, limit: int) -> list[ToldMessage]:
    """Return the sent messages of which every event is resolved, and whose end is not told."""
    told, event = aliased(NotificationEventRow), aliased(RiskEventRow)
    lasts = (
        select(told.event_id)
        .join(event, event.id == told.event_id)
        .where(
            told.message_id == func.coalesce(NotificationRow.events_of_id, NotificationRow.id),
            event.status != RiskStatus.RESOLVED,
        )
        .exists()
    )
    query = select(NotificationRow).where(
        NotificationRow.ended_at.is_(None),
        NotificationRow.status == MessageStatus.SENT,
        NotificationRow.occasion.in_(_TOLD),
        ~lasts,
    )
    rows = await session.scalars(query.order_by(NotificationRow.id).limit(limit))
    return [ToldMessage(row.id, row.channel, row.severity, row.language, row.title, row.dedup_key, row.events) for row in rows]


async def insert_end(session: WriteSession, told: ToldMessage, message: MessageText, *, due_at: datetime) -> None:
    """Queue the message that tells the end of an earlier one."""
    await _insert(
        session,
        key=new_key(),
        channel=told.channel,
        occasion=Occasion.ENDED,
        severity=told.severity,
        language=told.language,
        title=message.title,
        body=message.body,
        dedup_key=told.dedup_key,
        events=told.events,
        is_group=False,
        ends_id=told.id,
        due_at=due_at,
    )
    await mark_ended(session, told.id)


async def mark_ended(session: WriteSession, message_id: int) -> None:
    await session.execute(update(NotificationRow).where(NotificationRow.id == message_id).values(ended_at=func.now()))


def new_key() -> str:
    return f"msg_{uuid4().hex}"


async def _insert(session: WriteSession, **values: Any) -> int:
    statement = insert(NotificationRow).values(status=MessageStatus.QUEUED, **values).returning(NotificationRow.id)
    return int((await session.execute(statement)).scalar_one())


# Sending


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A message that one worker sends now."""

    message: OutgoingMessage
    event_id: int | None
    """The event, if it is about one alone."""


async def claim_messages(
    session: WriteSession, channel: str, *, now: datetime, concurrency: int, claim_lasts: timedelta
) -> list[ClaimedMessage]:
    """Claim due messages of a channel for sending, up to its concurrency. The caller holds the channel's lock.

    A claim that is older than `claim_lasts` is of a worker that ended: its message is sent again, with the same key.
    """
    is_stale = NotificationRow.claimed_at <= now - claim_lasts
    of_channel = NotificationRow.channel == channel
    sending = select(func.count()).where(of_channel, NotificationRow.status == MessageStatus.SENDING, ~is_stale)
    room = concurrency - int((await session.execute(sending)).scalar_one())
    if room <= 0:
        return []
    is_due = (NotificationRow.status == MessageStatus.QUEUED) & (NotificationRow.due_at <= now)
    due = or_(is_due, (NotificationRow.status == MessageStatus.SENDING) & is_stale)
    query = (
        select(NotificationRow)
        .where(of_channel, NotificationRow.status.in_((MessageStatus.QUEUED, MessageStatus.SENDING)), due)
        .order_by(NotificationRow.severity != Severity.CRITICAL, NotificationRow.id)
        .limit(room)
        .with_for_update()
    )
    rows = list(await session.scalars(query))
    events = await _only_events(session, [row.events_of_id or row.id for row in rows if row.events == 1])
    claimed = [ClaimedMessage(_outgoing(row), events.get(row.events_of_id or row.id)) for row in rows]
    for row in rows:
        row.status, row.claimed_at, row.attempts = MessageStatus.SENDING, now, row.attempts + 1
    return claimed


async def _only_events(session: WriteSession, message_ids: Sequence[int]) -> dict[int, int]:
    query = select(NotificationEventRow.message_id, NotificationEventRow.event_id)
    found = await session.execute(query.where(NotificationEventRow.message_id.in_(message_ids)))
    return {message_id: event_id for message_id, event_id in found if message_id is not None}


def _outgoing(row: NotificationRow) -> OutgoingMessage:
    return OutgoingMessage(
        id=row.id,
        key=row.key,
        channel=row.channel,
        occasion=row.occasion,
        severity=row.severity,
        title=row.title,
        body=row.body,
        dedup_key=row.dedup_key,
        is_repeated=row.status is MessageStatus.SENDING,
    )


async def save_attempt(
    session: WriteSession, message_id: int, attempt: Attempt, *, now: datetime, fallback: str | None, fallback_after: timedelta
) -> MessageStatus:
    """Record what became of an attempt, and queue a copy for the fallback when this channel takes too long.

    A message that another worker sent meanwhile stays sent.
    """
    row = await session.get(NotificationRow, message_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotificationNotFound(f"there is no notification {message_id}")
    if row.status is not MessageStatus.SENDING:
        return row.status
    row.claimed_at, row.last_error = None, attempt.reason
    if attempt.outcome is Outcome.ACCEPTED:
        row.status, row.sent_at, row.receipt = MessageStatus.SENT, now, attempt.receipt
        return row.status
    if attempt.outcome is Outcome.REFUSED or is_too_old(row.created_at, now):
        row.status = MessageStatus.FAILED
    else:
        row.status, row.due_at = MessageStatus.QUEUED, now + next_pause(row.attempts, attempt.pause)
    is_late = row.status is MessageStatus.FAILED or now - row.created_at >= fallback_after
    if fallback is not None and is_late and row.occasion in _TOLD:
        await _insert_copy(session, row, fallback)
    return row.status


async def _insert_copy(session: WriteSession, row: NotificationRow, channel: str) -> None:
    """Queue a copy on another channel, once."""
    values = {
        "key": new_key(),
        "channel": channel,
        "occasion": row.occasion,
        "severity": row.severity,
        "language": row.language,
        "title": row.title,
        "body": row.body,
        "dedup_key": row.dedup_key,
        "events": row.events,
        "is_group": row.is_group,
        "status": MessageStatus.QUEUED,
        "fallback_of_id": row.id,
        "events_of_id": row.events_of_id or row.id,
    }
    await session.execute(upsert(table_of(NotificationRow)).values(**values).on_conflict_do_nothing())


async def replay_failed(session: WriteSession, message_id: int) -> None:
    """Queue a failed message again; its 24 hours begin anew."""
    row = await session.get(NotificationRow, message_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotificationNotFound(f"there is no notification {message_id}")
    if row.status is MessageStatus.FAILED:
        row.status, row.created_at, row.due_at, row.attempts = MessageStatus.QUEUED, func.now(), func.now(), 0
