"""`paimon quarantine`: logs that could not be read or applied, and what becomes of them."""

import asyncio
from collections.abc import Iterator
from typing import Annotated

import typer

from paimon.application.quarantine.queries import UnappliedLog, get_unapplied_log, list_decisions_for, list_unapplied_logs
from paimon.application.quarantine.store import LogNotFound, LogPosition
from paimon.composition import open_app_context
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.risk.operator_decision import OperatorDecisionKind
from paimon.gateway.cli.operator_decisions import SHOWN_MAX, DecidedBy, Reason, decision_line, record_decision
from paimon.gateway.cli.process import exit_on_error, exit_with_message
from paimon.gateway.cli.text import pluralize
from paimon.infrastructure.database import version
from paimon.infrastructure.database.models.derived import LogStatus
from paimon.infrastructure.database.paging import PageRequest
from paimon.settings import Settings, load_settings

app = typer.Typer(help="Logs that could not be read or applied: list them, release or skip one.")

Block = Annotated[int, typer.Argument(metavar="BLOCK")]
Index = Annotated[int, typer.Argument(metavar="INDEX")]

_APPLIED_WHEN = "The next free worker carries it out; `paimon replay` does so at once."


@app.callback(invoke_without_command=True)
def quarantine(context: typer.Context) -> None:
    """Logs that could not be read or applied, and those that were left out."""
    if context.invoked_subcommand is None:
        with exit_on_error():
            print("\n".join(asyncio.run(_list(load_settings(context.obj)))))


@app.command("show")
def show(context: typer.Context, block: Block, index: Index) -> None:
    """One log with its bytes, and what was decided about it."""
    with exit_on_error():
        print("\n".join(asyncio.run(_show(load_settings(context.obj), LogPosition(block, index)))))


@app.command("release")
def release(context: typer.Context, block: Block, index: Index, by: DecidedBy, reason: Reason) -> None:
    """Have a log read and applied again, after the ABI or the code was mended."""
    _decide(context, OperatorDecisionKind.RELEASE_LOG, LogPosition(block, index), by, reason)


@app.command("skip")
def skip(context: typer.Context, block: Block, index: Index, by: DecidedBy, reason: Reason) -> None:
    """Leave a log out, now and in every replay, until it is released."""
    _decide(context, OperatorDecisionKind.SKIP_LOG, LogPosition(block, index), by, reason)


def _decide(context: typer.Context, kind: OperatorDecisionKind, place: LogPosition, by: str, reason: str) -> None:
    with exit_on_error():
        asyncio.run(record_decision(load_settings(context.obj), kind, place, by=by, reason=reason))
    print(f"written down: {kind} {place.block_number} {place.log_index}. {_APPLIED_WHEN}")


async def _list(settings: Settings) -> list[str]:
    async with open_app_context(settings, process="quarantine") as app_context:
        await version.require_current(app_context.database.engine)
        async with app_context.database.read() as session:
            found = await list_unapplied_logs(session, PageRequest(1, SHOWN_MAX), app_context.contracts.abis)
    title = f"{pluralize(found.total, 'log')} set aside" + (f", the newest {SHOWN_MAX}:" if found.total > SHOWN_MAX else "")
    return [title, *(line for each in found.items for line in _lines(each))]


async def _show(settings: Settings, place: LogPosition) -> list[str]:
    async with open_app_context(settings, process="quarantine") as app_context:
        await version.require_current(app_context.database.engine)
        async with app_context.database.read() as session:
            try:
                found = await get_unapplied_log(session, place, app_context.contracts.abis)
            except LogNotFound as error:
                exit_with_message(str(error))
            decided = await list_decisions_for(session, place)
    log = found.log
    return [
        *_lines(found),
        f"    of {checksum(log.address)} in transaction {hex0x(log.tx_hash)}",
        *(f"    topic {hex0x(each)}" for each in log.topics),
        f"    data {hex0x(log.data)}",
        *(decision_line(each) for each in decided),
    ]


def _lines(found: UnappliedLog) -> Iterator[str]:
    log = found.log
    problem = [*([f"request {log.request_id}"] if log.request_id is not None else []), *map(checksum, found.addresses)]
    name = f"{log.block_number} {log.log_index} {log.status} {log.contract} {log.event or 'undecodable'}"
    yield f"{name}, about {', '.join(problem) or 'nobody it names'}"
    if (why := "left out" if log.status is LogStatus.SKIPPED else log.reason) is not None:
        yield f"    {why}"
