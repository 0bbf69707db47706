"""`paimon status`: show the state of the system on one screen, also while a part of it is away."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import typer

from paimon.application.common.formatting import display
from paimon.application.event_listener.fetch.queries import BlockSpan, ProofSummary
from paimon.application.event_listener.record.queries import ProcessingStats, read_recent_processing
from paimon.application.monitoring.chain import ChainHeads
from paimon.application.monitoring.component_health import DatabaseFacts, ProbeFailure
from paimon.application.monitoring.figures import LastReconciliation, LeaseFigures, QueueDepth, SystemFigures
from paimon.application.monitoring.health import HealthReport, Probed, check_health
from paimon.application.monitoring.queries import DatabaseError
from paimon.application.monitoring.store import RetentionRun, SignerCheck, list_retention_runs
from paimon.application.nav.store import NavPoint, find_newest_nav_point
from paimon.composition import AppContext, open_app_context
from paimon.domain.chain.range_proof import RangeProof
from paimon.domain.operations.health import HealthStatus
from paimon.domain.risk.nav_publication import NavStatus
from paimon.domain.risk.risk_event import RiskEvent
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.wallet_line import wallet_line
from paimon.gateway.rest.views.system import HealthView
from paimon.infrastructure.blockchain.rpc.endpoint_selection import EndpointReport
from paimon.infrastructure.database import version
from paimon.infrastructure.observability.logging import configure_logging
from paimon.infrastructure.timeseries.apply import Edition, find_edition
from paimon.settings import Settings, load_settings

app = CommandApp()

_RECENT: Final = timedelta(minutes=5)

_SETTINGS: Final = {
    "database": "PAIMON_DATABASE__URL",
    "redis": "PAIMON_REDIS__URL",
    "node": "PAIMON_CHAIN__RPC_URL",
}
"""The setting that says where a service is, for those that do not answer."""


@dataclass(frozen=True, slots=True)
class Records:
    """What only this command reads of the database, beside the health report."""

    nav_point: NavPoint | None
    processing: ProcessingStats
    edition: Edition
    retention_runs: Sequence[RetentionRun]


@app.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what works and what does not: services, processes, queues, wallets, NAV.

    The first line is the verdict. A service that does not answer takes only its own figures from the screen. Exit with 1 when
    any component is not OK.
    """
    with exit_on_error():
        settings = load_settings(context.obj)
        configure_logging(process="status", level="error", json_lines=False)  # what is away is on the screen
        report, records = asyncio.run(_read_status(settings))
    if as_json:
        print_json({**json_of(HealthView.of(report)), "errors": dict(report.probed.errors)})
    else:
        print("\n".join(_screen(settings, report, records)))
    raise typer.Exit(0 if report.status is HealthStatus.OK else 1)


async def _read_status(settings: Settings) -> tuple[HealthReport, Records | None]:
    """Raises the errors of `version.require_current`: figures of another version's tables cannot be read."""
    async with open_app_context(settings, process="status") as app_context:
        limits = settings.health
        await _require_current_if_available(app_context, timeout_seconds=limits.check_timeout_seconds)
        report = await check_health(
            database=app_context.database,
            redis=app_context.redis,
            rpc=app_context.rpc,
            chain=app_context.chain,
            wallets=tuple(settings.sending.sending_keys()),
            limits=limits,
            low_balance_wei=settings.sending.low_balance_wei,
        )
        if isinstance(report.probed.facts, ProbeFailure):
            return report, None
        return report, await _read_records(app_context, timeout_seconds=limits.check_timeout_seconds)


async def _require_current_if_available(app_context: AppContext, *, timeout_seconds: float) -> None:
    with suppress(DatabaseError, TimeoutError):
        async with asyncio.timeout(timeout_seconds):
            await version.require_current(app_context.database.engine)


async def _read_records(app_context: AppContext, *, timeout_seconds: float) -> Records | None:
    with suppress(DatabaseError, TimeoutError):
        async with asyncio.timeout(timeout_seconds), app_context.database.read() as session:
            return Records(
                nav_point=await find_newest_nav_point(session),
                processing=await read_recent_processing(session, _RECENT),
                edition=await find_edition(session),
                retention_runs=await list_retention_runs(session),
            )
    return None


