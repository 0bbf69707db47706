"""`paimon quarantine`: logs that could not be read or applied, and what becomes of them."""

import asyncio
from collections.abc import Iterator
from typing import Annotated

import typer

from paimon.application.quarantine.queries import SetAside, get_set_aside, list_set_aside, remedies_for
from paimon.application.quarantine.store import LogNotFound, Place
from paimon.composition import open_house
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.risk.operator_decision import RemedyKind
from paimon.gateway.cli.operator_decisions import SHOWN_MAX, By, Reason, decide, remedy_line
from paimon.gateway.cli.process import explained, refuse
from paimon.gateway.cli.text import counted
from paimon.infrastructure.database import version
from paimon.infrastructure.database.models.derived import LogStatus
from paimon.infrastructure.database.paging import PageRequest
from paimon.settings import Settings, load_settings

app = typer.Typer(help="Logs that could not be read or applied: list them, release or skip one.")

Block = Annotated[int, typer.Argument(metavar="BLOCK")]
Index = Annotated[int, typer.Argument(metavar="INDEX")]

_WHEN = "The next free worker carries it out; `paimon replay` does so at once."


@app.callback(invoke_without_command=True)
def quarantine(context: typer.Context) -> None:
    """Logs that could not be read or applied, and those that were left out."""
    if context.invoked_subcommand is None:
        with explained():
            print("\n".join(asyncio.run(_list(load_settings(context.obj)))))


@app.command("show")
def show(context: typer.Context, block: Block, index: Index) -> None:
    """One log with its bytes, and what was decided about it."""
    with explained():
        print("\n".join(asyncio.run(_show(load_settings(context.obj), Place(block, index)))))


@app.command("release")
def release(context: typer.Context, block: Block, index: Index, by: By, reason: Reason) -> None:
    """Have a log read and applied again, after the ABI or the code was mended."""
    _decide(context, RemedyKind.RELEASE_LOG, Place(block, index), by, reason)


@app.command("skip")
def skip(context: typer.Context, block: Block, index: Index, by: By, reason: Reason) -> None:
    """Leave a log out, now and in every replay, until it is released."""
    _decide(context, RemedyKind.SKIP_LOG, Place(block, index), by, reason)


def _decide(context: typer.Context, kind: RemedyKind, place: Place, by: str, reason: str) -> None:
    with explained():
        asyncio.run(decide(load_settings(context.obj), kind, place, by=by, reason=reason))
    print(f"written down: {kind} {place.block_number} {place.log_index}. {_WHEN}")


async def _list(settings: Settings) -> list[str]:
    async with open_house(settings, process="quarantine") as house:
        await version.require_current(house.database.engine)
        async with house.database.read() as session:
            found = await list_set_aside(session, PageRequest(1, SHOWN_MAX), house.contracts.abis)
    title = f"{counted(found.total, 'log')} set aside" + (f", the newest {SHOWN_MAX}:" if found.total > SHOWN_MAX else "")
    return [title, *(line for each in found.items for line in _lines(each))]


async def _show(settings: Settings, place: Place) -> list[str]:
    async with open_house(settings, process="quarantine") as house:
        await version.require_current(house.database.engine)
        async with house.database.read() as session:
            try:
                found = await get_set_aside(session, place, house.contracts.abis)
            except LogNotFound as error:
                refuse(str(error))
            decided = await remedies_for(session, place)
    log = found.log
    return [
        *_lines(found),
        f"    of {checksum(log.address)} in transaction {hex0x(log.tx_hash)}",
        *(f"    topic {hex0x(each)}" for each in log.topics),
        f"    data {hex0x(log.data)}",
        *(remedy_line(each) for each in decided),
    ]


def _lines(found: SetAside) -> Iterator[str]:
    log = found.log
    about = [*([f"request {log.request_id}"] if log.request_id is not None else []), *map(checksum, found.addresses)]
    name = f"{log.block_number} {log.log_index} {log.status} {log.contract} {log.event or 'undecodable'}"
    yield f"{name}, about {', '.join(about) or 'nobody it names'}"
    if (why := "left out" if log.status is LogStatus.SKIPPED else log.reason) is not None:
        yield f"    {why}"
