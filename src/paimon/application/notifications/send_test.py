"""Try a channel: queue a test message, which a worker sends as any other."""

import structlog

from paimon.application.notifications.store import insert_test
from paimon.domain.notification.templates import describe_test
from paimon.errors import NotFound
from paimon.infrastructure.database.sessions import Database
from paimon.settings.notification_file import NotificationFile

log = structlog.get_logger(__name__)


class ChannelNotFound(NotFound):
    """The settings have no channel of this name."""


async def queue_test(database: Database, file: NotificationFile, name: str) -> int:
    """Queue a test message on a channel, and return its id.

    Raises:
        ChannelNotFound.
    """
    if (channel := file.by_name.get(name)) is None:
        known = ", ".join(sorted(file.by_name)) or "none"
        raise ChannelNotFound(f"no channel is called {name[:60]!r}; there are: {known} (PAIMON_NOTIFICATIONS__FILE)")
    async with database.write() as session:
        message_id = await insert_test(session, name, describe_test(name, channel.language), language=channel.language)
    log.info("notifications.test_queued", channel=name, message=message_id)
    return message_id
