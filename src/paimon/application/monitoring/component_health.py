"""Health of each component, judged from what was probed.

`details` are figures by their names in snake_case, with values of the domain; the gateway makes the JSON of them. Reasons name
the kind of a failure only: the report is open to anyone, addresses and users of our servers are not. Only RPC endpoints are
named, by host and port, because an operator must know which one is faulty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from paimon.application.event_listener.fetch.queries import EndpointFaultCount, ProofSummary
from paimon.application.event_listener.ingest.halt import LISTENER
from paimon.application.event_listener.ingest.queries import BlockTime
from paimon.application.monitoring.chain import ChainHeads
from paimon.application.monitoring.figures import LastRecordedBlock, SystemFigures
from paimon.application.monitoring.store import SignerCheck
from paimon.application.transactions.queries import WalletSummary
from paimon.domain.chain.range_proof import PROOF_LEVEL_REQUIRED, RangeProof
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.operations.health import ComponentHealth, HealthStatus, status_by_limits, worst_status
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.risk.risk_event import RiskEvent
from paimon.domain.transaction.intent import Intent
from paimon.infrastructure.blockchain.rpc.endpoint_selection import EndpointReport
from paimon.infrastructure.cache.authenticity import RecentRefusals
from paimon.infrastructure.database.leases import signer_lease
from paimon.settings import HealthSettings, LowBalanceSettings

SCHEDULER: Final = "scheduler"
AUDITOR: Final = "auditor"
VALUATION: Final = "valuation"

_RECENT_SECONDS: Final = 86_400.0
"""A fault of an endpoint stays listed for ever. It makes the component degraded for a day."""


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What the database knows about the system, in one snapshot."""

    figures: SystemFigures
    block_time: BlockTime | None
    halt: RiskEvent | None
    chain_behind: RiskEvent | None
    finality_lag: RiskEvent | None
    valuation_failure: RiskEvent | None
    quarantined_requests: Sequence[int]
    proof: ProofSummary
    wallets: Sequence[WalletSummary]
    intents: Sequence[Intent]
    signer: SignerCheck | None


@dataclass(frozen=True, slots=True)
class ProbeFailure:
    """The reason why a probe has no answer."""

    reason: str


def availability(name: str, read: object, write: object) -> ComponentHealth:
    """Judge a component by whether it answers, and by whether it takes writes: one that only answers does no work."""
    if isinstance(read, ProbeFailure):
        return ComponentHealth(name, HealthStatus.DOWN, f"does not answer: {read.reason}")
    if isinstance(write, ProbeFailure):
        return ComponentHealth(name, HealthStatus.DOWN, f"takes no writes: {write.reason}")
    return ComponentHealth(name, HealthStatus.OK, "answers")


def redis_content_health(refusals: Sequence[RecentRefusals]) -> ComponentHealth:
    """Judge what Redis holds: content that no process of ours wrote means that someone else can write there."""
    if not refusals:
        return ComponentHealth("redis_content", HealthStatus.OK, "all that was read was written by this system")
    counts = ", ".join(f"{refused.use.value} {refused.count}" for refused in refusals)
    details = {refused.use.value: {"refused": refused.count, "seconds_ago": refused.seconds_ago} for refused in refusals}
    return ComponentHealth("redis_content", HealthStatus.DEGRADED, f"refused content of others: {counts}", details)


def node_health(chain_heads: ChainHeads | ProbeFailure, facts: DatabaseFacts | ProbeFailure) -> ComponentHealth:
    """Judge the chain's node by its answer and by the lag of finality."""
    if isinstance(chain_heads, ProbeFailure):
        return ComponentHealth("node", HealthStatus.DOWN, f"does not answer: {chain_heads.reason}")
    details: dict[str, Any] = {
        "head_block": chain_heads.head.number,
        "head_block_at": chain_heads.head.timestamp,
        "final_block": chain_heads.final.number,
        "final_block_at": chain_heads.final.timestamp,
        "finality_lag_blocks": chain_heads.finality_lag_blocks,
        "finality_lag_seconds": chain_heads.finality_lag_seconds,
    }
    if isinstance(facts, DatabaseFacts) and facts.block_time is not None:
        details["block_seconds"] = round(facts.block_time.block_seconds, 3)
    if isinstance(facts, DatabaseFacts) and (lag := facts.finality_lag) is not None:
        summary = f"finality lags: {lag.finding.observed}"
        return ComponentHealth("node", HealthStatus.DEGRADED, summary, details | _risk_event(lag))
    summary = f"head is {chain_heads.head.number}, final {chain_heads.final.number}"
    return ComponentHealth("node", HealthStatus.OK, summary, details)


