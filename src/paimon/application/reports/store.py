"""Storage of reports: the versions that were made, and their files by hash."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.report.document import DraftReason, Report, ReportStatus
from paimon.domain.report.period import ReportKind, ReportPeriod
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.ops.report import ReportRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page, latest_first
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.reports.labels import Language
from paimon.infrastructure.reports.render import FileFormat, RenderedFile


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a report. `language` is None where the format has no words; `sha256` is 64 hexadecimal digits."""

    format: FileFormat
    language: Language | None
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class StoredReport:
    """One version of a report. `replaces` is the id of the version before it."""

    id: int
    period: ReportPeriod
    version: int
    status: ReportStatus
    draft_reasons: tuple[DraftReason, ...]
    opening_block: int | None
    closing_block: int | None
    data_hash: bytes
    files: tuple[StoredFile, ...]
    replaces: int | None
    made_at: datetime

    def file(self, file_format: FileFormat, language: Language) -> StoredFile:
        """Return the file of a format, in a language where the format has words."""
        return next(file for file in self.files if file.format is file_format and file.language in (None, language))

    def key(self, file: StoredFile) -> str:
        """Return the object's key: it has the content's hash, so that one key never has two contents."""
        return file_key(self.period, file.sha256, file.format)


def file_key(period: ReportPeriod, sha256: str, file_format: FileFormat) -> str:
    """Return the key of a file in the object storage."""
    return f"{period.kind}/{period.first_day}/{sha256}.{file_format}"


def _stored(row: ReportRow) -> StoredReport:
    return StoredReport(
        id=row.id,
        period=ReportPeriod(row.kind, row.first_day, row.last_day),
        version=row.version,
        status=row.status,
        draft_reasons=tuple(DraftReason(reason) for reason in row.draft_reasons),
        opening_block=row.opening_block,
        closing_block=row.closing_block,
        data_hash=bytes(row.data_hash),
        files=tuple(_file(file) for file in row.files),
        replaces=row.replaces,
        made_at=as_utc(row.made_at),
    )


def _file(file: dict[str, Any]) -> StoredFile:
    language = file["language"]
    return StoredFile(
        FileFormat(file["format"]), None if language is None else Language(language), file["sha256"], file["size"]
    )


async def find_report(
    session: AsyncSession, kind: ReportKind, first_day: date, *, version: int | None = None
) -> StoredReport | None:
    """Return a version of a report, or the newest one."""
    query = select(ReportRow).where(ReportRow.kind == kind, ReportRow.first_day == first_day)
    if version is not None:
        query = query.where(ReportRow.version == version)
    row = await session.scalar(query.order_by(ReportRow.version.desc()).limit(1))
    return None if row is None else _stored(row)


async def find_newest_day(session: AsyncSession, kind: ReportKind) -> date | None:
    """Return the first day of the newest period that has a report."""
    first_day: date | None = await session.scalar(select(func.max(ReportRow.first_day)).where(ReportRow.kind == kind))
    return first_day


async def find_by_file(session: AsyncSession, sha256: str) -> StoredReport | None:
    """Return the first version that has a file with this hash."""
    has_file = ReportRow.files.contains([{"sha256": sha256}])
    row = await session.scalar(select(ReportRow).where(has_file).order_by(ReportRow.id).limit(1))
    return None if row is None else _stored(row)


async def list_reports(
    session: AsyncSession, page: PageRequest, *, kind: ReportKind | None = None, status: ReportStatus | None = None
) -> Page[StoredReport]:
    """List every version, latest first."""
    conditions: list[ColumnElement[bool]] = []
    if kind is not None:
        conditions.append(ReportRow.kind == kind)
    if status is not None:
        conditions.append(ReportRow.status == status)
    return await fetch_page(session, select(ReportRow).where(*conditions), page, _stored, order=latest_first(ReportRow.id))


async def list_final_days(session: AsyncSession, kind: ReportKind, *, since: date) -> set[date]:
    """Return the first days of the periods that have a final report."""
    query = select(ReportRow.first_day).where(
        ReportRow.kind == kind, ReportRow.status == ReportStatus.FINAL, ReportRow.first_day >= since
    )
    return set(await session.scalars(query))


async def insert_report(
    session: WriteSession, report: Report, files: tuple[RenderedFile, ...], *, data_hash: bytes, previous: StoredReport | None
) -> StoredReport | None:
    """Add the version after the previous one; None if another process added one meanwhile."""
    values = {
        "kind": report.period.kind,
        "first_day": report.period.first_day,
        "last_day": report.period.last_day,
        "version": 1 if previous is None else previous.version + 1,
        "status": report.status,
        "draft_reasons": [note.reason.value for note in report.draft_notes],
        "opening_block": report.opening.number if report.opening else None,
        "closing_block": report.closing.number if report.closing else None,
        "data_hash": data_hash,
        "files": [
            {"format": file.format, "language": file.language, "sha256": file.sha256, "size": len(file.content)}
            for file in files
        ],
        "replaces": None if previous is None else previous.id,
    }
    row = await session.scalar(insert(ReportRow).values(values).on_conflict_do_nothing().returning(ReportRow))
    return None if row is None else _stored(row)
