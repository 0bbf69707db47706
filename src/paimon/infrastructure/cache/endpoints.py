"""Endpoint states of the listener's pool, shared with other processes through Redis.

Each process has its own pool, which knows only the results of its own requests. The listener's states count, because it
sends requests all the time and records the results. The health report and the command line run in other processes and read
the states here. They expire soon after the listener stops.
"""

from dataclasses import fields
from typing import Any, Final

import orjson

from paimon.domain.chain.endpoint_health import BreakerStatus, EndpointUse
from paimon.infrastructure.blockchain.rpc.endpoint_selection import EndpointReport
from paimon.infrastructure.cache.authenticated_redis import AuthenticatedRedis

_KEY: Final = "paimon:endpoints"
ENDPOINT_STATE_TTL_SECONDS: Final = 30


async def store_endpoint_states(redis: AuthenticatedRedis, endpoints: list[EndpointReport]) -> None:
    """Replace the stored endpoint states."""
    await redis.store(_KEY, orjson.dumps(endpoints), ttl_seconds=ENDPOINT_STATE_TTL_SECONDS)


async def load_endpoint_states(redis: AuthenticatedRedis) -> list[EndpointReport]:
    """Load the endpoint states; empty if no listener stored any within ENDPOINT_STATE_TTL_SECONDS."""
    stored = await redis.load(_KEY, age_seconds_max=ENDPOINT_STATE_TTL_SECONDS)
    if stored is None:
        return []
    try:
        return [_report(item) for item in orjson.loads(stored)]
    except (ValueError, KeyError, TypeError):  # a listener of another version stores other fields or values
        redis.refuse_entry(_KEY)
        return []


def _report(stored: dict[str, Any]) -> EndpointReport:
    # A listener of another version may store more fields; they are ignored.
    values = {field.name: stored[field.name] for field in fields(EndpointReport)}
    return EndpointReport(
        **values | {"uses": tuple(map(EndpointUse, stored["uses"])), "breaker": BreakerStatus(stored["breaker"])}
    )
