"""Select an endpoint: which ones are eligible for a request, which are ready, and in which order they are asked."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from paimon.domain.chain.endpoint_health import BreakerStatus, EndpointUse
from paimon.infrastructure.blockchain.rpc.endpoint import Endpoint

STATE_BLOCKS: Final = 128
"""Blocks whose state a full node keeps. Source: the default of geth and BSC without `--history.state`."""
_LAG_BLOCKS: Final = 32
"""An endpoint this far behind the best one ranks behind all others."""

WRITE_METHODS: Final = frozenset({"eth_sendRawTransaction"})


@dataclass(frozen=True, slots=True)
class EndpointRequirement:
    """What an endpoint must have to be asked: a block, perhaps that block's state, and perhaps one of these names."""

    height: int = 0
    state: bool = False
    names: frozenset[str] | None = None

    def admits(self, endpoint: Endpoint) -> bool:
        return self.names is None or endpoint.name in self.names


ANY_ENDPOINT: Final = EndpointRequirement()


def eligible_endpoints(
    endpoints: Iterable[Endpoint], requirement: EndpointRequirement, methods: frozenset[str], chain_id: int | None
) -> list[Endpoint]:
    """Return the endpoints for this use that are not known to serve another chain."""
    use = EndpointUse.WRITE if methods & WRITE_METHODS else EndpointUse.READ
    return [
        endpoint
        for endpoint in endpoints
        if use in endpoint.uses and requirement.admits(endpoint) and (chain_id is None or endpoint.chain_id in (None, chain_id))
    ]


def is_ready(endpoint: Endpoint, requirement: EndpointRequirement, chain_id: int | None) -> bool:
    """Return whether the endpoint is known to serve the chain and to have reached the required height."""
    served = chain_id is None or endpoint.chain_id == chain_id
    return served and (requirement.height == 0 or endpoint.health.has_reached(requirement.height))


def rank_endpoints(
    endpoints: Iterable[Endpoint], requirement: EndpointRequirement, methods: frozenset[str], now: float
) -> list[Endpoint]:
    """Sort the endpoints by preference. Suspended, pausing and refusing ones come last, for the case that no other is left."""
    candidates = list(endpoints)
    best = max((endpoint.health.head or 0 for endpoint in candidates), default=0)
    is_old_state = requirement.state and best - requirement.height > STATE_BLOCKS

    def key(endpoint: Endpoint) -> tuple[bool, bool, bool, bool, bool, float]:
        health = endpoint.health
        return (
            health.pause_seconds(now) > 0,
            health.is_circuit_open,
            endpoint.is_refusing(methods, now),
            is_old_state and EndpointUse.ARCHIVE not in endpoint.uses,
            health.head is not None and best - health.head > _LAG_BLOCKS,
            health.expected_seconds(endpoint.active_requests),
        )

    return sorted(candidates, key=key)


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """The state of one endpoint, for operators. It contains no URL."""

    name: str
    uses: tuple[EndpointUse, ...]
    head: int | None
    latency_seconds: float | None
    error_rate: float
    breaker: BreakerStatus
    concurrency: int
    active_requests: int
    range_blocks: int
    serves_our_chain: bool | None
    """None until the endpoint has reported its chain id."""

    @property
    def is_healthy(self) -> bool:
        """Whether requests go to the endpoint without restriction."""
        return self.breaker is BreakerStatus.CLOSED and self.serves_our_chain is not False


def report_of(endpoint: Endpoint, chain_id: int | None) -> EndpointReport:
    health = endpoint.health
    known = chain_id is not None and endpoint.chain_id is not None
    return EndpointReport(
        name=endpoint.name,
        uses=tuple(use for use in EndpointUse if use in endpoint.uses),
        head=health.head,
        latency_seconds=health.latency_seconds,
        error_rate=health.error_rate,
        breaker=health.breaker.status,
        concurrency=int(health.concurrency.limit),
        active_requests=endpoint.active_requests,
        range_blocks=health.range_size.blocks,
        serves_our_chain=endpoint.chain_id == chain_id if known else None,
    )
