"""Looking at every part of the house at once: what answers, what lags, what waits for a person.

All probes run together and each has the same short time, so that one dead part costs no more than that. What is read of
the database is one snapshot. Reasons name the kind of failure only: the report is open to anyone, addresses and users of
our servers are not. The RPC endpoints alone are named, by host and port, for which of them is ill must be known.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from paimon.application.event_listener.fetch.queries import ProofSummary, read_proof_summary
from paimon.application.event_listener.ingest.chain_behind import find_chain_behind
from paimon.application.event_listener.ingest.halt import LISTENER, find_halt
from paimon.application.event_listener.ingest.queries import BlockTime, measure_block_time
from paimon.application.monitoring.chain import ChainHeads, read_chain_heads
from paimon.application.monitoring.component_health import endpoints_health, proof_health
from paimon.application.monitoring.figures import SystemFigures, query_figures
from paimon.application.risk_control.queries import list_unresolved
from paimon.application.transactions.queries import WalletSummary, list_wallets
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.operations.health import ComponentHealth, HealthStatus, overall_status, status_by_limits, worst_status
from paimon.domain.risk.risk_event import RiskEvent, RiskKind
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc.endpoint_selection import EndpointReport
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.cache import endpoints
from paimon.infrastructure.database.clock import DATABASE_NOW
from paimon.infrastructure.database.models.derived import RawLogRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.client import SignerClient, SignerUnavailable
from paimon.settings import HealthSettings, LowBalanceSettings

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

SCHEDULER: Final = "scheduler"
_INTENTS_SHOWN_MAX: Final = 50
_REQUESTS_SHOWN_MAX: Final = 20
_FAILURES: Final = (SQLAlchemyError, RedisError, RpcUnavailable, RpcError, SignerUnavailable, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What the database knows about the house, in one snapshot."""

    figures: SystemFigures
    block_time: BlockTime | None
    halt: RiskEvent | None
    behind: RiskEvent | None
    finality_lag: RiskEvent | None
    quarantined_requests: Sequence[int]
    proof: ProofSummary
    wallets: Sequence[WalletSummary]
    intents: Sequence[IntentRow]


@dataclass(frozen=True, slots=True)
class HealthReport:
    status: HealthStatus
    components: list[ComponentHealth]


@dataclass(frozen=True, slots=True)
class ProbeFailure:
    """A probe's answer that did not come."""

    reason: str


async def check_health(
    *,
    database: Database,
    redis: Redis,
    rpc: Rpc,
    chain: ChainAdapter,
    signer: SignerClient,
    wallets: Sequence[Address],
    limits: HealthSettings,
    low_balance_wei: LowBalanceSettings,
) -> HealthReport:
    """Every part's condition, and the whole's."""

    def probe(name: str, question: Awaitable[Answer]) -> Awaitable[Answer | ProbeFailure]:
        return _probe(name, question, timeout_seconds=limits.check_timeout_seconds)

    facts, endpoint_states, chain_heads, keys = await asyncio.gather(
        probe("database", _read_facts(database)),
        probe("redis", endpoints.load_endpoint_states(redis)),
        probe("node", read_chain_heads(rpc, chain)),
        probe("signer", signer.health()),
    )
    components = [
        _reachability("database", facts),
        _reachability("redis", endpoint_states),
        _node(chain_heads, facts),
        _endpoints(endpoint_states, facts),
        *_database_components(facts, chain_heads, limits, low_balance_wei),
        _signer(keys, wallets),
    ]
    return HealthReport(overall_status(components), components)


async def _probe(name: str, question: Awaitable[Answer], *, timeout_seconds: float) -> Answer | ProbeFailure:
    try:
        async with asyncio.timeout(timeout_seconds):
            return await question
    except _FAILURES as error:
        log.warning("health.component_unavailable", part=name, reason=f"{type(error).__name__}: {error}"[:300])
        return ProbeFailure(
            f"no answer within {timeout_seconds:g} s" if isinstance(error, TimeoutError) else type(error).__name__
        )


async def is_ready(*, database: Database, redis: Redis, timeout_seconds: float) -> bool:
    """Whether requests can be served: the database and Redis answer."""

    answers = await asyncio.gather(
        _probe("database", database.find(DATABASE_NOW), timeout_seconds=timeout_seconds),
        _probe("redis", redis.ping(), timeout_seconds=timeout_seconds),
    )
    return not any(isinstance(each, ProbeFailure) for each in answers)


async def _read_facts(database: Database) -> DatabaseFacts:
    async with database.read() as session:
        intents = (
            select(IntentRow).where(IntentRow.closed_at.is_(None)).order_by(IntentRow.created_at).limit(_INTENTS_SHOWN_MAX)
        )
        quarantined_requests = (
            select(RawLogRow.request_id)
            .where(RawLogRow.status == LogStatus.QUARANTINED, RawLogRow.request_id.is_not(None))
            .order_by(RawLogRow.block_number)
            .limit(_REQUESTS_SHOWN_MAX)
        )
        return DatabaseFacts(
            figures=await query_figures(session),
            block_time=await measure_block_time(session),
            halt=await find_halt(session),
            behind=await find_chain_behind(session),
            finality_lag=next(iter(await list_unresolved(session, RiskKind.FINALITY_LAG)), None),
            quarantined_requests=[int(each) for each in await session.scalars(quarantined_requests) if each is not None],
            proof=await read_proof_summary(session),
            wallets=await list_wallets(session),
            intents=(await session.scalars(intents)).all(),
        )


