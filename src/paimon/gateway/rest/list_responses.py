"""Responses of list endpoints: one page as JSON, or all rows of the filter as a CSV file.

    Accept: text/csv, ?format=csv or ?excel=1  ──►  the views of the JSON response, flattened to cells,
                                                    read page by page in one snapshot of the database

If the response is as of a block, each row ends with that block. An empty list still has its header.

The first page is read, and the number of rows checked, before anything is sent, so that an error up to there is a JSON
envelope. After that, an error or a client that reads too slowly ends the connection in the middle of the body. A client sees
that as a failed transfer, never as a shorter list.
"""

import asyncio
import codecs
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

import structlog
from fastapi import Depends, Header, Query, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from paimon.composition import AppContext
from paimon.domain.kernel.chain import checksum
from paimon.gateway.rest.csv_text import Path, cells, columns_of, csv_text, excel_cell, heading
from paimon.gateway.rest.cursors import CursorCodec
from paimon.gateway.rest.dependencies import CursorCodecDep, PageDep
from paimon.gateway.rest.envelope import Dated, Envelope, Listing
from paimon.gateway.rest.errors import InvalidInput, TooManyCsvExports
from paimon.gateway.rest.schema import ApiModel
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

log = structlog.get_logger(__name__)

Data = TypeVar("Data", bound=ApiModel)
ListData = TypeVar("ListData", bound=Listing[Any])

MEDIA_TYPE: Final = "text/csv"
_CHUNK_ROWS: Final = 250
"""Rows converted at one time. They take about 16 ms, and the process serves no other request meanwhile."""


class ResponseFormat(StrEnum):
    JSON = "json"
    CSV = "csv"
    EXCEL = "excel"
    """CSV in which Excel keeps every digit."""


async def get_response_format(
    requested: Annotated[
        Literal[ResponseFormat.JSON, ResponseFormat.CSV] | None,
        Query(alias="format", description="csv: all rows of the filter as a file, as with Accept: text/csv"),
    ] = None,
    excel: Annotated[
        bool, Query(description="1: the file for Excel, with a byte order mark and every number of more than 15 digits as text")
    ] = False,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> ResponseFormat:
    if excel and requested is ResponseFormat.JSON:
        raise InvalidInput("excel", "excel=1 asks for a CSV file; leave out format=json")
    if excel:
        return ResponseFormat.EXCEL
    return requested or (ResponseFormat.CSV if prefers_csv(accept) else ResponseFormat.JSON)


ResponseFormatDep = Annotated[ResponseFormat, Depends(get_response_format)]


def prefers_csv(accept: str) -> bool:
    """Return whether the Accept header prefers CSV to JSON."""
    qualities = accepted_qualities(accept)
    return qualities.get(MEDIA_TYPE, 0.0) > qualities.get("application/json", 0.0)


def accepted_qualities(accept: str) -> dict[str, float]:
    """Return the quality of each media type that an Accept header names; a quality that does not read is 0."""
    qualities: dict[str, float] = {}
    for item in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in item.split(";"))
        quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        qualities[media_type] = float(quality) if re.fullmatch(r"[01](\.\d{0,3})?", quality) else 0.0
    return qualities


@dataclass(frozen=True, slots=True)
class ListRequest:
    """The requested page and format, and the codec of the list's cursors. A CSV file has all pages."""

    page: PageRequest
    response_format: ResponseFormat
    codec: CursorCodec


async def get_list_request(page: PageDep, response_format: ResponseFormatDep, codec: CursorCodecDep) -> ListRequest:
    if page.after is not None and response_format is not ResponseFormat.JSON:
        raise InvalidInput("cursor", "a file has all rows of the filter; leave out the cursor")
    return ListRequest(page, response_format, codec)


ListRequestDep = Annotated[ListRequest, Depends(get_list_request)]


@dataclass(frozen=True, slots=True)
class CsvTable(Generic[Data]):
    """A list as a file: its name, its row's view, the envelope of its JSON response, and the function that finds the rows."""

    name: str
    row: type[ApiModel]
    envelope: type[Envelope[Data]]
    rows: Callable[[Data], Sequence[ApiModel]]

    @property
    def columns(self) -> tuple[Path, ...]:
        data = self.envelope.model_fields["data"].annotation
        dated = isinstance(data, type) and issubclass(data, Dated)
        return columns_of(self.row) + (columns_of(Dated) if dated else ())

    @property
    def headings(self) -> list[str]:
        return [heading(path) for path in self.columns]

    def lines(self, data: Data) -> Iterator[list[str]]:
        """Yield the rows of one response, cell by cell in the order of the columns."""
        own = columns_of(self.row)
        block = cells(Dated(as_of=data.as_of), columns_of(Dated)) if isinstance(data, Dated) else []
        return (cells(row, own) + block for row in self.rows(data))

    def text(self, data: Data) -> str:
        """Format the header and the rows of one response."""
        return csv_text([self.headings, *self.lines(data)])