def _risk_event(event: RiskEvent) -> dict[str, Any]:
    return {
        "risk_event": event.id,
        "since": event.first_seen.at,
        "observed": event.finding.observed,
        "expected": event.finding.expected,
    }


def endpoints_health(endpoints: Sequence[EndpointReport], faults: Sequence[EndpointFaultCount]) -> ComponentHealth:
    """Judge the endpoints as the listener reports them. A name is host and port: it contains no key."""
    healthy = [endpoint for endpoint in endpoints if endpoint.is_healthy]
    faulty = sorted({fault.endpoint for fault in faults if fault.seconds_ago < _RECENT_SECONDS})
    details = {
        "endpoints": [_endpoint(endpoint) for endpoint in endpoints],
        "faults": [_endpoint_fault(fault) for fault in faults],
    }
    summary = f"{len(healthy)} of {len(endpoints)} answer" if endpoints else "no listener reports its endpoints"
    if faulty:
        summary += f"; invalid responses within a day: {', '.join(faulty)}"
    if endpoints and not healthy:
        return ComponentHealth("endpoints", HealthStatus.DOWN, summary, details)
    is_ok = endpoints and len(healthy) == len(endpoints) and not faulty
    return ComponentHealth("endpoints", HealthStatus.OK if is_ok else HealthStatus.DEGRADED, summary, details)


def worker_health(served: Mapping[str, str] | ProbeFailure) -> ComponentHealth:
    """Judge the workers by the queues that they report to serve: what waits in any other queue is not done."""
    if isinstance(served, ProbeFailure):
        return ComponentHealth("worker", HealthStatus.DOWN, "unknown while Redis does not answer")
    if not served:
        return ComponentHealth("worker", HealthStatus.DOWN, "no worker is running, or none reaches Redis")
    details = {"queues": dict(served)}
    if unserved := [queue.value for queue in OutboxPriority if queue not in served]:
        return ComponentHealth("worker", HealthStatus.DOWN, f"no worker serves {', '.join(unserved)}", details)
    return ComponentHealth("worker", HealthStatus.OK, "running, every queue is served", details)


def _endpoint(endpoint: EndpointReport) -> dict[str, Any]:
    return {
        "name": endpoint.name,
        "uses": list(endpoint.uses),
        "head_block": endpoint.head,
        "latency_seconds": None if endpoint.latency_seconds is None else round(endpoint.latency_seconds, 4),
        "error_rate": round(endpoint.error_rate, 4),
        "breaker": endpoint.breaker,
        "serves_our_chain": endpoint.serves_our_chain,
    }


def _endpoint_fault(fault: EndpointFaultCount) -> dict[str, Any]:
    return {
        "endpoint": fault.endpoint,
        "kind": fault.kind,
        "occurrences": fault.occurrences,
        "last_block": fault.last_block,
        "last_seen_at": fault.last_seen_at,
    }


def database_components(
    facts: DatabaseFacts | ProbeFailure,
    chain_heads: ChainHeads | ProbeFailure,
    limits: HealthSettings,
    low_balance_wei: LowBalanceSettings,
) -> list[ComponentHealth]:
    """Judge every component that the database knows about."""
    if isinstance(facts, ProbeFailure):
        names = (
            *(LISTENER, "proof", SCHEDULER, AUDITOR, "outbox", "notifications", "quarantine", VALUATION),
            *("risk", "wallets", "intents"),
        )
        return [ComponentHealth(name, HealthStatus.DOWN, "unknown while the database does not answer") for name in names]
    return [
        _listener(facts, chain_heads, limits),
        proof_health(facts.proof),
        _lease(SCHEDULER, facts.figures),
        auditor_health(facts.figures),
        _outbox(facts.figures, limits),
        notifications_health(facts.figures, limits),
        _quarantine(facts),
        _valuation(facts, limits),
        _risk(facts.figures),
        wallets_health(facts.wallets, low_balance_wei),
        _intents(facts.intents),
    ]


