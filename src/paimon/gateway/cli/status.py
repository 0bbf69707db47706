"""`paimon status`: show the state of the system on one screen."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

import typer
from redis.exceptions import RedisError

from paimon.application.common.formatting import display
from paimon.application.event_listener.fetch.queries import BlockSpan, ProofSummary, read_proof_summary
from paimon.application.event_listener.ingest.chain_behind import find_chain_behind
from paimon.application.event_listener.ingest.halt import find_halt
from paimon.application.event_listener.ingest.queries import measure_block_time
from paimon.application.event_listener.record.queries import ProcessingStats, read_recent_processing
from paimon.application.monitoring.chain import ChainHeads, read_chain_heads
from paimon.application.monitoring.figures import (
    LastReconciliation,
    LeaseFigures,
    QueueDepth,
    SystemFigures,
)
from paimon.application.monitoring.queries import query_figures
from paimon.application.monitoring.store import RetentionRun, list_retention_runs
from paimon.application.nav.store import NavPoint, find_newest_nav_point
from paimon.application.transactions.queries import list_wallets
from paimon.composition import AppContext, open_app_context, require_ready
from paimon.domain.chain.range_proof import RangeProof
from paimon.domain.risk.nav_publication import NavStatus
from paimon.domain.risk.risk_event import RiskEvent
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.tx import wallet_line
from paimon.infrastructure.blockchain.rpc.endpoint_selection import EndpointReport
from paimon.infrastructure.cache import endpoints
from paimon.infrastructure.keys.client import SignerUnavailable
from paimon.infrastructure.timeseries.apply import find_edition
from paimon.settings import Settings, load_settings

app = CommandApp()

_RECENT: Final = timedelta(minutes=5)


@app.command()
def status(context: typer.Context) -> None:
    """Show blocks, endpoints, leases, queue, wallets, NAV and the last reconciliation."""
    with exit_on_error():
        for name, value in asyncio.run(_status(load_settings(context.obj))).items():
            print(f"{name:<26} {value}")


async def _status(settings: Settings) -> dict[str, Any]:
    async with open_app_context(settings, process="status") as app_context:
        await require_ready(app_context)
        heads = await read_chain_heads(app_context.rpc, app_context.chain)
        async with app_context.database.read() as session:
            figures = await query_figures(session)
            nav_point = await find_newest_nav_point(session)
            processing = await read_recent_processing(session, _RECENT)
            proof = await read_proof_summary(session)
            block_time = await measure_block_time(session)
            halt = await find_halt(session)
            chain_behind = await find_chain_behind(session)
            edition = await find_edition(session)
            retention_runs = await list_retention_runs(session)
            wallets = await list_wallets(session)
        return {
            "chain": f"{settings.chain.chain_id} at {app_context.rpc.endpoint}",
            **await _endpoints(app_context),
            "head / final": _heads(heads),
            "recorded": _recorded(figures, heads),
            **_listener_warnings(halt, chain_behind),
            "block time": str(block_time) if block_time else "not measured yet",
            "processing": _processing(processing),
            **_proof(proof),
            **{f"lease {lease.name}": _lease(lease) for lease in figures.leases.values()},
            **{f"outbox {queue.priority}": _depth(queue) for queue in figures.outbox if queue.depth},
            "outbox": f"{figures.depth} due, {figures.dead_lettered} dead-lettered (paimon outbox dead-letters)",
            "quarantine": f"{figures.quarantined} logs quarantined, {figures.skipped} skipped (paimon quarantine)",
            "risk events": ", ".join(f"{count} {severity.lower()}" for severity, count in figures.risk.items()),
            "open intents": sum(figures.intents.values()),
            "overdue tickets": figures.tickets_overdue,
            **{
                f"wallet {wallet.name}": wallet_line(wallet, settings.sending.low_balance_wei, figures.now)
                for wallet in wallets
            },
            "signer": await _signer(app_context),
            "official NAV": _official_nav(nav_point),
            "reconciliation": _reconciliation(figures.reconciliation),
            "time series": edition.value,
            **_retention(retention_runs),
        }


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


async def _endpoints(app_context: AppContext) -> dict[str, str]:
    """Show the endpoints as the listener reports them; this process has hardly asked them anything."""
    try:
        reports = await endpoints.load_endpoint_states(app_context.redis)
    except RedisError as error:
        return {"endpoints": f"unknown, Redis does not answer: {type(error).__name__}"}
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


def _recorded(figures: SystemFigures, heads: ChainHeads) -> str:
    if (recorded := figures.recorded) is None:
        return "nothing yet"
    seconds = max((heads.final.timestamp - recorded.timestamp).total_seconds(), 0)
    return f"{recorded.number} ({max(heads.final.number - recorded.number, 0)} blocks, {seconds:g} s behind final)"


def _lease(lease: LeaseFigures) -> str:
    return f"{lease.owner}, epoch {lease.epoch}{'' if lease.held else ', EXPIRED'}"


def _depth(queue: QueueDepth) -> str:
    return f"{queue.depth} due, the oldest for {queue.age_seconds:.0f} s"


async def _signer(app_context: AppContext) -> str:
    try:
        health = await app_context.signer.health()
    except SignerUnavailable as error:
        return f"DOWN: {error}"
    return f"serves {', '.join(key['name'] for key in health['keys'])}"
