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

from paimon.application.event_listener.fetch.range_proofs import ProofStanding, proof_standing
from paimon.application.event_listener.ingest.block_time import Pace, measured_pace
from paimon.application.event_listener.ingest.chain_behind import find_behind
from paimon.application.event_listener.ingest.halt import LISTENER, find_halt
from paimon.application.monitoring.chain import ChainLook, look_at_chain
from paimon.application.monitoring.component_health import endpoints_part, proof_part
from paimon.application.monitoring.figures import Figures, figures_in
from paimon.application.risk_control.queries import list_unresolved
from paimon.application.transactions.queries import WalletView, list_wallets
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.operations.health import Condition, Part, by_limits, overall, worst
from paimon.domain.risk.risk_event import RiskEvent, RiskKind
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc import EndpointState, Rpc, RpcError, RpcUnavailable
from paimon.infrastructure.cache import endpoints
from paimon.infrastructure.database.clock import CLOCK
from paimon.infrastructure.database.models.derived import LogStatus, RawLogRow
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
class Facts:
    """What the database knows about the house, in one snapshot."""

    figures: Figures
    pace: Pace | None
    halt: RiskEvent | None
    behind: RiskEvent | None
    finality_lag: RiskEvent | None
    doubtful: Sequence[int]
    proof: ProofStanding
    wallets: Sequence[WalletView]
    intents: Sequence[IntentRow]


@dataclass(frozen=True, slots=True)
class Health:
    condition: Condition
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Failure:
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
) -> Health:
    """Every part's condition, and the whole's."""

    def probe(name: str, question: Awaitable[Answer]) -> Awaitable[Answer | Failure]:
        return _answer_of(name, question, timeout_seconds=limits.check_timeout_seconds)

    facts, told, look, keys = await asyncio.gather(
        probe("database", _read_facts(database)),
        probe("redis", endpoints.found(redis)),
        probe("node", look_at_chain(rpc, chain)),
        probe("signer", signer.health()),
    )
    parts = [
        _answering("database", facts),
        _answering("redis", told),
        _node(look, facts),
        _endpoints(told, facts),
        *_of_facts(facts, look, limits, low_balance_wei),
        _signer(keys, wallets),
    ]
    return Health(overall(parts), parts)


async def _answer_of(name: str, question: Awaitable[Answer], *, timeout_seconds: float) -> Answer | Failure:
    try:
        async with asyncio.timeout(timeout_seconds):
            return await question
    except _FAILURES as error:
        log.warning("health.part_down", part=name, reason=f"{type(error).__name__}: {error}"[:300])
        return Failure(f"no answer within {timeout_seconds:g} s" if isinstance(error, TimeoutError) else type(error).__name__)


async def is_ready(*, database: Database, redis: Redis, timeout_seconds: float) -> bool:
    """Whether requests can be served: the database and Redis answer."""

    answers = await asyncio.gather(
        _answer_of("database", database.find(CLOCK), timeout_seconds=timeout_seconds),
        _answer_of("redis", redis.ping(), timeout_seconds=timeout_seconds),
    )
    return not any(isinstance(each, Failure) for each in answers)


async def _read_facts(database: Database) -> Facts:
    async with database.read() as session:
        intents = (
            select(IntentRow).where(IntentRow.closed_at.is_(None)).order_by(IntentRow.created_at).limit(_INTENTS_SHOWN_MAX)
        )
        doubtful = (
            select(RawLogRow.request_id)
            .where(RawLogRow.status == LogStatus.QUARANTINED, RawLogRow.request_id.is_not(None))
            .order_by(RawLogRow.block_number)
            .limit(_REQUESTS_SHOWN_MAX)
        )
        return Facts(
            figures=await figures_in(session),
            pace=await measured_pace(session),
            halt=await find_halt(session),
            behind=await find_behind(session),
            finality_lag=next(iter(await list_unresolved(session, RiskKind.FINALITY_LAG)), None),
            doubtful=[int(each) for each in await session.scalars(doubtful) if each is not None],
            proof=await proof_standing(session),
            wallets=await list_wallets(session),
            intents=(await session.scalars(intents)).all(),
        )


