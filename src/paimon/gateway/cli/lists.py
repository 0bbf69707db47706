"""Lists on the command line: the query and the view of the REST list, as a table for people or as its JSON.

An empty list says so and is no failure. A page past the end says how many there are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Generic, TypeVar

import typer

from paimon.application.common.formatting import display
from paimon.application.nav.store import find_newest_snapshot
from paimon.domain.kernel.chain import checksum, parse_address
from paimon.gateway.cli.json_output import print_json
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.rest.envelope import Listing, Pagination
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession
from paimon.settings import load_settings

Row = TypeVar("Row")
ListData = TypeVar("ListData", bound=Listing[Any])

SHARE_DECIMALS: Final = 18
LIMIT_DEFAULT: Final = 20

Page = Annotated[int, typer.Option("--page", min=1, help="The page, counted from 1.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000, help="How many rows a page has.")]


def _parse_block(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 2**63):
        raise ValueError(f"{text!r} is not a block's number")
    return int(text)


Block = Annotated[
    int | None,
    typer.Option(
        "--block",
        metavar="NUMBER",
        parser=_parse_block,
        help="As of this block; the newest recorded block by default.",
        show_default=False,
    ),
]


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day such as 2026-01-31") from None


FirstDay = Annotated[
    date | None,
    typer.Option("--from", metavar="DAY", parser=_parse_day, help="The first day in UTC, included.", show_default=False),
]
LastDay = Annotated[
    date | None,
    typer.Option("--to", metavar="DAY", parser=_parse_day, help="The last day in UTC, included.", show_default=False),
]


def day_argument(help_text: str) -> Any:
    """Return an argument that takes a UTC day."""
    return typer.Argument(metavar="DAY", parser=_parse_day, help=help_text, show_default=False)


def address_option(help_text: str) -> Any:
    """Return an option that takes an address."""
    return typer.Option(metavar="ADDRESS", parser=parse_address, help=help_text, show_default=False)


def require_order(first_day: date | None, last_day: date | None) -> None:
    """Refuse a range of days that ends before it begins."""
    if first_day is not None and last_day is not None and first_day > last_day:
        raise typer.BadParameter(f"{last_day} is before --from {first_day}", param_hint="--to")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column of a table. Numbers end at the right."""

    heading: str
    cell: Callable[[Row], object]
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """A list for people: what its rows are called, and its columns."""

    rows: str
    columns: Sequence[Column[Row]]

    def lines(self, items: Sequence[Row]) -> list[str]:
        """Return the heading and one line for each item, each column as wide as its widest cell."""
        cells = [[_text(column.cell(item)) for column in self.columns] for item in items]
        lines = [[column.heading for column in self.columns], *cells]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return [
            "  ".join(
                f"{cell:>{width}}" if column.is_number else f"{cell:<{width}}"
                for cell, width, column in zip(line, widths, self.columns, strict=True)
            ).rstrip()
            for line in lines
        ]


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def run_list(
    context: typer.Context,
    read: Callable[[ReadSession, PageRequest], Awaitable[ListData]],
    table: Callable[["Money"], Table[Any]],
    *,
    page: int,
    limit: int,
    as_json: bool,
    is_filtered: bool,
) -> None:
    """Read one page as the REST list does, and print it."""

    async def fetch() -> tuple[ListData, Money]:
        async with opened_database(load_settings(context.obj), process="lists") as database, database.read() as session:
            listing = await read(session, PageRequest(page, limit))
            snapshot = None if as_json else await find_newest_snapshot(session)
            return listing, Money(None if snapshot is None else snapshot.asset_decimals)

    with exit_on_error():
        listing, money = asyncio.run(fetch())
    if as_json:
        print_json(listing_json(listing))
    else:
        print_table(table(money), listing.items, listing.pagination, is_filtered=is_filtered)


def listing_json(listing: Listing[Any]) -> dict[str, Any]:
    """Return one page as REST responds with it, without the cursor: here a page is asked for by its number."""
    return listing.model_dump(mode="json", by_alias=True, exclude={"pagination": {"next_cursor"}})


def print_table(table: Table[Row], items: Sequence[Row], pagination: Pagination, *, is_filtered: bool = False) -> None:
    """Print one page of a list, with its place in the list below it."""
    total, number, size = pagination.total or 0, pagination.page or 1, pagination.page_size
    if total == 0:
        print(f"no {table.rows} match" if is_filtered else f"no {table.rows} yet")
    elif not items:
        print(f"page {number} is past the end: there are {total} {table.rows} on {pagination.total_pages} pages")
    else:
        print("\n".join(table.lines(items)))
        first = (number - 1) * size + 1
        more = f"; `--page {number + 1}` shows more" if first + len(items) - 1 < total else ""
        print(f"{first} to {first + len(items) - 1} of {total} {table.rows}{more}")


@dataclass(frozen=True, slots=True)
class Money:
    """Amounts of the fund's asset as people read them. The first snapshot says how many decimals it has: raw before it."""

    decimals: int | None

    def text(self, amount: int | None) -> str | None:
        if amount is None:
            return None
        return f"{amount} raw" if self.decimals is None else display(amount, self.decimals)


def shares_text(shares: int) -> str:
    return display(shares, SHARE_DECIMALS)


def short_address(address: bytes) -> str:
    """Return the beginning and the end of an address, enough to know it again on one line."""
    text = checksum(address)
    return f"{text[:8]}…{text[-4:]}"


def minute(moment: Any) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M}"
