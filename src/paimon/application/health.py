"""Looking at every part of the house at once: what answers, what lags, what waits for a person.

All probes run together and each has the same short time, so that one dead part costs no more than that. What is read of
the database is one snapshot. Reasons name the kind of failure only: the report is open to anyone, addresses and users of
our servers are not.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from paimon.application.event_listener.halt import LISTENER, find_halt
from paimon.application.event_listener.pace import Pace, measured_pace
from paimon.application.risk_control.queries import list_unresolved
from paimon.application.transactions.queries import WalletView, list_wallets
from paimon.domain.chain import Address, BlockStamp, checksum
from paimon.domain.health import Condition, Part, by_limits, overall, worst
from paimon.domain.risk import RiskEvent, RiskKind
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc import Rpc, RpcError, RpcUnavailable
from paimon.infrastructure.database.clock import CLOCK, database_now
from paimon.infrastructure.database.models.derived import Block, Cursor, LogStatus, RawLog
from paimon.infrastructure.database.models.owned import Lease, OutboxMessage, TransactionIntent
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.client import SignerClient, SignerUnavailable
from paimon.settings import HealthSettings, LowBalanceSettings

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

SCHEDULER: Final = "scheduler"
_INTENTS_SHOWN_MAX: Final = 50
_FAILURES: Final = (SQLAlchemyError, RedisError, RpcUnavailable, RpcError, SignerUnavailable, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database knows about the house, in one snapshot."""

    now: datetime
    cursor: Cursor | None
    recorded_at: datetime | None
    pace: Pace | None
    halt: RiskEvent | None
    finality_lag: RiskEvent | None
    leases: dict[str, Lease]
    outbox_due: int
    outbox_dead: int
    quarantined: int
    wallets: Sequence[WalletView]
    intents: Sequence[TransactionIntent]


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

    facts, pong, final, keys = await asyncio.gather(
        probe("database", _read_facts(database)),
        probe("redis", redis.ping()),
        probe("node", chain.final_block(rpc)),
        probe("signer", signer.health()),
    )
    parts = [
        _answering("database", facts),
        _answering("redis", pong),
        _node(final, facts),
        *_of_facts(facts, final, limits, low_balance_wei),
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
        cursor = (await session.scalars(select(Cursor))).one_or_none()
        recorded_at = None
        if cursor is not None:
            recorded_at = (await session.scalars(select(Block.recorded_at).where(Block.number == cursor.number))).one_or_none()
        due = OutboxMessage.done_at.is_(None) & OutboxMessage.dead_at.is_(None)
        intents = (
            select(TransactionIntent)
            .where(TransactionIntent.closed_at.is_(None))
            .order_by(TransactionIntent.created_at)
            .limit(_INTENTS_SHOWN_MAX)
        )
        return Facts(
            now=await database_now(session),
            cursor=cursor,
            recorded_at=recorded_at,
            pace=await measured_pace(session),
            halt=await find_halt(session),
            finality_lag=next(iter(await list_unresolved(session, RiskKind.FINALITY_LAG)), None),
            leases={lease.name: lease for lease in await session.scalars(select(Lease))},
            outbox_due=(await session.execute(select(func.count()).where(due))).scalar_one(),
            outbox_dead=(await session.execute(select(func.count()).where(OutboxMessage.dead_at.is_not(None)))).scalar_one(),
            quarantined=(
                await session.execute(select(func.count()).where(RawLog.status == LogStatus.QUARANTINED))
            ).scalar_one(),
            wallets=await list_wallets(session),
            intents=(await session.scalars(intents)).all(),
        )


def _answering(name: str, answer: object) -> Part:
    if isinstance(answer, Failure):
        return Part(name, Condition.DOWN, f"does not answer: {answer.reason}")
    return Part(name, Condition.OK, "answers")


def _node(final: BlockStamp | Failure, facts: Facts | Failure) -> Part:
    if isinstance(final, Failure):
        return Part("node", Condition.DOWN, f"does not answer: {final.reason}")
    details: dict[str, Any] = {"finalBlock": final.number, "finalBlockAt": final.timestamp}
    if isinstance(facts, Facts) and facts.pace is not None:
        details["blockSeconds"] = round(facts.pace.block_seconds, 3)
    if isinstance(facts, Facts) and (lag := facts.finality_lag) is not None:
        return Part("node", Condition.DEGRADED, f"finality lags: {lag.found.observed}", details | _risk_event(lag))
    return Part("node", Condition.OK, f"final block is {final.number}", details)


def _risk_event(event: RiskEvent) -> dict[str, Any]:
    return {"riskEvent": event.id, "since": event.first_seen.at, "found": event.found.observed, "wanted": event.found.expected}


def _of_facts(
    facts: Facts | Failure, final: BlockStamp | Failure, limits: HealthSettings, low_balance_wei: LowBalanceSettings
) -> list[Part]:
    if isinstance(facts, Failure):
        names = (LISTENER, SCHEDULER, "outbox", "wallets", "intents")
        return [Part(name, Condition.DOWN, "unknown while the database does not answer") for name in names]
    return [
        _listener(facts, final, limits),
        _lease(SCHEDULER, facts),
        _outbox(facts, limits),
        wallets_part(facts.wallets, low_balance_wei),
        _intents(facts),
    ]


def _lease(name: str, facts: Facts) -> Part:
    lease = facts.leases.get(name)
    if lease is None or lease.expires_at <= facts.now:
        return Part(name, Condition.DOWN, f"no {name} holds the lease: none is running, or it lost the database")
    return Part(name, Condition.OK, "running", {"holder": lease.owner, "epoch": lease.epoch})


def _listener(facts: Facts, final: BlockStamp | Failure, limits: HealthSettings) -> Part:
    """Chain time is set against chain time, and the database's against its own."""
    lease = _lease(LISTENER, facts)
    if facts.cursor is None:
        return Part(LISTENER, worst(lease.condition, Condition.DEGRADED), "no block is recorded yet", lease.details)
    details: dict[str, Any] = dict(lease.details) | {"block": facts.cursor.number, "blockAt": facts.cursor.timestamp}
    if facts.recorded_at is not None:
        details["secondsSinceRecorded"] = round((facts.now - facts.recorded_at).total_seconds(), 3)
    if facts.quarantined:
        details["quarantinedLogs"] = facts.quarantined
    if (halt := facts.halt) is not None:
        summary = f"HALTED: {halt.found.observed}, and is {halt.found.expected}; `paimon recover` shows what to do"
        return Part(LISTENER, Condition.DOWN, summary, details | _risk_event(halt))
    if isinstance(final, Failure):
        return Part(LISTENER, worst(lease.condition, Condition.DEGRADED), "its lag is unknown: the node is silent", details)
    lag_seconds = max((final.timestamp - facts.cursor.timestamp).total_seconds(), 0)
    details |= {"lagBlocks": max(final.number - facts.cursor.number, 0), "lagSeconds": lag_seconds}
    lag = by_limits(lag_seconds, warning=limits.lag_warning_seconds, critical=limits.lag_critical_seconds)
    trouble = Condition.DEGRADED if facts.quarantined else Condition.OK
    summary = lease.summary if lease.condition is not Condition.OK else f"{details['lagBlocks']} blocks behind the final one"
    return Part(LISTENER, worst(lease.condition, lag, trouble), summary, details)


def _outbox(facts: Facts, limits: HealthSettings) -> Part:
    depth = by_limits(facts.outbox_due, warning=limits.outbox_warning, critical=limits.outbox_critical)
    dead = Condition.DEGRADED if facts.outbox_dead else Condition.OK
    summary = f"{facts.outbox_due} due, {facts.outbox_dead} given up"
    return Part("outbox", worst(depth, dead), summary, {"due": facts.outbox_due, "dead": facts.outbox_dead})


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
            "balanceWei": str(wallet.seen.balance_wei) if wallet.seen else None,
            "seenAt": wallet.seen.at if wallet.seen else None,
            "lowGas": wallet in short,
        }
        for wallet in wallets
    ]
    counts = {"in trouble": len(troubled), "low on gas": len(short)}
    summary = ", ".join(f"{count} {words}" for words, count in counts.items() if count) or "no trouble"
    return Part("wallets", Condition.DEGRADED if troubled or short else Condition.OK, summary, {"wallets": shown})


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