def paged_table(name: str, row: type[ApiModel], envelope: type[Envelope[ListData]]) -> CsvTable[ListData]:
    """Make the table of a list with pages."""
    return CsvTable(name, row, envelope, lambda data: data.items)


async def list_response(
    context: AppContext,
    list_request: ListRequest,
    table: CsvTable[ListData],
    read: Callable[[ReadSession, PageRequest], Awaitable[ListData]],
) -> Envelope[ListData] | Response:
    """Respond with one page as JSON, or with all pages as CSV."""
    if list_request.response_format is ResponseFormat.JSON:
        async with context.database.read() as session:
            data = await read(session, list_request.page)
        following = data.pagination.next
        data.pagination.next_cursor = None if following is None else list_request.codec.encode(following)
        return table.envelope(data=data)
    return await _csv_response(context, list_request.response_format, table, _pages(context, read))


async def unpaged_response(
    context: AppContext, response_format: ResponseFormat, table: CsvTable[Data], data: Data
) -> Envelope[Data] | Response:
    """Respond with a short list that has no pages."""
    if response_format is ResponseFormat.JSON:
        return table.envelope(data=data)

    async def single() -> AsyncGenerator[Data, None]:
        yield data

    return await _csv_response(context, response_format, table, single())


async def _pages(
    context: AppContext, read: Callable[[ReadSession, PageRequest], Awaitable[ListData]]
) -> AsyncGenerator[ListData, None]:
    """Yield every page, all from one snapshot of the database."""
    rows_max = context.settings.api.csv_rows_max
    async with counted_export(context.settings.api.csv_files_max), context.database.read() as session:
        page = PageRequest(1, _CHUNK_ROWS)
        while True:
            found = await read(session, page)
            total = found.pagination.total
            if total is not None and total > rows_max:  # the first page counts
                raise InvalidInput(
                    "format", f"a file holds at most {rows_max} rows, this one would have {total}; narrow the filter"
                )
            yield found
            if (following := found.pagination.next) is None:
                return
            page = replace(page, after=following)


_exports_running: int = 0
"""Number of files that this process is writing now."""


@asynccontextmanager
async def counted_export(files_max: int) -> AsyncGenerator[None, None]:
    """Count a running export. Each one holds a database session of the shared pool for as long as its client reads.

    Raises:
        TooManyCsvExports.
    """
    global _exports_running
    if _exports_running >= files_max:
        raise TooManyCsvExports(f"{_exports_running} files are being written, the most at one time; try again shortly")
    _exports_running += 1
    try:
        yield
    finally:
        _exports_running -= 1


async def _csv_response(
    context: AppContext, response_format: ResponseFormat, table: CsvTable[Data], pages: AsyncGenerator[Data, None]
) -> Response:
    first = await anext(pages)
    fund = checksum(context.settings.fund.vault)[:10]
    dated = f"-block-{first.as_of.number}" if isinstance(first, Dated) else ""
    name = f"paimon-{fund}-{table.name}-{datetime.now(UTC):%Y-%m-%d}{dated}.csv"

    body = _excel_body if response_format is ResponseFormat.EXCEL else _csv_body
    return _CsvResponse(body(table, first, pages), pages, name, seconds_max=context.settings.api.csv_seconds_max)


async def _csv_body(table: CsvTable[Data], first: Data, rest: AsyncGenerator[Data, None]) -> AsyncGenerator[bytes, None]:
    yield table.text(first).encode()
    async for page in rest:
        yield csv_text(table.lines(page)).encode()


async def _excel_body(table: CsvTable[Data], first: Data, rest: AsyncGenerator[Data, None]) -> AsyncGenerator[bytes, None]:
    def text(data: Data) -> str:
        return csv_text([excel_cell(cell) for cell in line] for line in table.lines(data))

    yield codecs.BOM_UTF8 + csv_text([table.headings]).encode() + text(first).encode()
    async for page in rest:
        yield text(page).encode()


class _CsvResponse(StreamingResponse):
    """Streams a file, and closes the generator of its pages however the stream ends."""

    def __init__(
        self, body: AsyncGenerator[bytes, None], pages: AsyncGenerator[Any, None], name: str, *, seconds_max: float
    ) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept"}
        super().__init__(body, media_type=f"{MEDIA_TYPE}; charset=utf-8; header=present", headers=headers)
        self._pages = pages
        self._name = name
        self._seconds_max = seconds_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with aclosing(self._pages), asyncio.timeout(self._seconds_max):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            log.warning("csv.export_timed_out", file=self._name, seconds_max=self._seconds_max)
            raise
