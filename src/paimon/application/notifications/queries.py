"""Reads of notifications: the messages with their receipts, the state of each channel, and a person's preferences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.notifications.store import NotificationNotFound, preferences_of
from paimon.domain.kernel.chain import Address
from paimon.domain.notification.message import MessageLanguage, MessageStatus, Occasion
from paimon.domain.notification.timing import Preferences
from paimon.domain.risk.risk_event import Severity
from paimon.infrastructure.database.models.ops.notification import (
    NotificationEventRow,
    NotificationPreferenceRow,
    NotificationRow,
)
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page, latest_first

EVENTS_SHOWN_MAX: Final = 100

DatabaseError = SQLAlchemyError
"""Any failure of the database."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message with its receipt."""

    id: int
    key: str
    channel: str
    occasion: Occasion
    severity: Severity
    language: MessageLanguage
    title: str
    body: str
    events: int
    status: MessageStatus
    attempts: int
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None
    ended_at: datetime | None
    receipt: str | None
    last_error: str | None
    fallback_of: int | None


@dataclass(frozen=True, slots=True)
class ChannelState:
    """What waits for a channel, and how its last attempts ended."""

    waiting: int
    failed: int
    oldest_waiting_at: datetime | None
    last_sent_at: datetime | None


async def list_messages(
    session: AsyncSession, page: PageRequest, *, channel: str | None = None, status: MessageStatus | None = None
) -> Page[StoredMessage]:
    """List messages, latest first."""
    query = select(NotificationRow)
    if channel is not None:
        query = query.where(NotificationRow.channel == channel)
    if status is not None:
        query = query.where(NotificationRow.status == status)
    return await fetch_page(session, query, page, _stored, order=latest_first(NotificationRow.created_at, NotificationRow.id))


async def get_message(session: AsyncSession, message_id: int) -> StoredMessage:
    """Return a message. Raises NotificationNotFound."""
    row = await session.get(NotificationRow, message_id, populate_existing=True)
    if row is None:
        raise NotificationNotFound(f"there is no notification {message_id}")
    return _stored(row)


async def list_events_of(session: AsyncSession, message_id: int) -> Sequence[int]:
    """Return the first of the risk events that a message tells of."""
    root = select(func.coalesce(NotificationRow.events_of_id, NotificationRow.id)).where(NotificationRow.id == message_id)
    query = select(NotificationEventRow.event_id).where(NotificationEventRow.message_id == root.scalar_subquery())
    return list(await session.scalars(query.order_by(NotificationEventRow.event_id).limit(EVENTS_SHOWN_MAX)))


async def read_channel_states(session: AsyncSession) -> Mapping[str, ChannelState]:
    """Return the state of every channel that ever had a message."""
    waits = NotificationRow.status.in_((MessageStatus.QUEUED, MessageStatus.SENDING))
    query = select(
        NotificationRow.channel,
        func.count().filter(waits),
        func.count().filter(NotificationRow.status == MessageStatus.FAILED),
        func.min(NotificationRow.created_at).filter(waits),
        func.max(NotificationRow.sent_at),
    ).group_by(NotificationRow.channel)
    return {
        channel: ChannelState(waiting, failed, oldest, last)
        for channel, waiting, failed, oldest, last in await session.execute(query)
    }


async def read_preferences(session: AsyncSession, person: Address) -> Preferences:
    """Return what a person chose, or the defaults."""
    row = await session.get(NotificationPreferenceRow, person, populate_existing=True)
    return Preferences() if row is None else preferences_of(row)


def _stored(row: NotificationRow) -> StoredMessage:
    return StoredMessage(
        id=row.id,
        key=row.key,
        channel=row.channel,
        occasion=row.occasion,
        severity=row.severity,
        language=row.language,
        title=row.title,
        body=row.body,
        events=row.events,
        status=row.status,
        attempts=row.attempts,
        created_at=row.created_at,
        due_at=row.due_at,
        sent_at=row.sent_at,
        ended_at=row.ended_at,
        receipt=row.receipt,
        last_error=row.last_error,
        fallback_of=row.fallback_of_id,
    )
