"""How the listener finds each endpoint of its pool, left where every process can read it, and gone soon after it goes.

A pool lives in one process and learns from that one's questions alone. Whose word counts is the listener's, which asks all
the time and records what it is told; the health report and the terminal are other processes.
"""

from dataclasses import fields
from typing import Any, Final

import orjson
from redis.asyncio import Redis

from paimon.domain.chain.endpoint_health import BreakerState, Use
from paimon.infrastructure.blockchain.rpc import EndpointState

_KEY: Final = "paimon:endpoints"
KEPT_SECONDS: Final = 30


async def leave(redis: Redis, endpoints: list[EndpointState]) -> None:
    """In the place of what was left before."""
    await redis.set(_KEY, orjson.dumps(endpoints), ex=KEPT_SECONDS)


async def found(redis: Redis) -> list[EndpointState]:
    """None of them where no listener has said anything for KEPT_SECONDS."""
    left = await redis.get(_KEY)
    return [] if left is None else [_state(each) for each in orjson.loads(left)]


def _state(left: dict[str, Any]) -> EndpointState:
    """Another version's fields are its own matter, as long as ours are there."""
    values = {each.name: left[each.name] for each in fields(EndpointState)}
    return EndpointState(**values | {"uses": tuple(map(Use, left["uses"])), "breaker": BreakerState(left["breaker"])})
