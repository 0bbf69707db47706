"""Deliver messages: every channel by itself, so that a slow or dead one delays no other.

It runs beside the relay in every worker process, and needs neither Redis nor a queue: people are told while those are away.

    route ──► for each channel, at once:  compose ──► claim ──commit──► send ──► record the outcome ──┐
      ▲                                       ▲                                                        │
      └── every `poll_seconds`                └─────────────────── until nothing is due ◄──────────────┘

A claim is committed before the message is sent. If the worker ends in between, the message is claimed again once the claim is
too old, and sent again under the same key. PagerDuty, mail and webhooks count it once by that key. The other services have no
such key; there a message that was on its way when the worker ended may come twice, and says so.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from paimon.application.notifications.compose import compose_ends, compose_messages
from paimon.application.notifications.queries import DatabaseError
from paimon.application.notifications.route_events import BATCH, route_events
from paimon.application.notifications.store import ClaimedMessage, claim_messages, save_attempt, try_lock
from paimon.domain.notification.message import MessageStatus, Occasion, OutgoingMessage
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.notifications.sender import Sender
from paimon.infrastructure.observability.metrics import NOTIFICATION_ATTEMPTS
from paimon.infrastructure.observability.outages import Outages
from paimon.settings.notification_file import Channel
from paimon.settings.notifications import NotificationsSettings

log = structlog.get_logger(__name__)

_CLAIM_MARGIN: Final = timedelta(seconds=10)
_TIMEOUTS: Final = {"email": 6, "apprise": 3}
"""How many times the timeout an attempt may take, by kind of channel, if not once: a mail takes several answers."""
_REPEATED: Final = "(Sent again after an interruption; it may have come before.)"


@dataclass(frozen=True, slots=True)
class NotificationContext:
    """What the delivery needs."""

    database: Database
    settings: NotificationsSettings

    def claim_lasts(self, channel: Channel) -> timedelta:
        """Return how long a claim counts: longer than any attempt takes, since a claim that is older is taken over."""
        return timedelta(seconds=self.settings.send_timeout_seconds * _TIMEOUTS.get(channel.kind, 1)) + _CLAIM_MARGIN


async def deliver_forever(context: NotificationContext) -> None:
    """Route, compose and send until cancelled. While the database is unavailable, wait and log it."""
    file, outages = context.settings.content, Outages()
    lanes: dict[str, asyncio.Task[None]] = {}
    async with Sender(file.smtp, timeout_seconds=context.settings.send_timeout_seconds) as sender:
        try:
            while True:
                try:
                    await route_once(context)
                    outages.record_success("notifications")
                except DatabaseError as error:
                    reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"
                    outages.record_failure("database", reason, task="notifications")
                for channel in file.channels:
                    if channel.name not in lanes or lanes[channel.name].done():
                        lanes[channel.name] = asyncio.create_task(_run_lane(context, sender, channel))
                await asyncio.sleep(context.settings.poll_seconds)
        finally:
            for lane in lanes.values():
                lane.cancel()
            await asyncio.gather(*lanes.values(), return_exceptions=True)


async def route_once(context: NotificationContext) -> None:
    """Route everything that is due, and compose the ends of what has ended."""
    file = context.settings.content
    if not file.channels:
        return
    while await route_events(context.database, file, digest_at=context.settings.digest_at) == BATCH:
        pass
    await compose_ends(context.database, file)


async def _run_lane(context: NotificationContext, sender: Sender, channel: Channel) -> None:
    try:
        await serve_channel(context, sender, channel)
    except DatabaseError:
        pass  # the loop above logs the outage; the next run goes on
    except Exception as error:
        log.error("notifications.channel_failed", channel=channel.name, exc_info=error)


async def serve_channel(context: NotificationContext, sender: Sender, channel: Channel) -> None:
    """Compose and send what is due on one channel."""
    await compose_messages(context.database, channel, messages_max=context.settings.messages_per_minute_max)
    while claimed := await _claim(context, channel):
        await asyncio.gather(*(_send(context, sender, channel, each) for each in claimed))


async def _claim(context: NotificationContext, channel: Channel) -> Sequence[ClaimedMessage]:
    async with context.database.write() as session:
        if not await try_lock(session, channel.name):
            return ()
        return await claim_messages(
            session,
            channel.name,
            now=await database_now(session),
            concurrency=channel.concurrency,
            claim_lasts=context.claim_lasts(channel),
        )


async def _send(context: NotificationContext, sender: Sender, channel: Channel, claimed: ClaimedMessage) -> None:
    message = await _addressed(context, channel, claimed)
    attempt = await sender.send(channel, message, now=await _now(context.database))
    async with context.database.write() as session:
        status = await save_attempt(
            session,
            message.id,
            attempt,
            now=await database_now(session),
            fallback=channel.fallback,
            fallback_after=timedelta(seconds=context.settings.fallback_after_seconds),
        )
    NOTIFICATION_ATTEMPTS.labels(channel.name, attempt.outcome.lower()).inc()
    if status is MessageStatus.SENT:
        log.info("notifications.sent", channel=channel.name, message=message.id, events_key=message.dedup_key)
    else:
        log.warning(
            "notifications.not_sent", channel=channel.name, message=message.id, status=status.value, reason=attempt.reason
        )


async def _addressed(context: NotificationContext, channel: Channel, claimed: ClaimedMessage) -> OutgoingMessage:
    """Add what is made for this attempt only: the link, and a word about a repetition."""
    message = claimed.message
    if message.is_repeated:
        message = replace(message, body=f"{message.body}\n{_REPEATED}")
    console = context.settings.console_url
    if console is None or message.occasion in (Occasion.ENDED, Occasion.TEST):
        return message
    return replace(message, link=f"{console.get_secret_value().rstrip('/')}/risk")


async def _now(database: Database) -> datetime:
    async with database.read() as session:
        return await database_now(session)
