"""`paimon audit`: list what was done, show an entry with its proof, export the trail, and verify an export."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Annotated

import typer

from paimon.application.audit.queries import AuditFilter, export_lines, get_proven_entry, list_entries
from paimon.composition import signing_rules
from paimon.domain.audit.day_root import DayRoot, DayRootUnreadable, parse_day_root
from paimon.domain.audit.export import ExportInvalid
from paimon.domain.kernel.chain import Address, Hash32, checksum
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, print_json
from paimon.gateway.cli.lists import LIMIT_DEFAULT, Column, Limit, Money, Page, Table, address_option, run_list
from paimon.gateway.cli.process import exit_on_error, exit_with_message
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.cli.text import pluralize
from paimon.gateway.rest.envelope import Listing
from paimon.gateway.rest.views.audit import AuditEntryDetailView, AuditEntryView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession
from paimon.settings import Settings, load_settings

app = CommandApp(help="List the audit trail, show an entry with its proof, export the trail, verify an export.")

_GZIP = ".gz"


@app.command("list")
def list_command(
    context: typer.Context,
    operation: Annotated[str | None, typer.Option(help="Only this operation, such as ticket.vote.")] = None,
    actor: Annotated[Address | None, address_option("Only what this person did.")] = None,
    resource: Annotated[str | None, typer.Option(help="Only this resource: ticket/TKT-7F3A, or ticket/ for all.")] = None,
    page: Page = 1,
    limit: Limit = LIMIT_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List what was done, by whom, latest first."""
    filters = AuditFilter(operation=operation, actor=actor, resource=resource)

    async def read(session: ReadSession, page: PageRequest) -> Listing[AuditEntryView]:
        found = await list_entries(session, page, filters)
        return Listing[AuditEntryView].page(found.mapped(AuditEntryView.of))

    run_list(context, read, _table, page=page, limit=limit, as_json=as_json, is_filtered=filters != AuditFilter())


@app.command()
def show(context: typer.Context, entry_id: Annotated[int, typer.Argument(metavar="ID", min=1, help="The entry.")]) -> None:
    """Show an entry with what was done and the proof that it is in the tree, as JSON."""
    with exit_on_error():
        view = asyncio.run(_show(load_settings(context.obj), entry_id))
    print_json(view.model_dump(mode="json", by_alias=True))


@app.command()
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; compressed if its name ends with .gz.")],
) -> None:
    """Write the whole sealed trail to a file, which `paimon audit verify` checks without this system."""
    if file.exists():
        exit_with_message(f"{file} exists; an export overwrites nothing: give another name")
    with exit_on_error():
        size, root = asyncio.run(_export(load_settings(context.obj), file))
    print(f"{_entries(size)} to {file}")
    print(f"root: {root}")
    print("Keep this root and the number of entries elsewhere: a later export is checked against them.")


Trust = Annotated[
    list[str] | None,
    typer.Option(
        "--trust", metavar="SIZE:ROOT", help="A root that you kept: the number of entries, a colon, 0x and 64 digits."
    ),
]