def _screen(settings: Settings, report: HealthReport, records: Records | None) -> Iterator[str]:
    yield _verdict(report)
    yield ""
    for component in report.components:
        yield f"{component.name:<14} {component.status:<9} {component.summary}"
        if (error := report.probed.errors.get(component.name)) is not None:
            yield f"{'':<24} {error} ({_SETTINGS[component.name]})"
    yield ""
    for name, value in _details(settings, report.probed, records).items():
        yield f"{name:<26} {value}"


def _verdict(report: HealthReport) -> str:
    if not (problems := [component.name for component in report.components if component.status is not HealthStatus.OK]):
        return f"{report.status}: every component works"
    return f"{report.status}: {len(problems)} of {len(report.components)} components need attention: {', '.join(problems)}"


def _details(settings: Settings, probed: Probed, records: Records | None) -> dict[str, Any]:
    """Return the rows below the components, without those whose service does not answer."""
    rows: dict[str, Any] = {"chain": settings.chain.chain_id, **_endpoints(probed.endpoint_states)}
    heads, facts = probed.chain_heads, probed.facts
    if isinstance(heads, ChainHeads):
        rows["head / final"] = _heads(heads)
    if isinstance(facts, DatabaseFacts):
        rows |= _facts(settings, facts, heads)
    if records is not None:
        rows |= {
            "processing": _processing(records.processing),
            "official NAV": _official_nav(records.nav_point),
            "time series": records.edition.value,
            **_retention(records.retention_runs),
        }
    return rows


def _facts(settings: Settings, facts: DatabaseFacts, heads: ChainHeads | ProbeFailure) -> dict[str, Any]:
    figures = facts.figures
    return {
        "recorded": _recorded(figures, heads),
        **_listener_warnings(facts.halt, facts.chain_behind),
        "block time": str(facts.block_time) if facts.block_time else "not measured yet",
        **_proof(facts.proof),
        **{f"lease {lease.name}": _lease(lease) for lease in figures.leases.values()},
        **{f"outbox {queue.priority}": _depth(queue) for queue in figures.outbox if queue.depth},
        "outbox": f"{figures.depth} due, {figures.dead_lettered} dead-lettered (paimon outbox dead-letters)",
        "quarantine": f"{figures.quarantined} logs quarantined, {figures.skipped} skipped (paimon quarantine)",
        "risk events": ", ".join(f"{count} {severity.lower()}" for severity, count in figures.risk.items()),
        "open intents": sum(figures.intents.values()),
        "overdue tickets": figures.tickets_overdue,
        **{
            f"wallet {wallet.name}": wallet_line(wallet, settings.sending.low_balance_wei, figures.now)
            for wallet in facts.wallets
        },
        "signer": _signer(facts.signer, figures.now),
        "reconciliation": _reconciliation(figures.reconciliation),
    }


def _signer(check: SignerCheck | None, now: datetime) -> str:
    if check is None:
        return "unknown, no worker has asked it yet"
    asked = f"asked by the worker {(now - check.checked_at).total_seconds():.0f} s ago"
    if check.failure is not None:
        return f"{check.failure} ({asked})"
    return f"serves {', '.join(key['name'] for key in check.keys)} ({asked})"


def _heads(heads: ChainHeads) -> str:
    return f"{heads.head.number} / {heads.final.number} ({heads.finality_lag_seconds:g} s behind the head)"


def _listener_warnings(halt: RiskEvent | None, chain_behind: RiskEvent | None) -> dict[str, str]:
    lines = {}
    if halt is not None:
        lines["LISTENER HALTED"] = f"{halt.finding.observed}, is {halt.finding.expected}: paimon recover"
    if chain_behind is not None:
        lines["LISTENER WAITING"] = f"no node has {chain_behind.finding.expected}, the last recorded"
    return lines


def _official_nav(point: NavPoint | None) -> str:
    if point is None:
        return "none yet"
    if point.status is NavStatus.WITHHELD:
        return f"WITHHELD at block {point.block_number}: {point.withheld_reason}"
    return f"{display(point.nav_per_share, 18)} at block {point.block_number}"


