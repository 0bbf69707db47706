"""Queues that a worker serves now, as the workers themselves report through Redis, which they take their tasks from.

Each worker process writes an entry for each of its queues again and again. The entry of a queue that no worker serves any more
expires.
"""

from collections.abc import Iterable
from typing import Final

from paimon.infrastructure.cache.authenticated_redis import AuthenticatedRedis

REPORT_SECONDS: Final = 5.0
SERVED_SECONDS: Final = 20
"""Time after which a worker that reports no more counts as gone: three reports may be late or lost."""


def _key(queue: str) -> str:
    return f"paimon:worker:{queue}"


async def report_served(redis: AuthenticatedRedis, queues: Iterable[str], *, by: str) -> None:
    """Report that the worker process `by` serves the queues.

    Raises:
        RedisError.
    """
    for queue in queues:
        await redis.store(_key(queue), by.encode(), ttl_seconds=SERVED_SECONDS)


async def load_served(redis: AuthenticatedRedis, queues: Iterable[str]) -> dict[str, str]:
    """Return each queue that a worker serves, with the worker process that reported it last.

    Raises:
        RedisError.
    """
    reported = {queue: await redis.load(_key(queue), age_seconds_max=SERVED_SECONDS) for queue in queues}
    return {queue: worker.decode(errors="replace") for queue, worker in reported.items() if worker is not None}
