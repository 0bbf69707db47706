"""Figures and the look at the chain as metrics: a table of gauges, and nothing for what is not known.

The same figures come from every process that is asked, so that they survive the death of any one; whoever adds them up takes
the largest, not the sum.
"""

from collections.abc import Iterable, Sequence

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from paimon.application.event_listener.fetch.queries import ProofSummary
from paimon.application.monitoring.chain import ChainHeads
from paimon.application.monitoring.figures import SystemFigures
from paimon.infrastructure.blockchain.rpc.endpoint_selection import EndpointReport
from paimon.settings import LowBalanceSettings

Sample = tuple[tuple[str, ...], float]
"""Values of the labels, and the value."""


def _gauge(name: str, help_text: str, labels: Sequence[str], samples: Iterable[Sample]) -> Metric:
    family = GaugeMetricFamily(f"paimon_{name}", help_text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _single_gauge(name: str, help_text: str, value: float) -> Metric:
    return _gauge(name, help_text, (), [((), value)])


def up_families(*, database: bool, node: bool) -> list[Metric]:
    """Whether what the rest is read from answered; without it the rest is absent, not zero."""
    return [
        _single_gauge("database_up", "1 if the database answered this scrape in time.", database),
        _single_gauge("node_up", "1 if the chain's node answered this scrape in time.", node),
    ]


def chain_families(chain_heads: ChainHeads) -> list[Metric]:
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
    wallets = figures.wallets
    seen = [each for each in wallets if each.balance_wei is not None and each.seen_seconds_ago is not None]
    return [
        *_recorded_families(figures),
        _gauge(
            "lease_held",
            "1 while the lease is held, by the holder named.",
            ("lease", "holder"),
            [((each.name, each.owner), each.held) for each in figures.leases.values()],
        ),
        _gauge(
            "lease_epoch",
            "Grows with each new holder of the lease.",
            ("lease",),
            [((each.name,), each.epoch) for each in figures.leases.values()],
        ),
        _gauge(
            "outbox_depth",
            "Reactions that are not done and not given up.",
            ("priority",),
            [((each.priority.value,), each.depth) for each in figures.outbox],
        ),
        _gauge(
            "outbox_oldest_age_seconds",
            "For how long the oldest reaction that may run has been waiting.",
            ("priority",),
            [((each.priority.value,), each.age_seconds) for each in figures.outbox],
        ),
        _single_gauge("outbox_dead_lettered", "Reactions that were given up and wait for a person.", figures.dead_lettered),
        _single_gauge("quarantined_logs", "Logs that could not be read or applied and wait for a person.", figures.quarantined),
        _single_gauge("skipped_logs", "Logs that are left out by a person's decision.", figures.skipped),
        _gauge(
            "risk_events_unresolved",
            "Risk events that are not resolved.",
            ("severity",),
            [((severity.value,), count) for severity, count in figures.risk.items()],
        ),
        _gauge(
            "intents_open",
            "Transactions this house set out to send and that have not ended.",
            ("status",),
            [((status.value,), count) for status, count in figures.intents.items()],
        ),
        _gauge(
            "wallet_fault",
            "1 while a sending key is in trouble that only a person clears.",
            ("wallet",),
            [((each.name,), each.has_fault) for each in wallets],
        ),
        _gauge(
            "wallet_balance_wei",
            "What a sending key had to pay for gas with when it was last looked at.",
            ("wallet",),
            [((each.name,), each.balance_wei or 0) for each in seen],
        ),
        _gauge(
            "wallet_low_balance_wei",
            "The least it should have.",
            ("wallet",),
            [((each.name,), low_balance_wei.for_wallet(each.name)) for each in wallets],
        ),
        _gauge(
            "wallet_seen_age_seconds",
            "How long ago it was last looked at.",
            ("wallet",),
            [((each.name,), each.seen_seconds_ago or 0) for each in seen],
        ),
        _single_gauge(
            "tickets_overdue", "Approval tickets that are past their deadline and undecided.", figures.tickets_overdue
        ),
    ]


def _recorded_families(figures: SystemFigures) -> list[Metric]:
    found = []
    if (recorded := figures.recorded) is not None:
        found.append(_single_gauge("listener_processed_block", "Number of the last block in the books.", recorded.number))
    if (last := figures.reconciliation) is not None:
        found.append(
            _single_gauge(
                "reconciliation_breaks", "Figures that differed when books and chain were last compared.", last.discrepancies
            )
        )
        found.append(
            _single_gauge("reconciliation_age_seconds", "How long ago books and chain were last compared.", last.seconds_ago)
        )
    return found


def lag_families(figures: SystemFigures, chain_heads: ChainHeads) -> list[Metric]:
    """Chain time against chain time; nothing before the first recorded block."""
    if (recorded := figures.recorded) is None:
        return []
    seconds = max((chain_heads.final.timestamp - recorded.timestamp).total_seconds(), 0.0)
    return [
        _single_gauge(
            "listener_lag_blocks",
            "Final blocks that are not in the books yet.",
            max(chain_heads.final.number - recorded.number, 0),
        ),
        _single_gauge("listener_lag_seconds", "Chain time between the last block in the books and the final one.", seconds),
    ]


def endpoint_families(endpoints: Sequence[EndpointReport]) -> list[Metric]:
    """How this process finds each endpoint of its pool."""
    label = ("endpoint",)
    up = [((each.name,), each.is_healthy) for each in endpoints]
    heads = [((each.name,), each.head) for each in endpoints if each.head is not None]
    errors = [((each.name,), each.error_rate) for each in endpoints]
    latencies = [((each.name,), each.latency_seconds) for each in endpoints if each.latency_seconds is not None]
    return [
        _gauge("rpc_endpoint_up", "1 while this endpoint is asked: it answers, and serves our chain.", label, up),
        _gauge("rpc_endpoint_head_block", "The latest block it was heard of.", label, heads),
        _gauge("rpc_endpoint_latency_seconds", "How long its answers take.", label, latencies),
        _gauge("rpc_endpoint_error_ratio", "Part of its answers that fail.", label, errors),
    ]


def proof_families(standing: ProofSummary) -> list[Metric]:
    """How strongly it is proven that no log is missing: 0 nothing, 1 chained, 2 agreed by two, 3 by receipts."""
    ranges = {"newest": standing.newest, "weakest": standing.weakest}
    levels = [((name,), each.level.rank) for name, each in ranges.items() if each is not None]
    fault_counts = CounterMetricFamily(
        "paimon_endpoint_faults", "Untrue answers an endpoint was caught at.", labels=("endpoint", "kind")
    )
    for each in standing.faults:
        fault_counts.add_metric((each.endpoint, each.kind.value), each.occurrences)
    ages = [((each.endpoint, each.kind.value), each.seconds_ago) for each in standing.faults]
    return [
        _gauge(
            "proof_level", "0 none, 1 chained, 2 agreed, 3 receipts; of the newest and the weakest range.", ("range",), levels
        ),
        _single_gauge(
            "unproven_blocks", "Blocks recorded before proofs were kept.", standing.unproven.blocks if standing.unproven else 0
        ),
        fault_counts,
        _gauge("endpoint_fault_age_seconds", "How long ago it was last caught at one.", ("endpoint", "kind"), ages),
    ]
