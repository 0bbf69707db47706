"""`paimon status`: how the house stands, for the person who was woken up."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

import typer
from redis.exceptions import RedisError
from sqlalchemy import select

from paimon.application.common.formatting import display
from paimon.application.event_listener.fetch.range_proofs import BlockSpan, ProofSummary, read_proof_summary
from paimon.application.event_listener.ingest.block_time import measure_block_time
from paimon.application.event_listener.ingest.chain_behind import find_chain_behind
from paimon.application.event_listener.ingest.halt import find_halt
from paimon.application.event_listener.record.batch_log import ProcessingStats, read_recent_processing
from paimon.application.monitoring.chain import ChainHeads, read_chain_heads
from paimon.application.monitoring.figures import LeaseFigures, QueueDepth, SystemFigures, query_figures
from paimon.application.nav.overview import find_newest_nav_point
from paimon.application.transactions.queries import list_wallets
from paimon.composition import AppContext, open_app_context, require_ready
from paimon.domain.chain.range_proof import RangeProof
from paimon.domain.risk.nav_publication import NavStatus
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.tx import wallet_line
from paimon.infrastructure.blockchain.rpc.endpoint_selection import EndpointReport
from paimon.infrastructure.cache import endpoints
from paimon.infrastructure.database.models.ops.nav import NavPointRow
from paimon.infrastructure.database.models.ops.reconciliation import ReconciliationRow
from paimon.infrastructure.database.models.ops.retention import RetentionRunRow
from paimon.infrastructure.keys.client import SignerUnavailable
from paimon.infrastructure.timeseries.apply import find_edition
from paimon.settings import Settings, load_settings

app = typer.Typer()

_RECENT: Final = timedelta(minutes=5)


@app.command()
def status(context: typer.Context) -> None:
    """Head, final and recorded block, leases, queue, wallets and the last comparison of the books."""
    with exit_on_error():
        for name, value in asyncio.run(_status(load_settings(context.obj))).items():
            print(f"{name:<26} {value}")


async def _status(settings: Settings) -> dict[str, Any]:
    async with open_app_context(settings, process="status") as app_context:
        await require_ready(app_context)
        chain_heads = await read_chain_heads(app_context.rpc, app_context.chain)
        async with app_context.database.read() as session:
            figures = await query_figures(session)
            reconciliation = (
                await session.scalars(
                    select(ReconciliationRow).where(~ReconciliationRow.orphaned).order_by(ReconciliationRow.id.desc()).limit(1)
                )
            ).one_or_none()
            nav = await find_newest_nav_point(session)
            processed = await read_recent_processing(session, _RECENT)
            proof = await read_proof_summary(session)
            block_time = await measure_block_time(session)
            halted = await find_halt(session)
            chain_behind = await find_chain_behind(session)
            edition = await find_edition(session)
            removed = (await session.scalars(select(RetentionRunRow).order_by(RetentionRunRow.series))).all()
            wallets = await list_wallets(session)
        return {
            "chain": f"{settings.chain.chain_id} at {app_context.rpc.endpoint}",
            **await _endpoints(app_context),
            "head / final": f"{chain_heads.head.number} / {chain_heads.final.number} ({chain_heads.finality_lag_seconds:g} s behind the head)",
            "recorded": _recorded(figures, chain_heads),
            **({"LISTENER HALTED": f"{halted.finding.observed}, is {halted.finding.expected}: paimon recover"} if halted else {}),
            **({"LISTENER WAITS": f"no node has {chain_behind.finding.expected}, the last in the books"} if chain_behind else {}),
            "block time": str(block_time) if block_time else "not measured yet",
            "processing": _processing(processed),
            **_proof(proof),
            **{f"lease {each.name}": _lease(each) for each in figures.leases.values()},
            **{f"outbox {each.priority}": _depth(each) for each in figures.outbox if each.depth},
            "outbox": f"{figures.depth} due, {figures.dead_lettered} given up (paimon outbox dead)",
            "quarantine": f"{figures.quarantined} logs wait for a person, {figures.skipped} left out (paimon quarantine)",
            "risk events": ", ".join(f"{count} {severity.lower()}" for severity, count in figures.risk.items()),
            "open intents": sum(figures.intents.values()),
            "overdue tickets": figures.tickets_overdue,
            **{f"wallet {each.name}": wallet_line(each, settings.sending.low_balance_wei, figures.now) for each in wallets},
            "signer": await _signer(app_context),
            "official NAV": _official(nav),
            "books": f"{len(reconciliation.discrepancies)} differences at block {reconciliation.block_number}"
            if reconciliation
            else "not compared yet",
            "time series": edition.value,
            **_retention(removed),
        }


def _official(point: NavPointRow | None) -> str:
    if point is None:
        return "none yet"
    if point.status is NavStatus.WITHHELD:
        return f"WITHHELD at block {point.block_number}: {point.withheld_reason}"
    return f"{display(point.nav_per_share, 18)} at block {point.block_number}"


def _processing(recent: ProcessingStats) -> str:
    minutes = _RECENT / timedelta(minutes=1)
    if not recent.batches:
        return f"nothing recorded in {minutes:g} min"
    return (
        f"{recent.blocks / _RECENT.total_seconds():.2f} blocks/s and {recent.logs} logs in {minutes:g} min,"
        f" {recent.record_ms_mean:.1f} ms a batch, at most {recent.lag_blocks_max} blocks behind final"
    )


def _proof(proof_status: ProofSummary) -> dict[str, str]:
    """Newest and weakest range with what their level means, which blocks have which, and who was caught lying."""
    lines = {"proof": "none yet" if proof_status.newest is None else _proven(proof_status.newest)}
    if proof_status.weakest is not None and proof_status.weakest != proof_status.newest:
        lines["  weakest"] = _proven(proof_status.weakest)
        lines["  books equal the chain"] = (
            f"at block {proof_status.reconciled_block}" if proof_status.reconciled_block else "not seen yet"
        )
        lines |= {f"  {level}": _span(span) for level, span in proof_status.levels.items()}
    if (unproven := proof_status.unproven) is not None:
        lines["  without proof"] = f"{_span(unproven)}; see paimon audit-chain"
    for each in proof_status.faults:
        lines[f"  LIES {each.endpoint}"] = f"{each.lie}, {each.occurrences} times, last in block {each.last_block}"
    return lines


def _proven(proof: RangeProof) -> str:
    return f"{proof.level} for blocks {proof.first} to {proof.last}: {proof.level.description}"


def _span(span: BlockSpan) -> str:
    return f"{span.blocks} blocks, from {span.first} to {span.last}"


async def _endpoints(app_context: AppContext) -> dict[str, str]:
    """Each as the listener finds it; this process has only just begun to ask."""
    try:
        endpoint_states = await endpoints.load_endpoint_states(app_context.redis)
    except RedisError as error:
        return {"endpoints": f"unknown, Redis does not answer: {type(error).__name__}"}
    if not endpoint_states:
        return {"endpoints": "no listener tells of them"}
    return {f"endpoint {each.name}": _endpoint(each) for each in endpoint_states}


def _endpoint(state: EndpointReport) -> str:
    latency = "not asked yet" if state.latency_seconds is None else f"{state.latency_seconds * 1000:.0f} ms"
    condition = "" if state.is_healthy else f"RESTS ({state.breaker})"
    if state.serves_our_chain is False:
        condition = "SERVES ANOTHER CHAIN"
    head = "head unknown" if state.head is None else f"head {state.head}"
    return ", ".join(
        each for each in (condition, head, latency, f"{state.error_rate:.1%} errors", "/".join(state.uses)) if each
    )


def _retention(runs: Iterable[RetentionRunRow]) -> dict[str, str]:
    return {
        f"  {run.series}": f"kept from {run.retention_start:%Y-%m-%d}, {run.rows_removed} rows removed"
        f"{'' if run.complete else ', MORE ARE DUE'} (looked {run.ran_at:%Y-%m-%d %H:%M} UTC)"
        for run in runs
    }


def _recorded(figures: SystemFigures, chain_heads: ChainHeads) -> str:
    if (recorded := figures.recorded) is None:
        return "nothing yet"
    seconds = max((chain_heads.final.timestamp - recorded.timestamp).total_seconds(), 0)
    return f"{recorded.number} ({max(chain_heads.final.number - recorded.number, 0)} blocks, {seconds:g} s behind final)"


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
