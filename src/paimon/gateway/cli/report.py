"""`paimon report`: make a report, list what was made, verify a file, explain where a figure came from."""

import asyncio
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from paimon.application.reports.files import (
    ExplainedFigure,
    VerifiedFile,
    explain_figure,
    figure_names,
    get_report,
    read_file,
    read_json,
    verify_file,
)
from paimon.application.reports.make import MadeReport, make_report
from paimon.application.reports.statement import collect_statement
from paimon.application.reports.store import StoredReport, list_reports
from paimon.composition import open_report_objects
from paimon.domain.kernel.chain import Address
from paimon.domain.report.document import Report, ReportStatus
from paimon.domain.report.period import ReportKind, ReportPeriod
from paimon.domain.report.statement import holder_statement
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.lists import LIMIT_DEFAULT, Column, Limit, Money, Page, Table, day_argument, minute, run_list
from paimon.gateway.cli.process import address_argument, exit_on_error, exit_with_message
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.rest.envelope import Listing
from paimon.gateway.rest.views.reports import ReportView
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession
from paimon.infrastructure.reports.labels import Language
from paimon.infrastructure.reports.render import FileFormat, render_statement
from paimon.settings import Settings, load_settings

app = CommandApp(help="Make reports, list them, save and verify their files, explain their figures.", no_args_is_help=True)

Kind = Annotated[ReportKind, typer.Argument(metavar="KIND", help="daily, weekly or monthly.")]
Day = Annotated[date, day_argument("A day of the period, in UTC.")]
ReportFile = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A file of a report.")]


@app.command()
def make(context: typer.Context, kind: Kind, day: Day, as_json: AsJson = False) -> None:
    """Make the report of the period that a day is in, from what is recorded now.

    The same data makes no new version: then the files are made again and compared with the recorded hashes. Other data makes
    the next version, which names the one that it replaces.
    """
    period = ReportPeriod.containing(kind, day)
    with exit_on_error():
        made = asyncio.run(_make(load_settings(context.obj), period))
    if as_json:
        print_json(json_of(ReportView.of(made.report)))
        return
    report = made.report
    print(
        f"{period}: version {report.version}, {_status(report)}{'' if made.is_new else '; unchanged, the files are the same'}"
    )
    for file in report.files:
        print(f"  {file.sha256}  {file.format}{'' if file.language is None else f' {file.language}'}, {file.size} bytes")


async def _make(settings: Settings, period: ReportPeriod) -> MadeReport:
    async with opened_database(settings, process="report") as database:
        async with database.read() as session:
            now = await database_now(session)
        objects = open_report_objects(settings)
        return await make_report(database, objects, period, now=now, steps_max=settings.nav.attribution_intervals_max)


def _status(report: StoredReport) -> str:
    if report.status is ReportStatus.FINAL:
        return "final"
    return f"a draft: {', '.join(report.draft_reasons)}"


