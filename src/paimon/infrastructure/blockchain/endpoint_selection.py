"""Whom to ask: which endpoints may be asked at all, which are ready, and in which order."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from paimon.domain.chain.endpoint_health import BreakerState, Use
from paimon.infrastructure.blockchain.endpoint import Endpoint

STATE_BLOCKS: Final = 128
"""Blocks whose state a full node keeps. Source: geth's and BSC's default, `--history.state` aside."""
_LAG_BLOCKS: Final = 32
"""So far behind the best, an endpoint is asked for what is latest only where no other is left."""

WRITES: Final = frozenset({"eth_sendRawTransaction"})


@dataclass(frozen=True, slots=True)
class Need:
    """What an endpoint must have to be asked: a block, and perhaps that block's state, or one of these names."""

    height: int = 0
    state: bool = False
    only: frozenset[str] | None = None

    def admits(self, endpoint: Endpoint) -> bool:
        return self.only is None or endpoint.name in self.only


ANY: Final = Need()


def may_be_asked(endpoints: Iterable[Endpoint], need: Need, methods: frozenset[str], chain_id: int | None) -> list[Endpoint]:
    """Those for this use that are not known to serve another chain."""
    use = Use.WRITE if methods & WRITES else Use.READ
    return [
        each
        for each in endpoints
        if use in each.uses and need.admits(each) and (chain_id is None or each.chain_id in (None, chain_id))
    ]


def is_ready(endpoint: Endpoint, need: Need, chain_id: int | None) -> bool:
    """Whether it is known to serve the chain and to have come so far."""
    served = chain_id is None or endpoint.chain_id == chain_id
    return served and (need.height == 0 or endpoint.health.has_reached(need.height))


def in_order(endpoints: Iterable[Endpoint], need: Need, methods: frozenset[str], now: float) -> list[Endpoint]:
    """The one to ask first, first. Those that rest or refuse are last, for when nobody else is left."""
    among = list(endpoints)
    best = max((each.health.head or 0 for each in among), default=0)
    is_old_state = need.state and best - need.height > STATE_BLOCKS

    def key(endpoint: Endpoint) -> tuple[bool, bool, bool, bool, float]:
        health = endpoint.health
        return (
            health.is_resting,
            endpoint.refuses(methods, now),
            is_old_state and Use.ARCHIVE not in endpoint.uses,
            health.head is not None and best - health.head > _LAG_BLOCKS,
            health.cost(endpoint.busy),
        )

    return sorted(among, key=key)


@dataclass(frozen=True, slots=True)
class EndpointState:
    """How one endpoint stands, for operators. It holds no URL."""

    name: str
    uses: tuple[Use, ...]
    head: int | None
    latency_seconds: float | None
    error_rate: float
    breaker: BreakerState
    concurrency: int
    busy: int
    range_blocks: int
    serves_our_chain: bool | None
    """None until it said so."""

    @property
    def is_well(self) -> bool:
        """Whether it is asked as a matter of course."""
        return self.breaker is BreakerState.CLOSED and self.serves_our_chain is not False


def state_of(endpoint: Endpoint, chain_id: int | None) -> EndpointState:
    health = endpoint.health
    known = chain_id is not None and endpoint.chain_id is not None
    return EndpointState(
        name=endpoint.name,
        uses=tuple(each for each in Use if each in endpoint.uses),
        head=health.head,
        latency_seconds=health.latency_seconds,
        error_rate=health.error_rate,
        breaker=health.breaker.state,
        concurrency=int(health.concurrency.limit),
        busy=endpoint.busy,
        range_blocks=health.range_size.blocks,
        serves_our_chain=endpoint.chain_id == chain_id if known else None,
    )
