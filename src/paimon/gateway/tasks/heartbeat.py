"""Tell an outside service that the system is well; it alarms when that stops, for any reason.

The scheduler enqueues it and a worker runs it, so it also stops when either, the queue or the database does not work.
"""

from typing import Final

import structlog

from paimon.composition import AppContext
from paimon.domain.operations.health import HealthStatus
from paimon.gateway.tasks.system_health import system_health
from paimon.infrastructure.notifications.heartbeat import HeartbeatFailed, send_heartbeat

log = structlog.get_logger(__name__)

_TIMEOUT_SECONDS: Final = 10.0


async def send_heartbeat_if_well(context: AppContext) -> None:
    """Call the heartbeat's service, unless a component is down."""
    if (url := context.settings.notifications.heartbeat_url) is None:
        return
    report = await system_health(context)
    if down := [component.name for component in report.components if component.status is HealthStatus.DOWN]:
        log.warning("heartbeat.withheld", down=down)
        return
    try:
        await send_heartbeat(url, timeout_seconds=_TIMEOUT_SECONDS)
    except HeartbeatFailed as error:
        log.warning("heartbeat.failed", reason=str(error))
