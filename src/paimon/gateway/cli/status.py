"""`paimon status`: how the house stands, for the person who was woken up."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

import typer
from sqlalchemy import select, text

from paimon.application.books.overview import display, newest_point
from paimon.application.event_listener.halt import find_halt
from paimon.application.event_listener.pace import measured_pace
from paimon.application.event_listener.processing import Processed, processed_lately
from paimon.application.event_listener.proofs import ProofStanding, proof_standing
from paimon.application.transactions.queries import list_wallets
from paimon.composition import House, open_house, require_ready
from paimon.domain.proof import RangeProof
from paimon.gateway.cli.desk import wallet_line
from paimon.gateway.cli.process import explained
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import Cursor
from paimon.infrastructure.database.models.nav import NavPoint, NavStatus
from paimon.infrastructure.database.models.operating import RetentionRun
from paimon.infrastructure.database.models.owned import BookCheck
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
        final = await house.chain.final_block(house.rpc)
        head = int(await house.rpc.call("eth_blockNumber", []), 16)
        async with house.database.read() as session:
            cursor = (await session.execute(select(Cursor))).scalar_one_or_none()
            check = (
                await session.scalars(select(BookCheck).where(~BookCheck.orphaned).order_by(BookCheck.id.desc()).limit(1))
            ).one_or_none()
            nav = await newest_point(session)
            processed = await processed_lately(session, _LATELY)
            proof = await proof_standing(session)
            pace = await measured_pace(session)
            halted = await find_halt(session)
            edition = await find_edition(session)
            removed = (await session.scalars(select(RetentionRun).order_by(RetentionRun.series))).all()
            rows: dict[str, Any] = dict((await session.execute(_COUNTS)).mappings().one())
            leases = (await session.execute(_LEASES)).all()
            wallets = await list_wallets(session)
            now = await database_now(session)
        return {
            "chain": f"{settings.chain.chain_id} at {house.rpc.endpoint}",
            "head / final": f"{head} / {final.number}",
            "recorded": f"{cursor.number} ({final.number - cursor.number} behind final)" if cursor else "nothing yet",
            **({"LISTENER HALTED": f"{halted.found.observed}, is {halted.found.expected}: paimon recover"} if halted else {}),
            "block time": str(pace) if pace else "not measured yet",
            "processing": _processing(processed),
            **_proof(proof),
            **{f"lease {name}": f"{owner}, epoch {epoch}{'' if held else ', EXPIRED'}" for name, owner, epoch, held in leases},
            "outbox": f"{rows['due']} due, {rows['dead']} dead-lettered",
            "quarantined logs": rows["quarantined"],
            "open intents": rows["intents"],
            "open tickets": rows["tickets"],
            **{f"wallet {each.name}": wallet_line(each, settings.sending.low_balance_wei, now) for each in wallets},
            "signer": await _signer(house),
            "official NAV": _official(nav),
            "books": f"{len(check.differences)} differences at block {check.block_number}" if check else "not compared yet",
            "time series": edition.value,
            **_retention(removed),
        }


def _official(point: NavPoint | None) -> str:
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
    """Newest and weakest range with what their level means, and who was caught lying."""
    if standing.newest is None or standing.weakest is None:
        return {"proof": "none yet"}
    lines = {"proof": _proven(standing.newest)}
    if standing.weakest != standing.newest:
        lines["  weakest"] = _proven(standing.weakest)
        lines["  books equal the chain"] = f"at block {standing.compared_block}" if standing.compared_block else "not seen yet"
    if standing.unproven_blocks:
        lines["  without proof"] = f"{standing.unproven_blocks} blocks; see paimon audit-chain"
    for each in standing.lies:
        lines[f"  LIES {each.endpoint}"] = f"{each.lie}, {each.times} times, last in block {each.last_block}"
    return lines


def _proven(proof: RangeProof) -> str:
    return f"{proof.level} for blocks {proof.first} to {proof.last}: {proof.level.words}"


def _retention(runs: Iterable[RetentionRun]) -> dict[str, str]:
    return {
        f"  {run.series}": f"kept from {run.kept_from:%Y-%m-%d}, {run.rows_removed} rows removed"
        f"{'' if run.complete else ', MORE ARE DUE'} (looked {run.ran_at:%Y-%m-%d %H:%M} UTC)"
        for run in runs
    }


_COUNTS = text("""
    SELECT (SELECT count(*) FROM owned.outbox WHERE done_at IS NULL AND dead_at IS NULL) AS due,
           (SELECT count(*) FROM owned.outbox WHERE dead_at IS NOT NULL) AS dead,
           (SELECT count(*) FROM derived.raw_logs WHERE status = 'quarantined') AS quarantined,
           (SELECT count(*) FROM owned.transaction_intents WHERE closed_at IS NULL) AS intents,
           (SELECT count(*) FROM owned.approval_tickets WHERE closed_at IS NULL) AS tickets
""")
_LEASES = text("SELECT name, owner, epoch, expires_at > now() FROM owned.leases ORDER BY name")


async def _signer(house: House) -> str:
    try:
        health = await house.signer.health()
    except SignerUnavailable as error:
        return f"DOWN: {error}"
    return f"serves {', '.join(key['name'] for key in health['keys'])}"
