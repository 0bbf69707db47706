"""Metric families: the figures and the chain's heads as gauges; what is unknown has no sample.

Every process that is scraped reports the same figures, so that they survive the end of any one. A query over several processes
takes the largest value, not the sum.
"""

from collections.abc import Iterable, Sequence

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from paimon.application.deployment.queries import UnknownLogs
from paimon.application.event_listener.fetch.queries import ProofSummary
from paimon.application.monitoring.chain import ChainHeads
from paimon.application.monitoring.figures import SystemFigures
from paimon.domain.deployment.contract_facts import Deployment
from paimon.infrastructure.blockchain.rpc.endpoint_selection import EndpointReport
from paimon.settings import LowBalanceSettings

Sample = tuple[tuple[str, ...], float]
"""The values of the labels, and the sample's value."""


def _gauge(name: str, help_text: str, labels: Sequence[str], samples: Iterable[Sample]) -> Metric:
    family = GaugeMetricFamily(f"paimon_{name}", help_text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _single_gauge(name: str, help_text: str, value: float) -> Metric:
    return _gauge(name, help_text, (), [((), value)])


def up_families(*, database: bool, node: bool) -> list[Metric]:
    """Return whether the sources answered; without a source its figures are absent, not zero."""
    return [
        _single_gauge("database_up", "1 if the database answered this scrape in time.", database),
        _single_gauge("node_up", "1 if the chain's node answered this scrape in time.", node),
    ]


def chain_families(chain_heads: ChainHeads) -> list[Metric]:
    """Return the heads of the chain and the lag of finality."""
    return [
        _single_gauge("chain_head_block", "Number of the chain's latest block.", chain_heads.head.number),
        _single_gauge("chain_final_block", "Number of the chain's final block.", chain_heads.final.number),
        _single_gauge(
            "chain_finality_lag_blocks", "Blocks between the final one and the head.", chain_heads.finality_lag_blocks
        ),
        _single_gauge(
            "chain_finality_lag_seconds", "Chain time between the final block and the head.", chain_heads.finality_lag_seconds
        ),
    ]


def figures_families(figures: SystemFigures, low_balance_wei: LowBalanceSettings) -> list[Metric]:
    """Return the figures of the database."""
    wallets = figures.wallets
    seen = [wallet for wallet in wallets if wallet.balance_wei is not None and wallet.seen_seconds_ago is not None]
    return [
        *_recorded_families(figures),
        *_risk_families(figures),
        _gauge(
            "lease_held",
            "1 while the named holder holds the lease.",
            ("lease", "holder"),
            [((lease.name, lease.owner), lease.held) for lease in figures.leases.values()],
        ),
        _gauge(
            "lease_epoch",
            "Grows with each new holder of the lease.",
            ("lease",),
            [((lease.name,), lease.epoch) for lease in figures.leases.values()],
        ),
        _gauge(
            "outbox_depth",
            "Outbox messages that are not done and not dead-lettered.",
            ("priority",),
            [((queue.priority.value,), queue.depth) for queue in figures.outbox],
        ),
        _gauge(
            "outbox_oldest_age_seconds",
            "Age of the oldest outbox message that may run.",
            ("priority",),
            [((queue.priority.value,), queue.age_seconds) for queue in figures.outbox],
        ),
        _single_gauge(
            "outbox_dead_lettered", "Outbox messages that were dead-lettered and wait for an operator.", figures.dead_lettered
        ),
        _single_gauge(
            "quarantined_logs", "Logs that could not be decoded or applied and wait for an operator.", figures.quarantined
        ),
        _single_gauge("skipped_logs", "Logs that an operator decided to skip.", figures.skipped),
        _gauge(
            "risk_events_unresolved",
            "Risk events that are not resolved.",
            ("severity",),
            [((severity.value,), count) for severity, count in figures.risk.items()],
        ),
        _gauge(
            "intents_open",
            "Intents to send a transaction that are not closed.",
            ("status",),
            [((status.value,), count) for status, count in figures.intents.items()],
        ),
        _gauge(
            "wallet_fault",
            "1 while a sending wallet has a fault that only an operator clears.",
            ("wallet",),
            [((wallet.name,), wallet.has_fault) for wallet in wallets],
        ),
        _gauge(
            "wallet_balance_wei",
            "Balance of a sending wallet when its driver last read it.",
            ("wallet",),
            [((wallet.name,), wallet.balance_wei or 0) for wallet in seen],
        ),
        _gauge(
            "wallet_low_balance_wei",
            "The least balance that the wallet should have.",
            ("wallet",),
            [((wallet.name,), low_balance_wei.for_wallet(wallet.name)) for wallet in wallets],
        ),
        _gauge(
            "wallet_seen_age_seconds",
            "How long ago the driver last read the wallet.",
            ("wallet",),
            [((wallet.name,), wallet.seen_seconds_ago or 0) for wallet in seen],
        ),
        _gauge(
            "notifications_unsent",
            "Notifications that their channel has not taken yet, by status: waiting, or failed within a day.",
            ("channel", "status"),
            [
                sample
                for each in figures.channels
                for sample in (((each.channel, "waiting"), each.unsent), ((each.channel, "failed"), each.failed))
            ],
        ),
        _gauge(
            "notifications_late_seconds",
            "How long the oldest notification of a channel has been waiting.",
            ("channel",),
            [((each.channel,), each.late_seconds) for each in figures.channels],
        ),
        _single_gauge(
            "audit_day_roots_late",
            "Days that ended more than an hour ago and whose root of the audit trail is not in the object storage.",
            figures.day_roots_late,
        ),
        _single_gauge(
            "tickets_overdue", "Approval tickets that are past their deadline and undecided.", figures.tickets_overdue
        ),
        _single_gauge(
            "untrusted_prices", "Assets that the fund holds and whose price is not trusted.", figures.untrusted_prices
        ),
    ]


def _recorded_families(figures: SystemFigures) -> list[Metric]:
    found = []
    if (recorded := figures.recorded) is not None:
        found.append(_single_gauge("listener_processed_block", "Number of the last recorded block.", recorded.number))
    if (snapshot := figures.snapshot) is not None:
        found.append(
            _single_gauge(
                "snapshot_age_seconds",
                "Chain time from the last snapshot of the fund to the last recorded block.",
                snapshot.seconds_behind,
            )
        )
    if (last := figures.reconciliation) is not None:
        found.append(
            _single_gauge("reconciliation_breaks", "Discrepancies that the last reconciliation found.", last.discrepancies)
        )
        found.append(
            _single_gauge("reconciliation_age_seconds", "How long ago the last reconciliation was made.", last.seconds_ago)
        )
    return found


def _risk_families(figures: SystemFigures) -> list[Metric]:
    if (last := figures.assessment) is None:
        return []
    return [
        _single_gauge("risk_level", "The fund's risk level: 1 normal, 2 elevated, 3 high, 4 critical.", last.level),
        _single_gauge("risk_score", "The fund's risk score, from 0 to 100.", last.score),
        _single_gauge("risk_assessment_age_seconds", "How long ago the fund's risk was assessed.", last.seconds_ago),
    ]


def lag_families(figures: SystemFigures, chain_heads: ChainHeads) -> list[Metric]:
    """Return the listener's lag in chain time; nothing before the first recorded block."""
    if (recorded := figures.recorded) is None:
        return []
    seconds = max((chain_heads.final.timestamp - recorded.timestamp).total_seconds(), 0.0)
    return [
        _single_gauge(
            "listener_lag_blocks",
            "Final blocks that are not recorded yet.",
            max(chain_heads.final.number - recorded.number, 0),
        ),
        _single_gauge("listener_lag_seconds", "Chain time between the last recorded block and the final one.", seconds),
    ]


def endpoint_families(endpoints: Sequence[EndpointReport]) -> list[Metric]:
    """Return how this process rates each endpoint of its pool."""
    label = ("endpoint",)
    up = [((endpoint.name,), endpoint.is_healthy) for endpoint in endpoints]
    heads = [((endpoint.name,), endpoint.head) for endpoint in endpoints if endpoint.head is not None]
    errors = [((endpoint.name,), endpoint.error_rate) for endpoint in endpoints]
    latencies = [((endpoint.name,), endpoint.latency_seconds) for endpoint in endpoints if endpoint.latency_seconds is not None]
    return [
        _gauge("rpc_endpoint_up", "1 while this endpoint is used: it answers, and serves our chain.", label, up),
        _gauge("rpc_endpoint_head_block", "The latest block that the endpoint returned.", label, heads),
        _gauge("rpc_endpoint_latency_seconds", "How long the endpoint's answers take.", label, latencies),
        _gauge("rpc_endpoint_error_ratio", "Fraction of the endpoint's answers that fail.", label, errors),
    ]


def deployment_families(deployment: Deployment | None, unknown_logs: Sequence[UnknownLogs]) -> list[Metric]:
    """Return what the fund's contracts can do, and how much of what they log is not understood."""
    capabilities = () if deployment is None else deployment.capabilities
    return [
        _gauge(
            "contract_capability",
            "1 if the fund's contracts have the capability.",
            ("capability",),
            [((found.capability.value,), found.is_present) for found in capabilities],
        ),
        _gauge(
            "unknown_logs",
            "Recorded logs that no ABI of their contract explains.",
            ("contract", "event"),
            [((logs.contract.value, logs.name), logs.count) for logs in unknown_logs],
        ),
    ]


def proof_families(proof: ProofSummary) -> list[Metric]:
    """Return how strongly it is proven that no log is missing: 0 nothing, 1 chained, 2 agreed by two, 3 by receipts."""
    ranges = {"newest": proof.newest, "weakest": proof.weakest}
    levels = [((name,), proven.level.rank) for name, proven in ranges.items() if proven is not None]
    counts = CounterMetricFamily("paimon_endpoint_faults", "Invalid responses of an endpoint.", labels=("endpoint", "kind"))
    for fault in proof.faults:
        counts.add_metric((fault.endpoint, fault.kind.value), fault.occurrences)
    ages = [((fault.endpoint, fault.kind.value), fault.seconds_ago) for fault in proof.faults]
    return [
        _gauge(
            "proof_level", "0 none, 1 chained, 2 agreed, 3 receipts; of the newest and the weakest range.", ("range",), levels
        ),
        _single_gauge(
            "proof_by_one_endpoint",
            "1 where the past is chained and the settings name one endpoint that reads: it cannot be proven better.",
            int(proof.is_chained_by_one_endpoint),
        ),
        _single_gauge(
            "unproven_blocks", "Blocks recorded before proofs were kept.", proof.unproven.blocks if proof.unproven else 0
        ),
        counts,
        _gauge("endpoint_fault_age_seconds", "How long ago the last invalid response was.", ("endpoint", "kind"), ages),
    ]
