"""Endpoints of notifications: messages with receipts, channels, tests of one, and a person's preferences."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query

from paimon.application.notifications.queries import (
    get_message,
    list_events_of,
    list_messages,
    read_channel_states,
    read_preferences,
)
from paimon.application.notifications.send_test import queue_test
from paimon.application.notifications.store import replay_failed, save_preferences
from paimon.domain.notification.message import MessageStatus
from paimon.gateway.rest.dependencies import ContextDep, RiskHandler, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.views.notifications import (
    ChannelsView,
    NotificationDetailView,
    NotificationView,
    PreferencesBody,
    PreferencesView,
)
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

router = APIRouter(prefix="/notifications", tags=["notifications"])

_MESSAGES: Final = paged_table("notifications", NotificationView, Envelope[Listing[NotificationView]])
NotificationId = Annotated[int, Path(alias="notificationId", ge=1, lt=2**63)]
ChannelName = Annotated[str, Path(alias="channel", min_length=1, max_length=60)]


@router.get(
    "",
    operation_id="listNotifications",
    summary="List notifications with their receipts, latest first",
    response_model=_MESSAGES.envelope,
    responses=with_csv(_MESSAGES, documented_responses("notifications", 400, 401, 503)),
)
async def index(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    channel: Annotated[str | None, Query(max_length=60)] = None,
    status: Annotated[MessageStatus | None, Query()] = None,
) -> Any:
    async def read(session: ReadSession, page: PageRequest) -> Listing[NotificationView]:
        found = await list_messages(session, page, channel=channel, status=status)
        return Listing[NotificationView].page(found.mapped(NotificationView.of))

    return await list_response(context, list_request, _MESSAGES, read)


@router.get(
    "/channels",
    operation_id="listNotificationChannels",
    summary="Show the channels and routes, and what waits for each channel",
    responses=documented_responses("notification_channels", 401, 503),
)
async def channels(context: ContextDep, _user: SignedInUser) -> Envelope[ChannelsView]:
    async with context.database.read() as session:
        states = await read_channel_states(session)
    return Envelope[ChannelsView](data=ChannelsView.of(context.settings.notifications.content, dict(states)))


@router.post(
    "/channels/{channel}/test",
    operation_id="testNotificationChannel",
    summary="Send a test message to a channel",
    responses=documented_responses("notification", 400, 401, 403, 404, 503),
)
async def try_channel(channel: ChannelName, context: ContextDep, _user: RiskHandler) -> Envelope[NotificationDetailView]:
    """The worker sends it as any other message: read it again to see what became of it."""
    message_id = await queue_test(context.database, context.settings.notifications.content, channel)
    async with context.database.write() as session:  # the primary: a replica may not have the message yet
        return Envelope[NotificationDetailView](data=await _detail(session, message_id))


@router.get(
    "/preferences",
    operation_id="getNotificationPreferences",
    summary="Show one's own preferences",
    responses=documented_responses("notification_preferences", 401, 503),
)
async def preferences(context: ContextDep, user: SignedInUser) -> Envelope[PreferencesView]:
    async with context.database.read() as session:
        found = await read_preferences(session, user.address)
    file = context.settings.notifications.content
    return Envelope[PreferencesView](data=PreferencesView.of(found, user.address, file))


@router.put(
    "/preferences",
    operation_id="changeNotificationPreferences",
    summary="Change one's own preferences",
    responses=documented_responses("notification_preferences", 400, 401, 403, 413, 415, 503),
)
async def change_preferences(body: PreferencesBody, context: ContextDep, user: SignedInUser) -> Envelope[PreferencesView]:
    """They hold for channels that the settings name as the caller's own. Where messages go is in the settings alone."""
    chosen = body.preferences()
    async with context.database.write() as session:
        await save_preferences(session, user.address, chosen)
    file = context.settings.notifications.content
    return Envelope[PreferencesView](data=PreferencesView.of(chosen, user.address, file))


@router.get(
    "/{notificationId}",
    operation_id="getNotification",
    summary="Show a notification and the risk events that it tells of",
    responses=documented_responses("notification", 400, 401, 404, 503),
)
async def detail(notification_id: NotificationId, context: ContextDep, _user: SignedInUser) -> Envelope[NotificationDetailView]:
    async with context.database.read() as session:
        return Envelope[NotificationDetailView](data=await _detail(session, notification_id))


@router.post(
    "/{notificationId}/replay",
    operation_id="replayNotification",
    summary="Send a failed notification again",
    responses=documented_responses("notification", 400, 401, 403, 404, 503),
)
async def replay(notification_id: NotificationId, context: ContextDep, _user: RiskHandler) -> Envelope[NotificationDetailView]:
    """Nothing changes for a message that has not failed."""
    async with context.database.write() as session:
        await replay_failed(session, notification_id)
        await session.flush()
        return Envelope[NotificationDetailView](data=await _detail(session, notification_id))


async def _detail(session: ReadSession | WriteSession, message_id: int) -> NotificationDetailView:
    message = await get_message(session, message_id)
    return NotificationDetailView.with_events(message, await list_events_of(session, message_id))
