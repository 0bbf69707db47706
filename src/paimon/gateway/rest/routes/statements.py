"""Endpoint of a holder's monthly statement, made when it is asked for."""

import asyncio
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from paimon.application.reports.statement import collect_statement
from paimon.domain.kernel.chain import Address
from paimon.domain.report.period import ReportKind, ReportPeriod
from paimon.domain.report.statement import holder_statement, statement_name
from paimon.gateway.rest.conditional import IfNoneMatch, encoded_response
from paimon.gateway.rest.dependencies import ContextDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.list_responses import counted_export
from paimon.gateway.rest.openapi import conditional, documented_responses, with_files
from paimon.gateway.rest.routes.reports import FILE_CONTENTS, FileFormatDep, download_response
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.views.reports import StatementView
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.reports.labels import Language
from paimon.infrastructure.reports.render import FileFormat, render_statement

router = APIRouter(prefix="/statements", tags=["reports"])


@router.get(
    "/{holder}",
    operation_id="getStatement",
    summary="Make a holder's statement of a month, as JSON, PDF, XLSX or CSV",
    response_model=Envelope[StatementView],
    responses=with_files(FILE_CONTENTS, conditional(documented_responses("statement", 400, 401, 503))),
)
async def statement(
    holder: Annotated[AddressText, Path(description="the holder's address")],
    context: ContextDep,
    _user: SignedInUser,
    file_format: FileFormatDep,
    if_none_match: IfNoneMatch,
    day: Annotated[date | None, Query(alias="date", description="a UTC day of the month; today without it")] = None,
    language: Annotated[Language, Query(description="of a PDF or XLSX file")] = Language.ENGLISH,
) -> Response:
    """Opening + flows + result - fees = closing, with every movement and its block. A month that is not over is a draft."""
    async with counted_export(context.settings.api.csv_files_max):
        async with context.database.read() as session:
            now = await database_now(session)
            period = ReportPeriod.containing(ReportKind.MONTHLY, day or now.date())
            inputs = await collect_statement(session, Address(holder), period, vault=context.settings.fund.vault, now=now)
        file = await asyncio.to_thread(render_statement, holder_statement(inputs), file_format, language)
    if file_format is FileFormat.JSON:
        return encoded_response(file.content, if_none_match)
    ending = file_format if file.language is None else f"{file.language}.{file_format}"
    return download_response(f"{statement_name(inputs.holder, period)}.{ending}", file_format, file.content, sha256=file.sha256)
