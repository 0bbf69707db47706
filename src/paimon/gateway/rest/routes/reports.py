"""Endpoints of the reports: list what was made, and show one in the format that the request prefers."""

from base64 import b64encode
from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Response

from paimon.application.reports.files import get_report, read_file
from paimon.application.reports.store import StoredFile, StoredReport, list_reports
from paimon.composition import open_report_objects
from paimon.domain.report.document import ReportStatus
from paimon.domain.report.period import ReportKind
from paimon.gateway.rest.conditional import IfNoneMatch, encoded_response
from paimon.gateway.rest.dependencies import ContextDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import ListRequestDep, accepted_qualities, list_response, paged_table
from paimon.gateway.rest.openapi import conditional, documented_responses, with_csv, with_files
from paimon.gateway.rest.views.reports import ReportDataView, ReportView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession
from paimon.infrastructure.reports.labels import Language
from paimon.infrastructure.reports.render import FileFormat

router = APIRouter(prefix="/reports", tags=["reports"])

_REPORTS: Final = paged_table("reports", ReportView, Envelope[Listing[ReportView]])

MEDIA_TYPES: Final = {
    FileFormat.JSON: "application/json",
    FileFormat.CSV: "text/csv",
    FileFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    FileFormat.PDF: "application/pdf",
}
_CSV_EXAMPLE: Final = (
    "section,table,row,name,value,unit,source,afterBlock,block\r\n"
    "summary,,,closingNav,1.020000000000000000,nav,closing_snapshot,,1200\r\n"
    "flows,,,deposits.count,3,count,deposits,1100,1200\r\n"
)
FILE_CONTENTS: Final[dict[str, dict[str, Any]]] = {
    MEDIA_TYPES[FileFormat.PDF]: {"schema": {"type": "string", "format": "binary"}},
    MEDIA_TYPES[FileFormat.XLSX]: {"schema": {"type": "string", "format": "binary"}},
    MEDIA_TYPES[FileFormat.CSV]: {
        "schema": {"type": "string", "description": "one line for each value, RFC 4180"},
        "example": _CSV_EXAMPLE,
    },
}


async def get_file_format(
    requested: Annotated[
        FileFormat | None, Query(alias="format", description="a file, as with its media type in Accept; JSON by default")
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> FileFormat:
    """Return the requested format, or the one that the Accept header prefers."""
    if requested is not None:
        return requested
    qualities = accepted_qualities(accept)
    return max(FileFormat, key=lambda name: (qualities.get(MEDIA_TYPES[name], 0.0), name is FileFormat.JSON))


Kind = Annotated[Literal["daily", "weekly", "monthly"], Path(description="the length of the period")]
FileFormatDep = Annotated[FileFormat, Depends(get_file_format)]


@router.get(
    "",
    operation_id="listReports",
    summary="List every version of every report, latest first",
    response_model=_REPORTS.envelope,
    responses=with_csv(_REPORTS, documented_responses("reports", 400, 401, 503)),
)
async def reports(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    kind: ReportKind | None = None,
    status: ReportStatus | None = None,
) -> Any:
    """A draft becomes final by itself. Another version of a final report is a correction, and names the one before it."""

    async def read(session: ReadSession, page: PageRequest) -> Listing[ReportView]:
        found = await list_reports(session, page, kind=kind, status=status)
        return Listing[ReportView].page(found.mapped(ReportView.of))

    return await list_response(context, list_request, _REPORTS, read)


@router.get(
    "/{kind}",
    operation_id="getReport",
    summary="Show the report of a day, week or month, as JSON, PDF, XLSX or CSV",
    response_model=Envelope[ReportDataView],
    responses=with_files(FILE_CONTENTS, conditional(documented_responses("report_data", 400, 401, 404, 503))),
)
async def report(
    kind: Kind,
    context: ContextDep,
    _user: SignedInUser,
    file_format: FileFormatDep,
    if_none_match: IfNoneMatch,
    day: Annotated[
        date | None, Query(alias="date", description="a UTC day of the period; the newest report without it")
    ] = None,
    language: Annotated[Language, Query(description="of a PDF or XLSX file")] = Language.ENGLISH,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="the newest version without it")] = None,
) -> Response:
    """The file as it was made, after comparing it with its recorded hash: nothing is computed to answer."""
    async with context.database.read() as session:
        found = await get_report(session, ReportKind(kind), day, version=version)
    chosen = found.file(file_format, language)
    content = await read_file(open_report_objects(context.settings), found, chosen)
    if file_format is FileFormat.JSON:
        return encoded_response(content, if_none_match)
    return _file_response(found, chosen, content)


def _file_response(report: StoredReport, file: StoredFile, content: bytes) -> Response:
    language = "" if file.language is None else f".{file.language}"
    name = f"paimon-{report.period.kind}-{report.period.first_day}-v{report.version}{language}.{file.format}"
    return download_response(name, file.format, content, sha256=file.sha256)


def download_response(name: str, file_format: FileFormat, content: bytes, *, sha256: str) -> Response:
    """Respond with a file and its hash."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Digest": f"sha-256=:{b64encode(bytes.fromhex(sha256)).decode()}:",
        "Cache-Control": "private, no-cache",
    }
    return Response(content, media_type=MEDIA_TYPES[file_format], headers=headers)
