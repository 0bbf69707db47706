"""JSON shapes of the reports that were made. A report's own JSON is a file: see `infrastructure/reports/json_file.py`."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from paimon.application.reports.store import StoredFile, StoredReport
from paimon.domain.report.document import DraftReason, ReportStatus
from paimon.domain.report.period import ReportKind
from paimon.gateway.rest.schema import ApiModel, Time
from paimon.infrastructure.reports.labels import Language
from paimon.infrastructure.reports.render import FileFormat


class ReportFileView(ApiModel):
    """A file of a report; `GET /reports/{kind}?date&version&format&language` returns it."""

    format: FileFormat
    language: Language | None = Field(description="null where the format has no words")
    sha256: str = Field(description="64 hexadecimal digits; also in the audit trail")
    size: int = Field(description="bytes")

    @classmethod
    def of(cls, file: StoredFile) -> Self:
        return cls(format=file.format, language=file.language, sha256=file.sha256, size=file.size)


class ReportView(ApiModel):
    """One version of a report."""

    id: int
    kind: ReportKind
    first_day: date
    last_day: date = Field(description="included; days are in UTC")
    version: int
    status: ReportStatus
    draft_reasons: list[DraftReason]
    opening_block: int | None
    closing_block: int | None
    replaces: int | None = Field(description="the id of the version before it")
    made_at: Time
    files: list[ReportFileView]

    @classmethod
    def of(cls, report: StoredReport) -> Self:
        return cls(
            id=report.id,
            kind=report.period.kind,
            first_day=report.period.first_day,
            last_day=report.period.last_day,
            version=report.version,
            status=report.status,
            draft_reasons=list(report.draft_reasons),
            opening_block=report.opening_block,
            closing_block=report.closing_block,
            replaces=report.replaces,
            made_at=report.made_at,
            files=[ReportFileView.of(file) for file in report.files],
        )


SectionView = Annotated[dict[str, Any] | None, Field(exclude_if=lambda section: section is None)]
"""A section by its figures and tables; absent where it is left out."""


class ReportDataView(ApiModel):
    """The content of a report's JSON file. A section that is left out is absent, and `omitted` has the reason."""

    format: int = Field(description="version of this form")
    kind: ReportKind
    day: date = Field(alias="date")
    first_day: date
    last_day: date
    status: ReportStatus
    version: int
    replaces: str | None = Field(description="SHA-256 of the JSON file of the version before it")
    draft_notes: list[dict[str, Any]]
    opening: dict[str, Any] | None = Field(description="number, hash and time of the opening block")
    closing: dict[str, Any] | None
    from_first_snapshot: bool
    summary: SectionView = None
    performance: SectionView = None
    change: SectionView = None
    flows: SectionView = None
    liquidity: SectionView = None
    holdings: SectionView = None
    risk: SectionView = None
    operations: SectionView = None
    promises: SectionView = None
    quality: SectionView = None
    omitted: dict[str, DraftReason] = Field(description="sections that are left out, each with the reason")
    checks: list[dict[str, Any]] = Field(description="figures that must be equal, and whether they are")
    sources: dict[str, Any] = Field(description="by figure and table: what it is made from, and its blocks")


class StatementView(ApiModel):
    """The content of a statement's JSON file. A section that is left out is absent, and `omitted` has the reason."""

    format: int = Field(description="version of this form")
    kind: Literal["statement"]
    holder: str
    day: date = Field(alias="date")
    first_day: date
    last_day: date
    status: ReportStatus
    version: int = Field(description="always 1: a statement is made from the books when it is asked for")
    replaces: None
    draft_notes: list[dict[str, Any]]
    opening: dict[str, Any] | None = Field(description="number, hash and time of the opening block")
    closing: dict[str, Any] | None
    from_first_snapshot: bool
    value: SectionView = None
    holding: SectionView = None
    movements: SectionView = None
    omitted: dict[str, DraftReason] = Field(description="sections that are left out, each with the reason")
    checks: list[dict[str, Any]] = Field(description="figures that must be equal, and whether they are")
    sources: dict[str, Any] = Field(description="by figure and table: what it is made from, and its blocks")