@app.command("list")
def list_command(
    context: typer.Context,
    kind: Annotated[ReportKind | None, typer.Option(help="Only this kind.")] = None,
    status: Annotated[ReportStatus | None, typer.Option(help="Only drafts, or only final ones.")] = None,
    page: Page = 1,
    limit: Limit = LIMIT_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List every version of every report, latest first."""

    async def read(session: ReadSession, page: PageRequest) -> Listing[ReportView]:
        found = await list_reports(session, page, kind=kind, status=status)
        return Listing[ReportView].page(found.mapped(ReportView.of))

    run_list(context, read, _table, page=page, limit=limit, as_json=as_json, is_filtered=kind is not None or status is not None)


def _table(_money: Money) -> Table[ReportView]:
    return Table(
        "reports",
        (
            Column("ID", lambda report: report.id, is_number=True),
            Column("KIND", lambda report: report.kind),
            Column("FIRST DAY", lambda report: report.first_day),
            Column("LAST DAY", lambda report: report.last_day),
            Column("VERSION", lambda report: report.version, is_number=True),
            Column("STATUS", lambda report: report.status),
            Column("CLOSING BLOCK", lambda report: report.closing_block, is_number=True),
            Column("MADE AT", lambda report: minute(report.made_at)),
        ),
    )


@app.command()
def save(
    context: typer.Context,
    kind: Kind,
    day: Day,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write; its ending says the format: json, csv, xlsx or pdf.")
    ],
    language: Annotated[Language, typer.Option(help="Language of a pdf or xlsx file.")] = Language.ENGLISH,
    version: Annotated[int | None, typer.Option(min=1, help="This version; the newest by default.")] = None,
) -> None:
    """Save a file of a report that was made, after comparing it with its recorded hash."""
    file_format = _format_of(file)
    with exit_on_error():
        content = asyncio.run(_read(load_settings(context.obj), kind, day, version, file_format, language))
    _write(file, content)


async def _read(
    settings: Settings, kind: ReportKind, day: date, version: int | None, file_format: FileFormat, language: Language
) -> bytes:
    async with opened_database(settings, process="report") as database, database.read() as session:
        report = await get_report(session, kind, day, version=version)
    return await read_file(open_report_objects(settings), report, report.file(file_format, language))


@app.command()
def statement(
    context: typer.Context,
    holder: Annotated[Address, typer.Argument(metavar="HOLDER", help="The holder's address.", parser=address_argument)],
    day: Annotated[date, day_argument("A day of the month, in UTC.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write; its ending says the format: json, csv, xlsx or pdf.")
    ],
    language: Annotated[Language, typer.Option(help="Language of a pdf or xlsx file.")] = Language.ENGLISH,
) -> None:
    """Write a holder's statement of a month: opening + flows + result - fees = closing, with every movement.

    A month that is not over, or whose NAV is not official, is a draft and says so.
    """
    file_format = _format_of(file)
    with exit_on_error():
        made = asyncio.run(_statement(load_settings(context.obj), holder, ReportPeriod.containing(ReportKind.MONTHLY, day)))
        rendered = render_statement(made, file_format, language)
    _write(file, rendered.content)
    reasons = ", ".join(note.reason for note in made.draft_notes)
    print(f"{made.status.lower()}{f': {reasons}' if reasons else ''}")


async def _statement(settings: Settings, holder: Address, period: ReportPeriod) -> Report:
    async with opened_database(settings, process="report") as database, database.read() as session:
        now = await database_now(session)
        return holder_statement(await collect_statement(session, holder, period, vault=settings.fund.vault, now=now))


def _format_of(file: Path) -> FileFormat:
    """Return the format that a new file's ending names."""
    endings = [f".{known}" for known in FileFormat]
    if file.suffix not in endings:
        exit_with_message(f"{file} must end with {', '.join(endings)}")
    if file.exists():
        exit_with_message(f"{file} exists; give another name")
    return FileFormat(file.suffix[1:])


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        exit_with_message(f"{file} cannot be written: {error.strerror or error}")
    print(f"{len(content)} bytes to {file}")


@app.command()
def verify(context: typer.Context, file: ReportFile) -> None:
    """Check that a file is one that was made here, unchanged, and say of which report.

    Exit with 1 if no report has it.
    """
    with exit_on_error():
        verified = asyncio.run(_verify(load_settings(context.obj), file.read_bytes()))
    report = verified.report
    print(f"{file.name}: the {verified.file.format} file of version {report.version} of the {report.period}, {_status(report)}")
    print(f"SHA-256 {verified.file.sha256}, made at {minute(report.made_at)} UTC")
    if verified.entry is not None:
        sealed = verified.entry.sealed
        place = "not sealed yet" if sealed is None else f"at position {sealed.position} of the tree"
        print(f"entry {verified.entry.entry.id} of the audit trail has its hash, {place}")
    if not verified.is_newest:
        print(f"REPLACED: version {verified.newest.version} is the newest, {_status(verified.newest)}")


async def _verify(settings: Settings, content: bytes) -> VerifiedFile:
    async with opened_database(settings, process="report") as database, database.read() as session:
        return await verify_file(session, content)


@app.command()
def explain(
    context: typer.Context,
    file: ReportFile,
    figure: Annotated[
        str | None, typer.Option(help="A figure or a table, such as summary.closingNav; without it, their names.")
    ] = None,
) -> None:
    """Show what a figure of a report's file was made from, and its blocks. The file may have any format."""
    with exit_on_error():
        found = asyncio.run(_explain(load_settings(context.obj), file.read_bytes(), figure))
    print("\n".join(found if isinstance(found, list) else _explained(found)))


async def _explain(settings: Settings, content: bytes, figure: str | None) -> ExplainedFigure | list[str]:
    async with opened_database(settings, process="report") as database, database.read() as session:
        verified = await verify_file(session, content)
    data = await read_json(open_report_objects(settings), verified.report)
    return figure_names(data) if figure is None else explain_figure(data, figure)


def _explained(figure: ExplainedFigure) -> list[str]:
    return [
        f"{figure.name}: {_value_text(figure.value)}",
        f"from: {figure.description} ({figure.source})",
        _blocks_text(figure),
    ]


def _value_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _blocks_text(figure: ExplainedFigure) -> str:
    if figure.block is None:
        return "no block: it is counted by the period's times"
    if figure.after_block is None:
        return f"at block {figure.block}"
    return f"in the blocks from {figure.after_block + 1} to {figure.block}"