def _answering(name: str, answer: object) -> Part:
    if isinstance(answer, Failure):
        return Part(name, Condition.DOWN, f"does not answer: {answer.reason}")
    return Part(name, Condition.OK, "answers")


def _node(look: ChainLook | Failure, facts: Facts | Failure) -> Part:
    if isinstance(look, Failure):
        return Part("node", Condition.DOWN, f"does not answer: {look.reason}")
    details: dict[str, Any] = {
        "headBlock": look.head.number,
        "headBlockAt": look.head.timestamp,
        "finalBlock": look.final.number,
        "finalBlockAt": look.final.timestamp,
        "finalityLagBlocks": look.finality_lag_blocks,
        "finalityLagSeconds": look.finality_lag_seconds,
    }
    if isinstance(facts, Facts) and facts.pace is not None:
        details["blockSeconds"] = round(facts.pace.block_seconds, 3)
    if isinstance(facts, Facts) and (lag := facts.finality_lag) is not None:
        return Part("node", Condition.DEGRADED, f"finality lags: {lag.found.observed}", details | _risk_event(lag))
    return Part("node", Condition.OK, f"head is {look.head.number}, final {look.final.number}", details)


def _risk_event(event: RiskEvent) -> dict[str, Any]:
    return {"riskEvent": event.id, "since": event.first_seen.at, "found": event.found.observed, "wanted": event.found.expected}


def _endpoints(told: Sequence[EndpointState] | Failure, facts: Facts | Failure) -> Part:
    if isinstance(told, Failure):
        return Part("endpoints", Condition.DEGRADED, "unknown while Redis does not answer")
    return endpoints_part(told, () if isinstance(facts, Failure) else facts.proof.lies)


def _of_facts(
    facts: Facts | Failure, look: ChainLook | Failure, limits: HealthSettings, low_balance_wei: LowBalanceSettings
) -> list[Part]:
    if isinstance(facts, Failure):
        names = (LISTENER, "proof", SCHEDULER, "outbox", "quarantine", "risk", "wallets", "intents")
        return [Part(name, Condition.DOWN, "unknown while the database does not answer") for name in names]
    return [
        _listener(facts, look, limits),
        proof_part(facts.proof),
        _lease(SCHEDULER, facts.figures),
        _outbox(facts.figures, limits),
        _quarantine(facts),
        _risk(facts.figures),
        wallets_part(facts.wallets, low_balance_wei),
        _intents(facts),
    ]


def _lease(name: str, figures: Figures) -> Part:
    lease = figures.leases.get(name)
    if lease is None or not lease.held:
        return Part(name, Condition.DOWN, f"no {name} holds the lease: none is running, or it lost the database")
    return Part(name, Condition.OK, "running", {"holder": lease.owner, "epoch": lease.epoch})


def _listener(facts: Facts, look: ChainLook | Failure, limits: HealthSettings) -> Part:
    """Chain time is set against chain time, and the database's against its own."""
    figures = facts.figures
    lease, recorded = _lease(LISTENER, figures), figures.recorded
    if recorded is None:
        return Part(LISTENER, worst(lease.condition, Condition.DEGRADED), "no block is recorded yet", lease.details)
    details: dict[str, Any] = dict(lease.details) | {"block": recorded.number, "blockAt": recorded.timestamp}
    if recorded.recorded_at is not None:
        details["secondsSinceRecorded"] = round((figures.now - recorded.recorded_at).total_seconds(), 3)
    if (halt := facts.halt) is not None:
        summary = f"HALTED: {halt.found.observed}, and is {halt.found.expected}; `paimon recover` shows what to do"
        return Part(LISTENER, Condition.DOWN, summary, details | _risk_event(halt))
    if (behind := facts.behind) is not None:
        summary = "WAITS: the chain of every node is shorter than the books"
        return Part(LISTENER, Condition.DOWN, summary, details | _risk_event(behind))
    if isinstance(look, Failure):
        return Part(LISTENER, worst(lease.condition, Condition.DEGRADED), "its lag is unknown: the node is silent", details)
    lag_seconds = max((look.final.timestamp - recorded.timestamp).total_seconds(), 0)
    details |= {"lagBlocks": max(look.final.number - recorded.number, 0), "lagSeconds": lag_seconds}
    lag = by_limits(lag_seconds, warning=limits.lag_warning_seconds, critical=limits.lag_critical_seconds)
    summary = lease.summary if lease.condition is not Condition.OK else f"{details['lagBlocks']} blocks behind the final one"
    return Part(LISTENER, worst(lease.condition, lag), summary, details)


