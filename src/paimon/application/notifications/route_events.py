"""Route risk events: decide which channels are told of each open event, and of those that are not acknowledged in time.

Level-triggered: it compares the open events with what was routed, so it finds what any earlier run missed, and a run twice adds
nothing. An event that becomes more severe is routed anew.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta
from typing import Final

import structlog

from paimon.application.notifications.store import (
    ChannelNotice,
    Routed,
    UnroutedEvent,
    insert_notices,
    list_unrouted,
    load_preferences,
    save_routed,
    try_lock,
)
from paimon.domain.kernel.chain import Address
from paimon.domain.notification.message import Notice, Occasion
from paimon.domain.notification.routes import channels_of, due_steps, escalations_of, next_step_at
from paimon.domain.notification.timing import Preferences, due_at
from paimon.infrastructure.database.clock import as_utc, database_now
from paimon.infrastructure.database.sessions import Database
from paimon.settings.notification_file import Channel, NotificationFile

log = structlog.get_logger(__name__)

BATCH: Final = 2_000
"""Events routed in one transaction."""
_ROUTING: Final = "routing"


async def route_events(database: Database, file: NotificationFile, *, digest_at: time) -> int:
    """Route one batch of events, and return their number; 0 if another worker routes at the moment."""
    async with database.write() as session:
        if not await try_lock(session, _ROUTING):
            return 0
        now = await database_now(session)
        unrouted = await list_unrouted(session, now=now, limit=BATCH)
        if not unrouted:
            return 0
        router = _Router(file, await load_preferences(session), digest_at, now)
        await insert_notices(session, [notice for event in unrouted for notice in router.notices(event)])
        await save_routed(session, [router.routed(event) for event in unrouted])
    log.info("notifications.routed", events=len(unrouted))
    return len(unrouted)


class _Router:
    def __init__(
        self, file: NotificationFile, preferences: Mapping[Address, Preferences], digest_at: time, now: datetime
    ) -> None:
        self._channels = file.by_name
        self._routes = file.routing
        self._preferences = preferences
        self._digest_at = digest_at
        self._now = now

    def notices(self, unrouted: UnroutedEvent) -> Iterator[ChannelNotice]:
        """Yield what channels are to be told of the event."""
        event = unrouted.event
        if _is_new(unrouted):
            told = Notice(event, Occasion.OPENED, event.finding.severity)
            for routed in channels_of(self._routes, event.finding):
                yield from self._notice(self._channels[routed.channel], told, in_digest=routed.in_digest)
            return
        steps = escalations_of(self._routes, event.finding)
        for step in due_steps(steps, since=self._since(unrouted), done=unrouted.escalated, now=self._now):
            reminder = Notice(event, Occasion.REMINDER, f"{step.after.total_seconds():g}")
            for name in step.channels:
                yield from self._notice(self._channels[name], reminder, in_digest=False)

    def _notice(self, channel: Channel, notice: Notice, *, in_digest: bool) -> Iterator[ChannelNotice]:
        chosen = Preferences() if channel.person is None else self._preferences.get(channel.person, Preferences())
        severity = notice.event.finding.severity
        if not chosen.severity_min.exceeds(severity):
            digest_at = self._digest_at if in_digest else None
            due = due_at(severity, now=self._now, quiet_hours=chosen.quiet_hours, digest_at=digest_at)
            yield ChannelNotice(channel.name, notice, due)

    def routed(self, unrouted: UnroutedEvent) -> Routed:
        """Return how far the event is routed after this run."""
        event, since = unrouted.event, self._since(unrouted)
        steps = escalations_of(self._routes, event.finding)
        done = max((step.after for step in steps if since + step.after <= self._now), default=timedelta())
        return Routed(event.id, event.finding.severity, since, done, next_step_at(steps, since=since, now=self._now))

    def _since(self, unrouted: UnroutedEvent) -> datetime:
        return self._now if _is_new(unrouted) or unrouted.routed_at is None else as_utc(unrouted.routed_at)


def _is_new(unrouted: UnroutedEvent) -> bool:
    return unrouted.told_severity is not unrouted.event.finding.severity
