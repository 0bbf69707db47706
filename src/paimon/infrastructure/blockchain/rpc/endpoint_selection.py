"""Whom to ask: which endpoints may be asked at all, which are ready, and in which order."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from paimon.domain.chain.endpoint_health import BreakerStatus, EndpointUse
from paimon.infrastructure.blockchain.rpc.endpoint import Endpoint

STATE_BLOCKS: Final = 128
"""Blocks whose state a full node keeps. Source: geth's and BSC's default, `--history.state` aside."""
_LAG_BLOCKS: Final = 32
"""So far behind the best, an endpoint is asked for what is latest only where no other is left."""

WRITE_METHODS: Final = frozenset({"eth_sendRawTransaction"})


@dataclass(frozen=True, slots=True)
class EndpointRequirement:
    """What an endpoint must have to be asked: a block, and perhaps that block's state, or one of these names."""

    height: int = 0
    state: bool = False
    only: frozenset[str] | None = None

    def admits(self, endpoint: Endpoint) -> bool:
        return self.only is None or endpoint.name in self.only


ANY_ENDPOINT: Final = EndpointRequirement()


def eligible_endpoints(
    endpoints: Iterable[Endpoint], requirement: EndpointRequirement, methods: frozenset[str], chain_id: int | None
) -> list[Endpoint]:
    """Those for this use that are not known to serve another chain."""
    use = EndpointUse.WRITE if methods & WRITE_METHODS else EndpointUse.READ
    return [
        each
        for each in endpoints
        if use in each.uses and requirement.admits(each) and (chain_id is None or each.chain_id in (None, chain_id))
    ]


def is_ready(endpoint: Endpoint, requirement: EndpointRequirement, chain_id: int | None) -> bool:
    """Whether it is known to serve the chain and to have come so far."""
    served = chain_id is None or endpoint.chain_id == chain_id
    return served and (requirement.height == 0 or endpoint.health.has_reached(requirement.height))


def rank_endpoints(
    endpoints: Iterable[Endpoint], requirement: EndpointRequirement, methods: frozenset[str], now: float
) -> list[Endpoint]:
    """The one to ask first, first. Those that rest or refuse are last, for when nobody else is left."""
    candidates = list(endpoints)
    best = max((each.health.head or 0 for each in candidates), default=0)
    is_old_state = requirement.state and best - requirement.height > STATE_BLOCKS

    def key(endpoint: Endpoint) -> tuple[bool, bool, bool, bool, float]:
        health = endpoint.health
        return (
            health.is_circuit_open,
            endpoint.is_refusing(methods, now),
            is_old_state and EndpointUse.ARCHIVE not in endpoint.uses,
            health.head is not None and best - health.head > _LAG_BLOCKS,
            health.expected_seconds(endpoint.active_requests),
        )

    return sorted(candidates, key=key)


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """How one endpoint stands, for operators. It holds no URL."""

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
    """None until it said so."""

    @property
    def is_healthy(self) -> bool:
        """Whether it is asked as a matter of course."""
        return self.breaker is BreakerStatus.CLOSED and self.serves_our_chain is not False


def report_of(endpoint: Endpoint, chain_id: int | None) -> EndpointReport:
    health = endpoint.health
    known = chain_id is not None and endpoint.chain_id is not None
    return EndpointReport(
        name=endpoint.name,
        uses=tuple(each for each in EndpointUse if each in endpoint.uses),
        head=health.head,
        latency_seconds=health.latency_seconds,
        error_rate=health.error_rate,
        breaker=health.breaker.status,
        concurrency=int(health.concurrency.limit),
        active_requests=endpoint.active_requests,
        range_blocks=health.range_size.blocks,
        serves_our_chain=endpoint.chain_id == chain_id if known else None,
    )
