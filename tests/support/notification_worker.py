"""A process that delivers notifications until it is killed: `python -m tests.support.notification_worker DATABASE_URL FILE`."""

import asyncio
import sys
from pathlib import Path

from paimon.application.notifications.deliver import NotificationContext, deliver_forever
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon.settings.notifications import NotificationsSettings


async def _main(url: str, file: Path) -> None:
    engine = create_engine(url, pool_size=4, connect_timeout_seconds=5, application_name="notification-worker")
    settings = NotificationsSettings(file=file, poll_seconds=0.05, send_timeout_seconds=60)
    await deliver_forever(NotificationContext(Database(engine), settings))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2])))