def auditor_health(figures: SystemFigures) -> ComponentHealth:
    """Judge the auditor by its lease, and by the day roots that it should have stored."""
    running = _lease(AUDITOR, figures)
    if (late := figures.day_roots_late) and running.status is HealthStatus.OK:
        summary = f"running; {late} day roots of the audit trail are not in the object storage"
        return replace(running, status=HealthStatus.DEGRADED, summary=summary)
    return running


def _lease(name: str, figures: SystemFigures) -> ComponentHealth:
    lease = figures.leases.get(name)
    if lease is None or not lease.held:
        return ComponentHealth(name, HealthStatus.DOWN, f"no {name} holds the lease: none is running, or it lost the database")
    return ComponentHealth(name, HealthStatus.OK, "running", {"holder": lease.owner, "epoch": lease.epoch})


def _listener(facts: DatabaseFacts, chain_heads: ChainHeads | ProbeFailure, limits: HealthSettings) -> ComponentHealth:
    """Judge the listener by its lease, its halts and its lag.

    Chain time is compared with chain time, and the database's time with its own.
    """
    lease, recorded = _lease(LISTENER, facts.figures), facts.figures.recorded
    is_running = lease.status is HealthStatus.OK
    if recorded is None:
        status = worst_status(lease.status, HealthStatus.DEGRADED)
        return ComponentHealth(LISTENER, status, "no block is recorded yet" if is_running else lease.summary, lease.details)
    details = dict(lease.details) | _recorded_block(recorded, facts.figures)
    if (halt := facts.halt) is not None:
        summary = f"HALTED: {halt.finding.observed}, and is {halt.finding.expected}; `paimon recover` shows what to do"
        return ComponentHealth(LISTENER, HealthStatus.DOWN, summary, details | _risk_event(halt))
    if (chain_behind := facts.chain_behind) is not None:
        summary = "WAITING: the chain of every node is shorter than the recorded one"
        return ComponentHealth(LISTENER, HealthStatus.DOWN, summary, details | _risk_event(chain_behind))
    if isinstance(chain_heads, ProbeFailure):
        status = worst_status(lease.status, HealthStatus.DEGRADED)
        summary = "its lag is unknown while the node does not answer" if is_running else lease.summary
        return ComponentHealth(LISTENER, status, summary, details)
    lag_blocks = max(chain_heads.final.number - recorded.number, 0)
    lag_seconds = max((chain_heads.final.timestamp - recorded.timestamp).total_seconds(), 0)
    details |= {"lag_blocks": lag_blocks, "lag_seconds": lag_seconds}
    lag = status_by_limits(lag_seconds, warning=limits.lag_warning_seconds, critical=limits.lag_critical_seconds)
    summary = f"{lag_blocks} blocks behind the final one" if is_running else lease.summary
    return ComponentHealth(LISTENER, worst_status(lease.status, lag), summary, details)


def _recorded_block(recorded: LastRecordedBlock, figures: SystemFigures) -> dict[str, Any]:
    details: dict[str, Any] = {"block": recorded.number, "block_timestamp": recorded.timestamp}
    if recorded.recorded_at is not None:
        details["seconds_since_recorded"] = round((figures.now - recorded.recorded_at).total_seconds(), 3)
    return details


def proof_health(proof: ProofSummary) -> ComponentHealth:
    """Judge how the recorded blocks are proven, and list which blocks have which level."""
    details: dict[str, Any] = {
        "newest": _range(proof.newest),
        "weakest": _range(proof.weakest),
        "levels": {
            level.value: {"from_block": span.first, "to_block": span.last, "blocks": span.blocks}
            for level, span in proof.levels.items()
        },
        "unproven": None,
        "reconciled_block": proof.reconciled_block,
    }
    if (unproven := proof.unproven) is not None:
        details["unproven"] = {"from_block": unproven.first, "to_block": unproven.last, "blocks": unproven.blocks}
    if proof.newest is None or proof.weakest is None:
        summary = "no block is proven yet" if unproven is None else "no block is proven"
    else:
        summary = f"newest {proof.newest.level}, weakest {proof.weakest.level}"
    if proof.is_chained_by_one_endpoint:
        summary = f"{summary} by the only endpoint: nothing contradicts it and nothing confirms it; see `paimon audit-chain`"
    if not proof.is_weak:
        return ComponentHealth("proof", HealthStatus.OK, summary, details)
    summary = f"{summary}: some blocks are below {PROOF_LEVEL_REQUIRED}; see `paimon audit-chain`"
    return ComponentHealth("proof", HealthStatus.DEGRADED, summary, details)