DayRoots = Annotated[
    list[Path] | None,
    typer.Option(
        "--day-roots",
        metavar="PATH",
        exists=True,
        help="Day roots that were kept: a file, or a folder with such files below it.",
    ),
]


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="An export.")],
    trust: Trust = None,
    day_roots: DayRoots = None,
) -> None:
    """Check an export without database or chain: its tree and the wallets' signatures over the decisions in it.

    Exit with 1 and the first line that was changed, removed, moved or inserted. Only a root that was kept elsewhere (`--trust`,
    `--day-roots`) shows a change by someone who could change the database and made the whole tree anew.
    """
    from paimon.application.audit.verify import verify_trail  # its signature library takes half a second to load

    trusted = dict(map(_trusted_root, trust or []))
    days = _read_day_roots(day_roots or [])
    try:
        with _reading(file) as lines:
            found = verify_trail(lines, trusted, day_roots=days, now=datetime.now(UTC))
    except ExportInvalid as invalid:
        print(invalid)
        raise typer.Exit(1) from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        exit_with_message(f"{file} does not read: {error}")
    export = found.export
    print(f"{_entries(export.entries)}, {pluralize(export.roots, 'root')}: whole and unchanged")
    print(f"of the fund at {checksum(export.header.redemption_manager)} on chain {export.header.chain_id}")
    print(
        f"{pluralize(found.signatures, 'signature')} of wallets checked; {found.contract_signatures} of contracts not checked"
    )
    print(f"{pluralize(export.removed_payloads, 'payload')} removed by retention")
    if days:
        print(f"{pluralize(len(days), 'day root')} compared, {min(days).isoformat()} to {max(days).isoformat()}")
        if found.missing_days:
            print(f"no day root was given for {pluralize(found.missing_days, 'day')} between them")
    elif not trusted:
        print("no root was given (--trust, --day-roots): this shows that the file agrees with itself")


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def _read_day_roots(paths: list[Path]) -> dict[date, DayRoot]:
    """Read day roots from files, and from all files below folders."""
    found: dict[date, DayRoot] = {}
    for path in paths:
        for file in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
            try:
                root = parse_day_root(file.read_bytes())
            except (DayRootUnreadable, OSError) as error:
                exit_with_message(f"{file} does not read: {error}")
            if found.setdefault(root.day, root) != root:
                exit_with_message(f"{file} has another root for {root.day} than a file before it")
    if paths and not found:
        exit_with_message(f"there is no day root in {', '.join(map(str, paths))}")
    return found


def _trusted_root(text: str) -> tuple[int, Hash32]:
    size, _, root = text.partition(":")
    try:
        value = bytes.fromhex(root.removeprefix("0x"))
        if len(value) != 32 or int(size) < 1:
            raise ValueError
    except ValueError:
        raise typer.BadParameter(f"{text[:90]!r} is not SIZE:ROOT, such as 1204:0x5a…", param_hint="--trust") from None
    return int(size), Hash32(value)


async def _show(settings: Settings, entry_id: int) -> AuditEntryDetailView:
    async with opened_database(settings, process="audit") as database, database.read() as session:
        return AuditEntryDetailView.of_detail(await get_proven_entry(session, entry_id))


async def _export(settings: Settings, file: Path) -> tuple[int, str]:
    """Write the export beside the file and rename it at the end, so that no half of one is taken for a whole."""
    unfinished = file.with_name(f"{file.name}.unfinished")
    opened = gzip.open if file.suffix == _GZIP else open
    try:
        async with opened_database(settings, process="audit") as database, database.read() as session:
            lines: AsyncIterator[str] = export_lines(session, signing_rules(settings).scope)
            with opened(unfinished, "wt", encoding="utf-8") as target:
                header = await anext(lines)
                target.write(header + "\n")
                async for line in lines:
                    target.write(line + "\n")
        unfinished.replace(file)
    except OSError as error:
        exit_with_message(f"{file} cannot be written: {error.strerror or error}")
    finally:
        unfinished.unlink(missing_ok=True)
    first = json.loads(header)
    return int(first["size"]), str(first["root"])


@contextmanager
def _reading(file: Path) -> Iterator[IO[str]]:
    opened = gzip.open if file.suffix == _GZIP else open
    with opened(file, "rt", encoding="utf-8") as lines:
        yield lines


def _table(_money: Money) -> Table[AuditEntryView]:
    return Table(
        "audit entries",
        (
            Column("ID", lambda entry: entry.id, is_number=True),
            Column("AT", lambda entry: f"{entry.at:%Y-%m-%d %H:%M:%S}"),
            Column("OPERATION", lambda entry: entry.operation),
            Column("RESOURCE", lambda entry: entry.resource),
            Column("ACTOR", lambda entry: "the system" if entry.actor is None else checksum(entry.actor)),
            Column("OUTCOME", lambda entry: entry.outcome),
            Column("POSITION", lambda entry: entry.position, is_number=True),
        ),
    )
