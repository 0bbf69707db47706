"""How the listener finds each endpoint of its pool, left where every process can read it, and gone soon after it goes.

A pool lives in one process and learns from that one's questions alone. Whose word counts is the listener's, which asks all
the time and records what it is told; the health report and the terminal are other processes.
"""

from dataclasses import fields
from typing import Any, Final

import orjson
from redis.asyncio import Redis

from paimon.domain.chain.endpoint_health import BreakerStatus, EndpointUse
from paimon.infrastructure.blockchain.rpc.endpoint_selection import EndpointReport

_KEY: Final = "paimon:endpoints"
ENDPOINT_STATE_TTL_SECONDS: Final = 30


async def store_endpoint_states(redis: Redis, endpoints: list[EndpointReport]) -> None:
    """In the place of what was left before."""
    await redis.set(_KEY, orjson.dumps(endpoints), ex=ENDPOINT_STATE_TTL_SECONDS)


async def load_endpoint_states(redis: Redis) -> list[EndpointReport]:
    """None of them where no listener has said anything for ENDPOINT_STATE_TTL_SECONDS."""
    stored = await redis.get(_KEY)
    return [] if stored is None else [_state(each) for each in orjson.loads(stored)]


def _state(stored: dict[str, Any]) -> EndpointReport:
    """Another version's fields are its own matter, as long as ours are there."""
    values = {each.name: stored[each.name] for each in fields(EndpointReport)}
    return EndpointReport(
        **values | {"uses": tuple(map(EndpointUse, stored["uses"])), "breaker": BreakerStatus(stored["breaker"])}
    )