def _reachability(name: str, answer: object) -> ComponentHealth:
    if isinstance(answer, ProbeFailure):
        return ComponentHealth(name, HealthStatus.DOWN, f"does not answer: {answer.reason}")
    return ComponentHealth(name, HealthStatus.OK, "answers")


def _node(chain_heads: ChainHeads | ProbeFailure, facts: DatabaseFacts | ProbeFailure) -> ComponentHealth:
    if isinstance(chain_heads, ProbeFailure):
        return ComponentHealth("node", HealthStatus.DOWN, f"does not answer: {chain_heads.reason}")
    details: dict[str, Any] = {
        "headBlock": chain_heads.head.number,
        "headBlockAt": chain_heads.head.timestamp,
        "finalBlock": chain_heads.final.number,
        "finalBlockAt": chain_heads.final.timestamp,
        "finalityLagBlocks": chain_heads.finality_lag_blocks,
        "finalityLagSeconds": chain_heads.finality_lag_seconds,
    }
    if isinstance(facts, DatabaseFacts) and facts.block_time is not None:
        details["blockSeconds"] = round(facts.block_time.block_seconds, 3)
    if isinstance(facts, DatabaseFacts) and (lag := facts.finality_lag) is not None:
        return ComponentHealth(
            "node", HealthStatus.DEGRADED, f"finality lags: {lag.finding.observed}", details | _risk_event(lag)
        )
    return ComponentHealth(
        "node", HealthStatus.OK, f"head is {chain_heads.head.number}, final {chain_heads.final.number}", details
    )


def _risk_event(event: RiskEvent) -> dict[str, Any]:
    return {
        "riskEvent": event.id,
        "since": event.first_seen.at,
        "found": event.finding.observed,
        "expected": event.finding.expected,
    }


def _endpoints(
    endpoint_states: Sequence[EndpointReport] | ProbeFailure, facts: DatabaseFacts | ProbeFailure
) -> ComponentHealth:
    if isinstance(endpoint_states, ProbeFailure):
        return ComponentHealth("endpoints", HealthStatus.DEGRADED, "unknown while Redis does not answer")
    return endpoints_health(endpoint_states, () if isinstance(facts, ProbeFailure) else facts.proof.faults)


def _database_components(
    facts: DatabaseFacts | ProbeFailure,
    chain_heads: ChainHeads | ProbeFailure,
    limits: HealthSettings,
    low_balance_wei: LowBalanceSettings,
) -> list[ComponentHealth]:
    if isinstance(facts, ProbeFailure):
        names = (LISTENER, "proof", SCHEDULER, "outbox", "quarantine", "risk", "wallets", "intents")
        return [ComponentHealth(name, HealthStatus.DOWN, "unknown while the database does not answer") for name in names]
    return [
        _listener(facts, chain_heads, limits),
        proof_health(facts.proof),
        _lease(SCHEDULER, facts.figures),
        _outbox(facts.figures, limits),
        _quarantine(facts),
        _risk(facts.figures),
        wallets_health(facts.wallets, low_balance_wei),
        _intents(facts),
    ]


def _lease(name: str, figures: SystemFigures) -> ComponentHealth:
    lease = figures.leases.get(name)
    if lease is None or not lease.held:
        return ComponentHealth(name, HealthStatus.DOWN, f"no {name} holds the lease: none is running, or it lost the database")
    return ComponentHealth(name, HealthStatus.OK, "running", {"holder": lease.owner, "epoch": lease.epoch})


def _listener(facts: DatabaseFacts, chain_heads: ChainHeads | ProbeFailure, limits: HealthSettings) -> ComponentHealth:
    """Chain time is set against chain time, and the database's against its own."""
    figures = facts.figures
    lease, recorded = _lease(LISTENER, figures), figures.recorded
    if recorded is None:
        return ComponentHealth(
            LISTENER, worst_status(lease.status, HealthStatus.DEGRADED), "no block is recorded yet", lease.details
        )
    details: dict[str, Any] = dict(lease.details) | {"block": recorded.number, "blockTimestamp": recorded.timestamp}
    if recorded.recorded_at is not None:
        details["secondsSinceRecorded"] = round((figures.now - recorded.recorded_at).total_seconds(), 3)
    if (halt := facts.halt) is not None:
        summary = f"HALTED: {halt.finding.observed}, and is {halt.finding.expected}; `paimon recover` shows what to do"
        return ComponentHealth(LISTENER, HealthStatus.DOWN, summary, details | _risk_event(halt))
    if (behind := facts.behind) is not None:
        summary = "WAITS: the chain of every node is shorter than the books"
        return ComponentHealth(LISTENER, HealthStatus.DOWN, summary, details | _risk_event(behind))
    if isinstance(chain_heads, ProbeFailure):
        return ComponentHealth(
            LISTENER, worst_status(lease.status, HealthStatus.DEGRADED), "its lag is unknown: the node is silent", details
        )
    lag_seconds = max((chain_heads.final.timestamp - recorded.timestamp).total_seconds(), 0)
    details |= {"lagBlocks": max(chain_heads.final.number - recorded.number, 0), "lagSeconds": lag_seconds}
    lag = status_by_limits(lag_seconds, warning=limits.lag_warning_seconds, critical=limits.lag_critical_seconds)
    summary = lease.summary if lease.status is not HealthStatus.OK else f"{details['lagBlocks']} blocks behind the final one"
    return ComponentHealth(LISTENER, worst_status(lease.status, lag), summary, details)


