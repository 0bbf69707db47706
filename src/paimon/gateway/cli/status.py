"""`paimon status`: how the house stands, for the person who was woken up."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

import typer
from redis.exceptions import RedisError
from sqlalchemy import select

from paimon.application.common.formatting import display
from paimon.application.event_listener.fetch.range_proofs import ProofStanding, Span, proof_standing
from paimon.application.event_listener.ingest.block_time import measured_pace
from paimon.application.event_listener.ingest.chain_behind import find_behind
from paimon.application.event_listener.ingest.halt import find_halt
from paimon.application.event_listener.record.batch_log import Processed, processed_lately
from paimon.application.monitoring.chain import ChainLook, look_at_chain
from paimon.application.monitoring.figures import Figures, LeaseMark, QueueDepth, figures_in
from paimon.application.nav.overview import newest_point
from paimon.application.transactions.queries import list_wallets
from paimon.composition import House, open_house, require_ready
from paimon.domain.chain.range_proof import RangeProof
from paimon.gateway.cli.process import explained
from paimon.gateway.cli.tx import wallet_line
from paimon.infrastructure.blockchain.rpc import EndpointState
from paimon.infrastructure.cache import endpoints
from paimon.infrastructure.database.models.ops.nav import NavPointRow, NavStatus
from paimon.infrastructure.database.models.ops.reconciliation import ReconciliationRow
from paimon.infrastructure.database.models.ops.retention import RetentionRunRow
from paimon.infrastructure.keys.client import SignerUnavailable
from paimon.infrastructure.timeseries.apply import find_edition
from paimon.settings import Settings, load_settings

app = typer.Typer()

_LATELY: Final = timedelta(minutes=5)


@app.command()
def status(context: typer.Context) -> None:
    """Head, final and recorded block, leases, queue, wallets and the last comparison of the books."""
    with explained():
        for name, value in asyncio.run(_status(load_settings(context.obj))).items():
            print(f"{name:<26} {value}")


async def _status(settings: Settings) -> dict[str, Any]:
    async with open_house(settings, process="status") as house:
        await require_ready(house)
        look = await look_at_chain(house.rpc, house.chain)
        async with house.database.read() as session:
            figures = await figures_in(session)
            check = (
                await session.scalars(
                    select(ReconciliationRow).where(~ReconciliationRow.orphaned).order_by(ReconciliationRow.id.desc()).limit(1)
                )
            ).one_or_none()
            nav = await newest_point(session)
            processed = await processed_lately(session, _LATELY)
            proof = await proof_standing(session)
            pace = await measured_pace(session)
            halted = await find_halt(session)
            behind = await find_behind(session)
            edition = await find_edition(session)
            removed = (await session.scalars(select(RetentionRunRow).order_by(RetentionRunRow.series))).all()
            wallets = await list_wallets(session)
        return {
            "chain": f"{settings.chain.chain_id} at {house.rpc.endpoint}",
            **await _endpoints(house),
            "head / final": f"{look.head.number} / {look.final.number} ({look.finality_lag_seconds:g} s behind the head)",
            "recorded": _recorded(figures, look),
            **({"LISTENER HALTED": f"{halted.found.observed}, is {halted.found.expected}: paimon recover"} if halted else {}),
            **({"LISTENER WAITS": f"no node has {behind.found.expected}, the last in the books"} if behind else {}),
            "block time": str(pace) if pace else "not measured yet",
            "processing": _processing(processed),
            **_proof(proof),
            **{f"lease {each.name}": _lease(each) for each in figures.leases.values()},
            **{f"outbox {each.priority}": _depth(each) for each in figures.outbox if each.depth},
            "outbox": f"{figures.depth} due, {figures.dead} given up (paimon outbox dead)",
            "quarantine": f"{figures.quarantined} logs wait for a person, {figures.skipped} left out (paimon quarantine)",
            "risk events": ", ".join(f"{count} {severity.lower()}" for severity, count in figures.risk.items()),
            "open intents": sum(figures.intents.values()),
            "overdue tickets": figures.tickets_overdue,
            **{f"wallet {each.name}": wallet_line(each, settings.sending.low_balance_wei, figures.now) for each in wallets},
            "signer": await _signer(house),
            "official NAV": _official(nav),
            "books": f"{len(check.differences)} differences at block {check.block_number}" if check else "not compared yet",
            "time series": edition.value,
            **_retention(removed),
        }


def _official(point: NavPointRow | None) -> str:
    if point is None:
        return "none yet"
    if point.status is NavStatus.WITHHELD:
        return f"WITHHELD at block {point.block_number}: {point.withheld_reason}"
    return f"{display(point.nav_per_share, 18)} at block {point.block_number}"


def _processing(lately: Processed) -> str:
    minutes = _LATELY / timedelta(minutes=1)
    if not lately.batches:
        return f"nothing recorded in {minutes:g} min"
    return (
        f"{lately.blocks / _LATELY.total_seconds():.2f} blocks/s and {lately.logs} logs in {minutes:g} min,"
        f" {lately.record_ms_mean:.1f} ms a batch, at most {lately.behind_blocks_max} blocks behind final"
    )


def _proof(standing: ProofStanding) -> dict[str, str]:
    """Newest and weakest range with what their level means, which blocks have which, and who was caught lying."""
    lines = {"proof": "none yet" if standing.newest is None else _proven(standing.newest)}
    if standing.weakest is not None and standing.weakest != standing.newest:
        lines["  weakest"] = _proven(standing.weakest)
        lines["  books equal the chain"] = f"at block {standing.compared_block}" if standing.compared_block else "not seen yet"
        lines |= {f"  {level}": _span(span) for level, span in standing.levels.items()}
    if (unproven := standing.unproven) is not None:
        lines["  without proof"] = f"{_span(unproven)}; see paimon audit-chain"
    for each in standing.lies:
        lines[f"  LIES {each.endpoint}"] = f"{each.lie}, {each.times} times, last in block {each.last_block}"
    return lines


def _proven(proof: RangeProof) -> str:
    return f"{proof.level} for blocks {proof.first} to {proof.last}: {proof.level.words}"


def _span(span: Span) -> str:
    return f"{span.blocks} blocks, from {span.first} to {span.last}"


async def _endpoints(house: House) -> dict[str, str]:
    """Each as the listener finds it; this process has only just begun to ask."""
    try:
        told = await endpoints.found(house.redis)
    except RedisError as error:
        return {"endpoints": f"unknown, Redis does not answer: {type(error).__name__}"}
    if not told:
        return {"endpoints": "no listener tells of them"}
    return {f"endpoint {each.name}": _endpoint(each) for each in told}


def _endpoint(state: EndpointState) -> str:
    latency = "not asked yet" if state.latency_seconds is None else f"{state.latency_seconds * 1000:.0f} ms"
    stands = "" if state.is_well else f"RESTS ({state.breaker})"
    if state.serves_our_chain is False:
        stands = "SERVES ANOTHER CHAIN"
    head = "head unknown" if state.head is None else f"head {state.head}"
    return ", ".join(each for each in (stands, head, latency, f"{state.error_rate:.1%} errors", "/".join(state.uses)) if each)


def _retention(runs: Iterable[RetentionRunRow]) -> dict[str, str]:
    return {
        f"  {run.series}": f"kept from {run.kept_from:%Y-%m-%d}, {run.rows_removed} rows removed"
        f"{'' if run.complete else ', MORE ARE DUE'} (looked {run.ran_at:%Y-%m-%d %H:%M} UTC)"
        for run in runs
    }


def _recorded(figures: Figures, look: ChainLook) -> str:
    if (recorded := figures.recorded) is None:
        return "nothing yet"
    seconds = max((look.final.timestamp - recorded.timestamp).total_seconds(), 0)
    return f"{recorded.number} ({max(look.final.number - recorded.number, 0)} blocks, {seconds:g} s behind final)"


def _lease(lease: LeaseMark) -> str:
    return f"{lease.owner}, epoch {lease.epoch}{'' if lease.held else ', EXPIRED'}"


def _depth(queue: QueueDepth) -> str:
    return f"{queue.depth} due, the oldest for {queue.age_seconds:.0f} s"


async def _signer(house: House) -> str:
    try:
        health = await house.signer.health()
    except SignerUnavailable as error:
        return f"DOWN: {error}"
    return f"serves {', '.join(key['name'] for key in health['keys'])}"