def _range(proof: RangeProof | None) -> dict[str, Any] | None:
    return None if proof is None else {"level": proof.level, "from_block": proof.first, "to_block": proof.last}


def _outbox(figures: SystemFigures, limits: HealthSettings) -> ComponentHealth:
    depth = status_by_limits(figures.depth, warning=limits.outbox_warning, critical=limits.outbox_critical)
    dead_lettered = HealthStatus.DEGRADED if figures.dead_lettered else HealthStatus.OK
    priorities = {
        queue.priority.value: {"due": queue.depth, "oldest_seconds": round(queue.age_seconds, 3)} for queue in figures.outbox
    }
    details = {"due": figures.depth, "dead_lettered": figures.dead_lettered, "priorities": priorities}
    summary = f"{figures.depth} due, {figures.dead_lettered} dead-lettered"
    return ComponentHealth("outbox", worst_status(depth, dead_lettered), summary, details)


def notifications_health(figures: SystemFigures, limits: HealthSettings) -> ComponentHealth:
    """Judge the channels of notifications: one that takes nothing keeps people from being told."""
    details = {
        each.channel: {"waiting": each.unsent, "failed": each.failed, "late_seconds": round(each.late_seconds, 3)}
        for each in figures.channels
    }
    bad = [each.channel for each in figures.channels if each.failed or each.late_seconds > limits.notification_late_seconds]
    waiting, failed = sum(each.unsent for each in figures.channels), sum(each.failed for each in figures.channels)
    summary = f"{waiting} waiting, {failed} failed within a day"
    if bad:
        return ComponentHealth("notifications", HealthStatus.DEGRADED, f"{summary}; see {', '.join(bad)}", details)
    return ComponentHealth("notifications", HealthStatus.OK, summary, details)


def _quarantine(facts: DatabaseFacts) -> ComponentHealth:
    """Judge the quarantine: what a quarantined log is about may differ between the chain and the recorded state."""
    quarantined, skipped = facts.figures.quarantined, facts.figures.skipped
    redemptions = [str(request_id) for request_id in dict.fromkeys(facts.quarantined_requests)]
    details = {"logs": quarantined, "skipped": skipped, "redemptions": redemptions}
    status = HealthStatus.DEGRADED if quarantined else HealthStatus.OK
    summary = f"{quarantined} logs wait for an operator, {skipped} are skipped"
    return ComponentHealth("quarantine", status, summary, details)


def _valuation(facts: DatabaseFacts, limits: HealthSettings) -> ComponentHealth:
    """Judge whether the fund is seen: by a read that fails, and by the ages of the last snapshot and the last comparison."""
    snapshot, comparison = facts.figures.snapshot, facts.figures.reconciliation
    details: dict[str, Any] = {
        "snapshot_block": snapshot.block if snapshot else None,
        "snapshot_age_seconds": round(snapshot.seconds_behind, 3) if snapshot else None,
        "reconciliation_block": comparison.block if comparison else None,
        "reconciliation_age_seconds": round(comparison.seconds_ago, 3) if comparison else None,
    }
    if (failure := facts.valuation_failure) is not None:
        summary = f"the fund cannot be valued: {failure.finding.observed}"
        return ComponentHealth(VALUATION, HealthStatus.DEGRADED, summary, details | _risk_event(failure))
    late = [
        f"the last {name} is {age:.0f} s old"
        for name, age, limit in (
            ("snapshot", snapshot.seconds_behind if snapshot else 0, limits.snapshot_age_seconds),
            ("comparison with the chain", comparison.seconds_ago if comparison else 0, limits.reconciliation_age_seconds),
        )
        if age > limit
    ]
    if late:
        return ComponentHealth(VALUATION, HealthStatus.DEGRADED, "; ".join(late), details)
    summary = "no snapshot yet" if snapshot is None else f"the last snapshot is of block {snapshot.block}"
    return ComponentHealth(VALUATION, HealthStatus.OK, summary, details)