def _reconciliation(last: LastReconciliation | None) -> str:
    return "none yet" if last is None else f"{last.discrepancies} discrepancies at block {last.block}"


def _processing(recent: ProcessingStats) -> str:
    minutes = _RECENT / timedelta(minutes=1)
    if not recent.batches:
        return f"nothing recorded in {minutes:g} min"
    return (
        f"{recent.blocks / _RECENT.total_seconds():.2f} blocks/s and {recent.logs} logs in {minutes:g} min,"
        f" {recent.record_ms_mean:.1f} ms a batch, at most {recent.lag_blocks_max} blocks behind final"
    )


def _proof(proof: ProofSummary) -> dict[str, str]:
    """Show the newest and the weakest proof, the blocks of each level, and every endpoint's invalid responses."""
    lines = {"proof": "none yet" if proof.newest is None else _proven(proof.newest)}
    if proof.weakest is not None and proof.weakest != proof.newest:
        lines["  weakest"] = _proven(proof.weakest)
        lines["  reconciled"] = f"at block {proof.reconciled_block}" if proof.reconciled_block else "not yet"
        lines |= {f"  {level}": _span(span) for level, span in proof.levels.items()}
    if (unproven := proof.unproven) is not None:
        lines["  without proof"] = f"{_span(unproven)}; see paimon audit-chain"
    for fault in proof.faults:
        lines[f"  INVALID RESPONSES {fault.endpoint}"] = (
            f"{fault.kind}, {fault.occurrences} times, last in block {fault.last_block}"
        )
    return lines


def _proven(proof: RangeProof) -> str:
    return f"{proof.level} for blocks {proof.first} to {proof.last}: {proof.level.description}"


def _span(span: BlockSpan) -> str:
    return f"{span.blocks} blocks, from {span.first} to {span.last}"


def _endpoints(reports: Sequence[EndpointReport] | ProbeFailure) -> dict[str, str]:
    """Show the endpoints as the listener reports them; this process has hardly asked them anything."""
    if isinstance(reports, ProbeFailure):
        return {"endpoints": "unknown while Redis does not answer"}
    if not reports:
        return {"endpoints": "unknown, no listener reports them"}
    return {f"endpoint {report.name}": _endpoint(report) for report in reports}


def _endpoint(report: EndpointReport) -> str:
    condition = "" if report.is_healthy else f"SUSPENDED ({report.breaker})"
    if report.serves_our_chain is False:
        condition = "SERVES ANOTHER CHAIN"
    head = "head unknown" if report.head is None else f"head {report.head}"
    latency = "not asked yet" if report.latency_seconds is None else f"{report.latency_seconds * 1000:.0f} ms"
    parts = (condition, head, latency, f"{report.error_rate:.1%} errors", "/".join(report.uses))
    return ", ".join(part for part in parts if part)


def _retention(runs: Iterable[RetentionRun]) -> dict[str, str]:
    return {
        f"  {run.series}": f"kept from {run.retention_start:%Y-%m-%d}, {run.rows_removed} rows removed"
        f"{'' if run.complete else ', MORE ARE DUE'} (last run {run.ran_at:%Y-%m-%d %H:%M} UTC)"
        for run in runs
    }


def _recorded(figures: SystemFigures, heads: ChainHeads | ProbeFailure) -> str:
    if (recorded := figures.recorded) is None:
        return "nothing yet"
    if isinstance(heads, ProbeFailure):
        return str(recorded.number)
    seconds = max((heads.final.timestamp - recorded.timestamp).total_seconds(), 0)
    return f"{recorded.number} ({max(heads.final.number - recorded.number, 0)} blocks, {seconds:g} s behind final)"


def _lease(lease: LeaseFigures) -> str:
    return f"{lease.owner}, epoch {lease.epoch}{'' if lease.held else ', EXPIRED'}"


def _depth(queue: QueueDepth) -> str:
    return f"{queue.depth} due, the oldest for {queue.age_seconds:.0f} s"
