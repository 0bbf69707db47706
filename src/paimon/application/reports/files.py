"""Find a report's files, verify one by its hash, and explain where a figure came from."""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

import orjson

from paimon.application.audit.queries import AuditFilter, RecordedEntry, list_entries
from paimon.application.reports.store import StoredFile, StoredReport, find_by_file, find_newest_day, find_report
from paimon.domain.report.document import SourceKind
from paimon.domain.report.period import ReportKind, ReportPeriod
from paimon.errors import NotFound, Unavailable
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession
from paimon.infrastructure.reports.labels import LABELS, Language
from paimon.infrastructure.reports.render import FileFormat
from paimon.infrastructure.storage.objects import ObjectStorage


class ReportNotFound(NotFound):
    """No such report was made."""


class UnknownFile(NotFound):
    """No report has a file with this content: it was not made here, or it was changed."""


class UnknownFigure(NotFound):
    """The report has no such figure."""


class FileNotWhole(Unavailable):
    """The storage has no file of this report, or another one than was made."""


async def get_report(session: ReadSession, kind: ReportKind, day: date | None, *, version: int | None = None) -> StoredReport:
    """Return the report of the period that a day is in, or of the newest period: a version of it, or the newest one.

    Raises:
        ReportNotFound.
    """
    if day is None and (day := await find_newest_day(session, kind)) is None:
        raise ReportNotFound(f"no {kind} report was made yet")
    period = ReportPeriod.containing(kind, day)
    found = await find_report(session, kind, period.first_day, version=version)
    if found is None:
        which = f"version {version} of the {period}" if version is not None else f"{period}"
        raise ReportNotFound(f"there is no {which}; `GET /reports` lists what was made")
    return found


async def find_file(session: ReadSession, sha256: str) -> tuple[StoredReport, StoredFile]:
    """Return the file of a hash and the first version that has it.

    Raises:
        UnknownFile.
    """
    report = await find_by_file(session, sha256)
    if report is None:
        raise UnknownFile(f"no report has a file with the SHA-256 {sha256}: it was not made here, or it was changed")
    return report, next(file for file in report.files if file.sha256 == sha256)


async def read_file(objects: ObjectStorage, report: StoredReport, file: StoredFile) -> bytes:
    """Return a file's content as it was made.

    Raises:
        FileNotWhole: it is not in the storage, or was changed there.
        StorageUnavailable.
    """
    content = await objects.find(report.key(file))
    mend = f"`paimon report make {report.period.kind} {report.period.first_day}` makes a lost file again"
    if content is None:
        raise FileNotWhole(f"the storage has no {file.format} file of version {report.version} of the {report.period}; {mend}")
    if sha256(content).hexdigest() != file.sha256:
        raise FileNotWhole(
            f"the {file.format} file of version {report.version} of the {report.period} was changed in the storage; remove it,"
            f" and {mend}"
        )
    return content


@dataclass(frozen=True, slots=True)
class VerifiedFile:
    """The report that a file is of, its newest version, and the entry of the audit trail that has its hash."""

    report: StoredReport
    file: StoredFile
    newest: StoredReport
    entry: RecordedEntry | None

    @property
    def is_newest(self) -> bool:
        return self.report.id == self.newest.id


async def verify_file(session: ReadSession, content: bytes) -> VerifiedFile:
    """Return which report a file is, by its hash.

    Raises:
        UnknownFile.
    """
    report, file = await find_file(session, sha256(content).hexdigest())
    newest = await get_report(session, report.period.kind, report.period.first_day)
    entries = await list_entries(
        session, PageRequest(1, 1), AuditFilter(operation="report.made", resource=f"report/{report.id}")
    )
    return VerifiedFile(report, file, newest, next(iter(entries.items), None))


@dataclass(frozen=True, slots=True)
class ExplainedFigure:
    """A figure with what it was made from. The blocks are those after `after_block`, or `block` alone, to `block`."""

    name: str
    value: Any
    source: SourceKind
    after_block: int | None
    block: int | None

    @property
    def description(self) -> str:
        return LABELS[Language.ENGLISH][f"source.{self.source}"]


def figure_names(json_content: bytes) -> list[str]:
    """Return the full names of the figures and tables of a report's JSON file."""
    return sorted(orjson.loads(json_content)["sources"])


def explain_figure(json_content: bytes, name: str) -> ExplainedFigure:
    """Return where a figure or a table of a report's JSON file came from.

    Raises:
        UnknownFigure.
    """
    document = orjson.loads(json_content)
    source = document["sources"].get(name)
    if source is None:
        raise UnknownFigure(f"the report has no figure {name[:80]!r}; it has {', '.join(figure_names(json_content))}")
    value: Any = document
    for part in name.split("."):
        value = value[part]
    return ExplainedFigure(name, value, SourceKind(source["kind"]), source["afterBlock"], source["block"])


async def read_json(objects: ObjectStorage, report: StoredReport) -> bytes:
    """Return the JSON file of a report: its data. Raises FileNotWhole, StorageUnavailable."""
    return await read_file(objects, report, report.file(FileFormat.JSON, Language.ENGLISH))