def _outbox(figures: SystemFigures, limits: HealthSettings) -> ComponentHealth:
    depth = status_by_limits(figures.depth, warning=limits.outbox_warning, critical=limits.outbox_critical)
    dead_lettered = HealthStatus.DEGRADED if figures.dead_lettered else HealthStatus.OK
    shown = {each.priority.value: {"due": each.depth, "oldestSeconds": round(each.age_seconds, 3)} for each in figures.outbox}
    details = {"due": figures.depth, "dead_lettered": figures.dead_lettered, "priorities": shown}
    return ComponentHealth(
        "outbox", worst_status(depth, dead_lettered), f"{figures.depth} due, {figures.dead_lettered} given up", details
    )


def _quarantine(facts: DatabaseFacts) -> ComponentHealth:
    """What a quarantined log tells of may stand otherwise on chain than in the books."""
    quarantined, skipped = facts.figures.quarantined, facts.figures.skipped
    requests = [str(each) for each in dict.fromkeys(facts.quarantined_requests)]
    details = {"logs": quarantined, "skipped": skipped, "redemptions": requests}
    status = HealthStatus.DEGRADED if quarantined else HealthStatus.OK
    return ComponentHealth("quarantine", status, f"{quarantined} logs wait for a person, {skipped} are left out", details)


def _risk(figures: SystemFigures) -> ComponentHealth:
    counts = {severity.value: count for severity, count in figures.risk.items()}
    status = HealthStatus.DEGRADED if any(counts.values()) else HealthStatus.OK
    summary = ", ".join(f"{count} {name.lower()}" for name, count in counts.items())
    return ComponentHealth("risk", status, f"unresolved: {summary}", {"unresolved": counts})


def wallets_health(wallets: Sequence[WalletSummary], low_balance_wei: LowBalanceSettings) -> ComponentHealth:
    faulty = [wallet for wallet in wallets if wallet.fault]
    low_on_gas = [
        each
        for each in wallets
        if each.account_state and each.account_state.balance_wei < low_balance_wei.for_wallet(each.name)
    ]
    shown = [
        {
            "name": wallet.name,
            "address": checksum(wallet.address),
            "nextNonce": wallet.next_nonce,
            "openIntents": wallet.open_intents,
            "fault": wallet.fault,
            "failingSince": wallet.last_error.at if wallet.last_error else None,
            "balanceWei": str(wallet.account_state.balance_wei) if wallet.account_state else None,
            "seenAt": wallet.account_state.at if wallet.account_state else None,
            "lowGas": wallet in low_on_gas,
        }
        for wallet in wallets
    ]
    last_error = [wallet for wallet in wallets if wallet.last_error]
    counts = {"in trouble": len(faulty), "last_error": len(last_error), "low on gas": len(low_on_gas)}
    summary = ", ".join(f"{count} {label}" for label, count in counts.items() if count)
    return ComponentHealth(
        "wallets", HealthStatus.DEGRADED if summary else HealthStatus.OK, summary or "no trouble", {"wallets": shown}
    )


def _intents(facts: DatabaseFacts) -> ComponentHealth:
    blocked = [intent for intent in facts.intents if intent.reason]
    shown = [
        {
            "key": intent.idempotency_key,
            "status": intent.status,
            "unfunded": intent.unfunded,
            "reason": intent.reason,
            "createdAt": intent.created_at,
        }
        for intent in facts.intents
    ]
    summary = f"{len(facts.intents)} open, {len(blocked)} held up"
    return ComponentHealth("intents", HealthStatus.DEGRADED if blocked else HealthStatus.OK, summary, {"open": shown})


def _signer(keys: dict[str, Any] | ProbeFailure, wallets: Sequence[Address]) -> ComponentHealth:
    if isinstance(keys, ProbeFailure):
        return ComponentHealth("signer", HealthStatus.DOWN, f"does not answer: {keys.reason}")
    held = {key["address"] for key in keys["keys"]}
    missing = [shown for each in wallets if (shown := checksum(each)) not in held]
    if missing:
        return ComponentHealth("signer", HealthStatus.DOWN, f"holds no key for {', '.join(missing)}", keys)
    return ComponentHealth("signer", HealthStatus.OK, "answers and holds the configured keys", keys)
