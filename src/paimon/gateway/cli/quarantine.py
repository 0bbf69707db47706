"""`paimon quarantine`: show logs that could not be applied, and release or skip one."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from paimon.application.common.log_id import LogId
from paimon.application.quarantine.queries import UnappliedLog, get_unapplied_log, list_decisions_for, list_unapplied_logs
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.risk.operator_decision import OperatorDecisionKind
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, print_json
from paimon.gateway.cli.keystore_signing import KeystoreOption, PasswordOption, ReasonOption
from paimon.gateway.cli.lists import listing_json
from paimon.gateway.cli.operator_decisions import decision_line, record_decision
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.resources import opened_app_context
from paimon.gateway.cli.text import NEWEST_SHOWN, NewestLimit, list_title, pluralize
from paimon.gateway.rest.envelope import Listing
from paimon.gateway.rest.views.quarantine import QuarantinedLogView
from paimon.infrastructure.database.paging import Page, PageRequest
from paimon.settings import Settings, load_settings

app = CommandApp(help="Show logs that could not be applied; release or skip one.")

Block = Annotated[int, typer.Argument(metavar="BLOCK", help="The log's block.")]
Index = Annotated[int, typer.Argument(metavar="INDEX", help="The log's index in the block.")]

_APPLIED_WHEN = "The next free worker applies it; `paimon replay` does so at once."


@app.callback(invoke_without_command=True)
def quarantine(context: typer.Context, limit: NewestLimit = NEWEST_SHOWN, as_json: AsJson = False) -> None:
    """List the logs that could not be read or applied, and those that an operator skipped."""
    if context.invoked_subcommand is not None:
        return
    with exit_on_error():
        logs = asyncio.run(_list(load_settings(context.obj), limit=limit))
    if as_json:
        print_json(listing_json(Listing[QuarantinedLogView].page(logs.mapped(QuarantinedLogView.of))))
        return
    print(list_title(f"{pluralize(logs.total, 'log')} quarantined or skipped", total=logs.total, shown_max=limit))
    for log in logs.items:
        print("\n".join(_lines(log)))


@app.command()
def show(context: typer.Context, block: Block, index: Index) -> None:
    """Show one log with its bytes and the decisions about it."""
    with exit_on_error():
        print("\n".join(asyncio.run(_show(load_settings(context.obj), LogId(block, index)))))


@app.command()
def release(
    context: typer.Context,
    block: Block,
    index: Index,
    keystore: KeystoreOption,
    password_file: PasswordOption,
    reason: ReasonOption,
) -> None:
    """Read and apply a log again, after its ABI or the code was corrected. You sign it with your own key."""
    _decide(context, OperatorDecisionKind.RELEASE_LOG, LogId(block, index), keystore, password_file, reason)


@app.command()
def skip(
    context: typer.Context,
    block: Block,
    index: Index,
    keystore: KeystoreOption,
    password_file: PasswordOption,
    reason: ReasonOption,
) -> None:
    """Leave a log out, now and in every replay, until it is released. You sign it with your own key."""
    _decide(context, OperatorDecisionKind.SKIP_LOG, LogId(block, index), keystore, password_file, reason)


def _decide(
    context: typer.Context, kind: OperatorDecisionKind, position: LogId, keystore: Path, password_file: Path, reason: str
) -> None:
    with exit_on_error():
        settings = load_settings(context.obj)
        asyncio.run(record_decision(settings, kind, position, keystore=keystore, password_file=password_file, reason=reason))
    print(f"recorded: {kind} {position.block_number} {position.log_index}. {_APPLIED_WHEN}")


async def _list(settings: Settings, *, limit: int) -> Page[UnappliedLog]:
    async with (
        opened_app_context(settings, process="quarantine") as app_context,
        app_context.database.read() as session,
    ):
        return await list_unapplied_logs(session, PageRequest(1, limit), app_context.contracts.abis)


async def _show(settings: Settings, position: LogId) -> list[str]:
    async with (
        opened_app_context(settings, process="quarantine") as app_context,
        app_context.database.read() as session,
    ):
        log = await get_unapplied_log(session, position, app_context.contracts.abis)
        decisions = await list_decisions_for(session, position)
    return [
        *_lines(log),
        f"    of {checksum(log.address)} in transaction {hex0x(log.tx_hash)}",
        *(f"    topic {hex0x(topic)}" for topic in log.topics),
        f"    data {hex0x(log.data)}",
        *map(decision_line, decisions),
    ]


def _lines(log: UnappliedLog) -> Iterator[str]:
    subjects = [*([f"request {log.request_id}"] if log.request_id is not None else []), *map(checksum, log.addresses)]
    name = f"{log.block_number} {log.log_index} {log.status} {log.contract} {log.event or 'undecodable'}"
    yield f"{name}, about {', '.join(subjects) or 'no request and no address'}"
    if (reason := "skipped" if log.status is LogStatus.SKIPPED else log.reason) is not None:
        yield f"    {reason}"