def _risk(figures: SystemFigures) -> ComponentHealth:
    """Judge by what is wrong with the system. A breach of the fund's own limits is the fund's risk level, and no fault here."""
    counts = {severity.value: count for severity, count in figures.system_risk.items()}
    status = HealthStatus.DEGRADED if any(counts.values()) else HealthStatus.OK
    summary = ", ".join(f"{count} {name.lower()}" for name, count in counts.items())
    return ComponentHealth("risk", status, f"unresolved: {summary}", {"unresolved": counts})


def wallets_health(wallets: Sequence[WalletSummary], low_balance_wei: LowBalanceSettings) -> ComponentHealth:
    """Judge the sending wallets by their faults, their last errors and their gas."""
    low_on_gas = [
        wallet
        for wallet in wallets
        if wallet.account_state and wallet.account_state.balance_wei < low_balance_wei.for_wallet(wallet.name)
    ]
    shown = [
        {
            "name": wallet.name,
            "address": wallet.address,
            "next_nonce": wallet.next_nonce,
            "open_intents": wallet.open_intents,
            "fault": wallet.fault,
            "failing_since": wallet.last_error.at if wallet.last_error else None,
            "balance_wei": wallet.account_state.balance_wei if wallet.account_state else None,
            "seen_at": wallet.account_state.at if wallet.account_state else None,
            "low_gas": wallet in low_on_gas,
        }
        for wallet in wallets
    ]
    counts = {
        "faulted": sum(bool(wallet.fault) for wallet in wallets),
        "failing": sum(wallet.last_error is not None for wallet in wallets),
        "low on gas": len(low_on_gas),
    }
    summary = ", ".join(f"{count} {label}" for label, count in counts.items() if count)
    status = HealthStatus.DEGRADED if summary else HealthStatus.OK
    return ComponentHealth("wallets", status, summary or "no fault", {"wallets": shown})


def _intents(intents: Sequence[Intent]) -> ComponentHealth:
    blocked = [intent for intent in intents if intent.reason]
    shown = [
        {
            "key": intent.idempotency_key,
            "status": intent.status,
            "unfunded": intent.unfunded,
            "reason": intent.reason,
            "created_at": intent.created_at,
        }
        for intent in intents
    ]
    summary = f"{len(intents)} open, {len(blocked)} blocked"
    return ComponentHealth("intents", HealthStatus.DEGRADED if blocked else HealthStatus.OK, summary, {"open": shown})


def signer_health(facts: DatabaseFacts | ProbeFailure, wallets: Sequence[Address], limits: HealthSettings) -> ComponentHealth:
    """Judge the signer by the worker's last check of it and by the keys it holds."""
    if isinstance(facts, ProbeFailure):
        return ComponentHealth("signer", HealthStatus.DEGRADED, "unknown while the database does not answer")
    if (check := facts.signer) is None:
        return ComponentHealth("signer", HealthStatus.DEGRADED, "unknown: no worker has asked it yet")
    details = {"keys": check.keys, "checked_at": check.checked_at}
    if (age := (facts.figures.now - check.checked_at).total_seconds()) > limits.signer_check_seconds_max:
        return ComponentHealth("signer", HealthStatus.DEGRADED, f"unknown: no worker has asked it for {age:.0f} s", details)
    if check.failure is not None:
        return ComponentHealth("signer", HealthStatus.DOWN, "gives the worker no usable answer", details)
    held = {key["address"] for key in check.keys}
    missing = [address for wallet in wallets if (address := checksum(wallet)) not in held]
    if missing:
        return ComponentHealth("signer", HealthStatus.DOWN, f"holds no key for {', '.join(missing)}", details)
    leases = facts.figures.leases
    free = [checksum(wallet) for wallet in wallets if (lease := leases.get(signer_lease(wallet))) and not lease.held]
    if free:
        summary = f"no signer holds the lease of {', '.join(free)}: no movement is signed"
        return ComponentHealth("signer", HealthStatus.DEGRADED, summary, details)
    return ComponentHealth("signer", HealthStatus.OK, "answers the worker and holds the configured keys", details)