def _outbox(figures: Figures, limits: HealthSettings) -> Part:
    depth = by_limits(figures.depth, warning=limits.outbox_warning, critical=limits.outbox_critical)
    dead = Condition.DEGRADED if figures.dead else Condition.OK
    shown = {each.priority.value: {"due": each.depth, "oldestSeconds": round(each.age_seconds, 3)} for each in figures.outbox}
    details = {"due": figures.depth, "dead": figures.dead, "priorities": shown}
    return Part("outbox", worst(depth, dead), f"{figures.depth} due, {figures.dead} given up", details)


def _quarantine(facts: Facts) -> Part:
    """What a quarantined log tells of may stand otherwise on chain than in the books."""
    quarantined, skipped = facts.figures.quarantined, facts.figures.skipped
    requests = [str(each) for each in dict.fromkeys(facts.doubtful)]
    details = {"logs": quarantined, "skipped": skipped, "redemptions": requests}
    condition = Condition.DEGRADED if quarantined else Condition.OK
    return Part("quarantine", condition, f"{quarantined} logs wait for a person, {skipped} are left out", details)


def _risk(figures: Figures) -> Part:
    counts = {severity.value: count for severity, count in figures.risk.items()}
    condition = Condition.DEGRADED if any(counts.values()) else Condition.OK
    summary = ", ".join(f"{count} {name.lower()}" for name, count in counts.items())
    return Part("risk", condition, f"unresolved: {summary}", {"unresolved": counts})


def wallets_part(wallets: Sequence[WalletView], low_balance_wei: LowBalanceSettings) -> Part:
    troubled = [wallet for wallet in wallets if wallet.trouble]
    short = [each for each in wallets if each.seen and each.seen.balance_wei < low_balance_wei.of(each.name)]
    shown = [
        {
            "name": wallet.name,
            "address": checksum(wallet.address),
            "nextNonce": wallet.next_nonce,
            "openIntents": wallet.open_intents,
            "trouble": wallet.trouble,
            "interruptedSince": wallet.interrupted.since if wallet.interrupted else None,
            "balanceWei": str(wallet.seen.balance_wei) if wallet.seen else None,
            "seenAt": wallet.seen.at if wallet.seen else None,
            "lowGas": wallet in short,
        }
        for wallet in wallets
    ]
    interrupted = [wallet for wallet in wallets if wallet.interrupted]
    counts = {"in trouble": len(troubled), "interrupted": len(interrupted), "low on gas": len(short)}
    summary = ", ".join(f"{count} {words}" for words, count in counts.items() if count)
    return Part("wallets", Condition.DEGRADED if summary else Condition.OK, summary or "no trouble", {"wallets": shown})


def _intents(facts: Facts) -> Part:
    held_up = [intent for intent in facts.intents if intent.reason]
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
    summary = f"{len(facts.intents)} open, {len(held_up)} held up"
    return Part("intents", Condition.DEGRADED if held_up else Condition.OK, summary, {"open": shown})


def _signer(keys: dict[str, Any] | Failure, wallets: Sequence[Address]) -> Part:
    if isinstance(keys, Failure):
        return Part("signer", Condition.DOWN, f"does not answer: {keys.reason}")
    held = {key["address"] for key in keys["keys"]}
    missing = [shown for each in wallets if (shown := checksum(each)) not in held]
    if missing:
        return Part("signer", Condition.DOWN, f"holds no key for {', '.join(missing)}", keys)
    return Part("signer", Condition.OK, "answers and holds the configured keys", keys)
