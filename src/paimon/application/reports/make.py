"""Make a report: collect, render, keep the files, then the version that names them.

    inputs at named blocks ──► report ──► the same data as the newest version?  ──► yes: nothing new, its files are kept
                                                                                └─► no: files first, then the version's row

A file's key has the hash of its content, so writing it again is safe, and a file without a version is shown nowhere. A draft
becomes final by being made again. Another version of a final report is a correction; only a person asks for one.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from paimon.application.nav.queries import find_first_kept_block
from paimon.application.reports.collect import collect_inputs
from paimon.application.reports.store import (
    StoredReport,
    file_key,
    find_report,
    insert_report,
    list_final_days,
)
from paimon.domain.report.document import Edition
from paimon.domain.report.fund_report import fund_report
from paimon.domain.report.period import ReportKind, ReportPeriod, due_periods
from paimon.errors import Conflict
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.reports.render import FileFormat, RenderedFile, data_hash, render
from paimon.infrastructure.storage.objects import ObjectExists, ObjectStorage
from paimon.settings import ReportsSettings

log = structlog.get_logger(__name__)

_PERIOD_DAYS_MAX: Final = 31


class MadeMeanwhile(Conflict):
    """Another process made a version of this report at the same time; make it again to see whether anything is left to do."""


class NotReproduced(Conflict):
    """The data is that of the newest version, and its files are not: the files were made by another version of the program."""


@dataclass(frozen=True, slots=True)
class MadeReport:
    """The newest version, and whether this run made it."""

    report: StoredReport
    is_new: bool


async def make_report(
    database: Database, objects: ObjectStorage, period: ReportPeriod, *, now: datetime, steps_max: int, again: bool = True
) -> MadeReport:
    """Make the report of a period from what is recorded now, as a draft where it cannot be final.

    Where the newest version has this data, its files are made `again`, compared with their hashes and kept if one is lost.

    Raises:
        MadeMeanwhile, NotReproduced, StorageUnavailable.
    """
    async with database.read() as session:
        inputs = await collect_inputs(session, period, now=now, steps_max=steps_max)
        newest = await find_report(session, period.kind, period.first_day)
        replaced = newest
        if newest is not None and newest.version > 1:
            replaced = await find_report(session, period.kind, period.first_day, version=newest.version - 1)
    report = fund_report(inputs)
    digest = await asyncio.to_thread(data_hash, report)
    if newest is not None and newest.data_hash == digest:
        if not again:
            return MadeReport(newest, is_new=False)
        files = await asyncio.to_thread(render, report, _edition(newest.version, replaced))
        _require_same(newest, files)
        await _keep(objects, period, files)
        return MadeReport(newest, is_new=False)
    files = await asyncio.to_thread(render, report, _edition(1 if newest is None else newest.version + 1, newest))
    await _keep(objects, period, files)
    async with database.write() as session:
        stored = await insert_report(session, report, files, data_hash=digest, previous=newest)
    if stored is None:
        raise MadeMeanwhile
    log.info(
        "report.made", report=str(period), version=stored.version, status=stored.status, closing_block=stored.closing_block
    )
    return MadeReport(stored, is_new=True)


def _edition(version: int, replaced: StoredReport | None) -> Edition:
    if version == 1 or replaced is None:
        return Edition(version)
    return Edition(version, next(file.sha256 for file in replaced.files if file.format is FileFormat.JSON))


def _require_same(newest: StoredReport, files: tuple[RenderedFile, ...]) -> None:
    hashes = {file.sha256 for file in newest.files}
    for file in files:
        if file.sha256 not in hashes:
            raise NotReproduced(
                f"version {newest.version} of the {newest.period} has the same data and another {file.format} file: it was made"
                " by another version of the program"
            )


async def _keep(objects: ObjectStorage, period: ReportPeriod, files: tuple[RenderedFile, ...]) -> None:
    for file in files:
        try:
            await objects.create(file_key(period, file.sha256, file.format), file.content)
        except ObjectExists:  # with this content: the key has its hash
            continue


async def make_due_reports(
    database: Database, objects: ObjectStorage, options: ReportsSettings, *, now: datetime, steps_max: int
) -> list[MadeReport]:
    """Make every report that is due and not final yet, oldest first; return those that were made.

    Raises:
        StorageUnavailable: what was not made is made by the next run.
    """
    async with database.read() as session:
        first = await find_first_kept_block(session)
        if first is None:
            return []
        since = (now - timedelta(days=options.catch_up_days + _PERIOD_DAYS_MAX)).date()
        days = {kind: await list_final_days(session, kind, since=since) for kind in ReportKind}
    made: list[MadeReport] = []
    for kind in ReportKind:
        for period in due_periods(kind, first.timestamp.date(), now=now, delay=options.delay, days_max=options.catch_up_days):
            if period.first_day in days[kind]:
                continue
            try:
                found = await make_report(database, objects, period, now=now, steps_max=steps_max, again=False)
            except (MadeMeanwhile, NotReproduced) as conflict:
                log.warning("report.not_made", report=str(period), reason=str(conflict))
                continue
            if found.is_new:
                made.append(found)
    return made
