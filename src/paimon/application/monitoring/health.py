"""The health report: probe every component at once, and judge each by its answer.

All probes run together with one short time limit, so that a dead component costs no more than that. Everything read from the
database is one snapshot.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
from redis.exceptions import RedisError

from paimon.application.event_listener.fetch.queries import read_proof_summary
from paimon.application.event_listener.ingest.chain_behind import find_chain_behind
from paimon.application.event_listener.ingest.halt import find_halt
from paimon.application.event_listener.ingest.queries import measure_block_time
from paimon.application.monitoring.chain import ChainHeads, read_chain_heads
from paimon.application.monitoring.component_health import (
    DatabaseFacts,
    ProbeFailure,
    availability,
    database_components,
    endpoints_health,
    node_health,
    redis_content_health,
    signer_health,
    worker_health,
)
from paimon.application.monitoring.queries import (
    DatabaseError,
    list_open_intents,
    list_quarantined_requests,
    query_figures,
)
from paimon.application.monitoring.store import find_signer_check
from paimon.application.nav.valuation_failure import find_valuation_failure
from paimon.application.risk_control.queries import list_unresolved
from paimon.application.transactions.queries import list_wallets
from paimon.domain.kernel.chain import Address
from paimon.domain.operations.health import ComponentHealth, HealthStatus, overall_status
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.risk.risk_event import RiskKind
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc.endpoint_selection import EndpointReport
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.cache import endpoints, workers
from paimon.infrastructure.cache.authenticated_redis import AuthenticatedRedis
from paimon.infrastructure.cache.availability import describe_failure as describe_redis_failure
from paimon.infrastructure.cache.availability import require_writable
from paimon.infrastructure.database.availability import describe_failure
from paimon.infrastructure.database.clock import DATABASE_NOW
from paimon.infrastructure.database.sessions import Database
from paimon.settings import HealthSettings, LowBalanceSettings

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

_INTENTS_SHOWN_MAX: Final = 50
_REQUESTS_SHOWN_MAX: Final = 20
_FAILURES: Final = (DatabaseError, RedisError, RpcUnavailable, RpcError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Probed:
    """What the components answered, for operators.

    `errors` are the first lines of what unavailable components raised, by name. They may name servers, and the report is open
    to anyone.
    """

    facts: DatabaseFacts | ProbeFailure
    chain_heads: ChainHeads | ProbeFailure
    endpoint_states: Sequence[EndpointReport] | ProbeFailure
    errors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Health of the whole system and of each component, and what it was judged from."""

    status: HealthStatus
    components: list[ComponentHealth]
    probed: Probed

    @property
    def problems(self) -> list[ComponentHealth]:
        return [component for component in self.components if component.status is not HealthStatus.OK]


async def check_health(
    *,
    database: Database,
    redis: AuthenticatedRedis,
    rpc: Rpc,
    chain: ChainAdapter,
    wallets: Sequence[Address],
    limits: HealthSettings,
    low_balance_wei: LowBalanceSettings,
    others: Sequence[ComponentHealth] = (),
) -> HealthReport:
    """Probe and judge every component, and the whole system; `others` are components that the caller judged."""
    errors: dict[str, str] = {}

    def probe(name: str, question: Awaitable[Answer]) -> Awaitable[Answer | ProbeFailure]:
        return _probe(name, question, timeout_seconds=limits.check_timeout_seconds, errors=errors)

    (facts, endpoint_states, served_queues, chain_heads), (database_write, redis_write) = await asyncio.gather(
        asyncio.gather(
            probe("database", _read_facts(database, one_endpoint=rpc.has_one_reader)),
            probe("redis", endpoints.load_endpoint_states(redis)),
            probe("redis", workers.load_served(redis, tuple(OutboxPriority))),
            probe("node", read_chain_heads(rpc, chain)),
        ),
        asyncio.gather(
            probe("database", database.require_writable()),
            probe("redis", require_writable(redis.client)),
        ),
    )
    components = [
        availability("database", facts, database_write),
        availability("redis", endpoint_states, redis_write),
        node_health(chain_heads, facts),
        _endpoints(endpoint_states, facts),
        worker_health(served_queues),
        *database_components(facts, chain_heads, limits, low_balance_wei),
        signer_health(facts, wallets, limits),
        redis_content_health(redis.refusals.recent()),
        *others,
    ]
    return HealthReport(overall_status(components), components, Probed(facts, chain_heads, endpoint_states, errors))


async def find_unready(*, database: Database, redis: AuthenticatedRedis, timeout_seconds: float) -> list[ComponentHealth]:
    """Return the components that keep this process from serving requests: the database or Redis, and why."""

    def probe(name: str, question: Awaitable[Answer]) -> Awaitable[Answer | ProbeFailure]:
        return _probe(name, question, timeout_seconds=timeout_seconds, errors={})

    database_read, database_write, redis_read, redis_write = await asyncio.gather(
        probe("database", database.find(DATABASE_NOW)),
        probe("database", database.require_writable()),
        probe("redis", redis.client.ping()),
        probe("redis", require_writable(redis.client)),
    )
    components = [availability("database", database_read, database_write), availability("redis", redis_read, redis_write)]
    return [component for component in components if component.status is not HealthStatus.OK]


async def _probe(
    name: str, question: Awaitable[Answer], *, timeout_seconds: float, errors: dict[str, str]
) -> Answer | ProbeFailure:
    try:
        async with asyncio.timeout(timeout_seconds):
            return await question
    except _FAILURES as error:
        text = f"{type(error).__name__}: {error}"
        log.warning("health.component_unavailable", component=name, reason=text[:300])
        errors.setdefault(name, text.splitlines()[0][:300])
        return ProbeFailure(_reason(error, timeout_seconds))
    except Exception as error:
        log.error("health.probe_failed", component=name, exc_info=error)
        return ProbeFailure("its answer cannot be read")


def _reason(error: Exception, timeout_seconds: float) -> str:
    match error:
        case TimeoutError():
            return f"no answer within {timeout_seconds:g} s"
        case RedisError():
            return describe_redis_failure(error)
        case _:
            return describe_failure(error)


async def _read_facts(database: Database, *, one_endpoint: bool) -> DatabaseFacts:
    async with database.read() as session:
        return DatabaseFacts(
            figures=await query_figures(session),
            block_time=await measure_block_time(session),
            halt=await find_halt(session),
            chain_behind=await find_chain_behind(session),
            finality_lag=next(iter(await list_unresolved(session, RiskKind.FINALITY_LAG)), None),
            valuation_failure=await find_valuation_failure(session),
            quarantined_requests=await list_quarantined_requests(session, limit=_REQUESTS_SHOWN_MAX),
            proof=await read_proof_summary(session, one_endpoint=one_endpoint),
            wallets=await list_wallets(session),
            intents=await list_open_intents(session, limit=_INTENTS_SHOWN_MAX),
            signer=await find_signer_check(session),
        )


def _endpoints(
    endpoint_states: Sequence[EndpointReport] | ProbeFailure, facts: DatabaseFacts | ProbeFailure
) -> ComponentHealth:
    if isinstance(endpoint_states, ProbeFailure):
        return ComponentHealth("endpoints", HealthStatus.DEGRADED, "unknown while Redis does not answer")
    return endpoints_health(endpoint_states, () if isinstance(facts, ProbeFailure) else facts.proof.faults)
