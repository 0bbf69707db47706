"""Compose messages: what waits for a channel becomes messages, and so does the end of what was told.

An event and its message are joined in one transaction, so each event is in one message for each reason to tell it. One
worker at a time composes for a channel.
"""

from typing import Final

import structlog

from paimon.application.notifications.store import (
    drop_notices,
    insert_end,
    insert_message,
    list_ended,
    list_open_causes,
    list_waiting,
    load_preferences,
    mark_ended,
    read_load,
    try_lock,
)
from paimon.domain.notification.grouping import bundle
from paimon.domain.notification.message import MessageLanguage, Notice, Occasion
from paimon.domain.notification.templates import describe, describe_end
from paimon.domain.notification.timing import Preferences, due_at
from paimon.domain.risk.risk_event import RiskStatus, Severity
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.settings.notification_file import Channel, NotificationFile

log = structlog.get_logger(__name__)

_WAITING_MAX: Final = 20_000
_ENDS_MAX: Final = 500
_ENDS: Final = "ends"


async def compose_messages(database: Database, channel: Channel, *, messages_max: int) -> int:
    """Compose what the channel is to be told now, and return the number of messages."""
    async with database.write() as session:
        if not await try_lock(session, channel.name):
            return 0
        now = await database_now(session)
        waiting = await list_waiting(session, channel.name, now=now, limit=_WAITING_MAX)
        if not waiting:
            return 0
        await drop_notices(session, channel.name, [notice for notice in waiting if _is_obsolete(notice)])
        waiting = [notice for notice in waiting if not _is_obsolete(notice)]
        load = await read_load(session, channel.name, now=now)
        bundles = bundle(waiting, await list_open_causes(session), load, now=now, messages_max=messages_max)
        language = await _language(session, channel)
        for each in bundles:
            message = describe(each.notices, language, is_group=each.is_group)
            await insert_message(session, channel.name, each, message, language=language)
    if bundles:
        log.info("notifications.composed", channel=channel.name, messages=len(bundles), events=len(waiting))
    return len(bundles)


def _is_obsolete(notice: Notice) -> bool:
    """Return whether it need not be told: a warning that ended before, or a reminder of what was acknowledged since."""
    if notice.occasion is Occasion.REMINDER:
        return notice.event.status is not RiskStatus.OPEN
    return notice.event.status is RiskStatus.RESOLVED and notice.event.finding.severity is not Severity.CRITICAL


async def compose_ends(database: Database, file: NotificationFile) -> int:
    """Tell the end of every message whose events are all resolved, where it was told; return their number."""
    channels = file.by_name
    async with database.write() as session:
        if not await try_lock(session, _ENDS):
            return 0
        ended = await list_ended(session, limit=_ENDS_MAX)
        if not ended:
            return 0
        now, preferences = await database_now(session), await load_preferences(session)
        for told in ended:
            channel = channels.get(told.channel)
            if channel is None:  # the settings have it no more
                await mark_ended(session, told.id)
                continue
            chosen = Preferences() if channel.person is None else preferences.get(channel.person, Preferences())
            due = due_at(told.severity, now=now, quiet_hours=chosen.quiet_hours, digest_at=None)
            await insert_end(session, told, describe_end(told.title, told.events, told.language), due_at=due)
    return len(ended)


async def _language(session: WriteSession, channel: Channel) -> MessageLanguage:
    if channel.person is None:
        return channel.language
    chosen = (await load_preferences(session)).get(channel.person, Preferences())
    return chosen.language or channel.language
