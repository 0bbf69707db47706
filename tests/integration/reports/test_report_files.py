"""Files of reports: kept once, made again byte for byte, and never half there; drafts, final ones and corrections."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import select
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.fund import DAY, TestFund
from tests.support.cli_processes import CliRunner, environment_at_a_terminal
from tests.support.database_roles import context_of
from tests.support.factories.rows import insert_row
from tests.support.s3 import serving_s3
from tests.support.scenarios.fund_activity import FundActivity, snapshot_now

from paimon.application.nav.publication import publish_nav
from paimon.application.reconciliation.reconcile import reconcile
from paimon.application.reports.files import FileNotWhole, read_file, verify_file
from paimon.application.reports.make import MadeMeanwhile, MadeReport, make_due_reports, make_report
from paimon.application.reports.store import find_report
from paimon.composition import AppContext, open_report_objects
from paimon.domain.report.document import DraftReason, ReportStatus
from paimon.domain.report.period import ReportKind, ReportPeriod
from paimon.gateway.fund_documents import FundDocuments
from paimon.infrastructure.database.models.ops.audit import AuditEntryRow
from paimon.infrastructure.database.models.ops.plan import PlanRow
from paimon.infrastructure.database.models.ops.report import ReportRow
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.reports.labels import Language
from paimon.infrastructure.reports.render import FileFormat
from paimon.infrastructure.storage.objects import ObjectStorage, StorageUnavailable
from paimon.settings import ReportsSettings, Settings

pytestmark = pytest.mark.integration

STEPS: Final = 2_500


async def publish(context: AppContext) -> None:
    await reconcile(context.database, context.contracts)
    await publish_nav(context.database, FundDocuments(context.database, context.redis))


async def a_day_with_a_deposit(context: AppContext, fund: TestFund) -> ReportPeriod:
    """Record the fund's first day, with a deposit and a request, and the beginning of the day after it."""
    first = await snapshot_now(context, fund)
    FundActivity(fund).deposit("ines", 1_000)
    fund.request("ines", 10)
    await snapshot_now(context, fund)
    fund.warp(DAY)
    await snapshot_now(context, fund)
    return ReportPeriod.containing(ReportKind.DAILY, first.at.timestamp.date())


async def make(context: AppContext, objects: ObjectStorage, period: ReportPeriod) -> MadeReport:
    """Make a report as a worker does, an hour after its period."""
    async with context_of(DatabaseRole.WORKER, context) as worker:
        return await make_report(worker.database, objects, period, now=period.end + timedelta(hours=1), steps_max=STEPS)


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with serving_s3() as url:
        yield url


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStorage:
    """Return a storage of one kind, empty for this test."""
    base = f"file://{tmp_path}" if request.param == "folder" else request.getfixturevalue("s3_url")
    return ObjectStorage(f"{base}/{tmp_path.name}", timeout_seconds=20)


async def test_a_report_is_kept_once_and_made_again_byte_for_byte(
    app_context: AppContext, fund: TestFund, objects: ObjectStorage
) -> None:
    period = await a_day_with_a_deposit(app_context, fund)
    await publish(app_context)
    first = await make(app_context, objects, period)
    assert (first.is_new, first.report.version, first.report.status) == (True, 1, ReportStatus.FINAL)
    assert {(file.format, file.language) for file in first.report.files} == {
        ("json", None), ("csv", None), ("xlsx", "en"), ("xlsx", "zh"), ("pdf", "en"), ("pdf", "zh"),
    }  # fmt: skip
    for file in first.report.files:
        content = await read_file(objects, first.report, file)
        assert len(content) == file.size
        async with app_context.database.read() as session:
            verified = await verify_file(session, content)
        assert (verified.report.id, verified.file, verified.is_newest) == (first.report.id, file, True)
    again = await make(app_context, objects, period)
    assert (again.is_new, again.report) == (False, first.report)
    async with app_context.database.read() as session:
        entry = (await session.scalars(select(AuditEntryRow).where(AuditEntryRow.operation == "report.made"))).one()
    assert entry.resource == f"report/{first.report.id}"
    assert entry.payload is not None
    assert all(file.sha256 in entry.payload for file in first.report.files)


async def test_a_lost_file_is_made_again_and_a_changed_one_is_refused(app_context: AppContext, fund: TestFund) -> None:
    objects = open_report_objects(app_context.settings)
    period = await a_day_with_a_deposit(app_context, fund)
    report = (await make(app_context, objects, period)).report
    folder = Path(app_context.settings.reports.storage_url.removeprefix("file://"))
    file = report.file(FileFormat.PDF, Language.CHINESE)
    path = folder / report.key(file)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    with pytest.raises(
        FileNotWhole, match=r"pdf file of version 1 .* was changed in the storage; remove it, and `paimon report"
    ):
        await read_file(objects, report, file)
    path.unlink()
    with pytest.raises(FileNotWhole, match="has no pdf file of version 1 of the daily report of"):
        await read_file(objects, report, file)
    assert not (await make(app_context, objects, period)).is_new
    assert await read_file(objects, report, file) == content


async def test_a_draft_becomes_final_by_itself_once_nav_is_published(app_context: AppContext, fund: TestFund) -> None:
    objects = open_report_objects(app_context.settings)
    period = await a_day_with_a_deposit(app_context, fund)
    options, soon = ReportsSettings(delay_minutes=30), period.end + timedelta(minutes=29)

    async def make_due(now: datetime) -> list[tuple[int, ReportStatus, list[DraftReason]]]:
        async with context_of(DatabaseRole.WORKER, app_context) as worker:
            made = await make_due_reports(worker.database, objects, options, now=now, steps_max=STEPS)
        daily = [one.report for one in made if one.report.period == period]
        return [(report.version, report.status, list(report.draft_reasons)) for report in daily]

    assert await make_due(soon) == []
    later = soon + timedelta(minutes=1)
    undecided = [DraftReason.NAV_NOT_DECIDED] * 2
    assert await make_due(later) == [(1, ReportStatus.DRAFT, undecided)]
    assert await make_due(later) == []
    await publish(app_context)
    assert await make_due(later) == [(2, ReportStatus.FINAL, [])]
    assert await make_due(later) == []
    async with app_context.database.read() as session:
        draft = await find_report(session, period.kind, period.first_day, version=1)
        final = await find_report(session, period.kind, period.first_day)
    assert draft is not None
    assert final is not None
    assert final.replaces == draft.id
    data = json.loads(await read_file(objects, final, final.file(FileFormat.JSON, Language.ENGLISH)))
    assert (data["version"], data["replaces"]) == (2, draft.file(FileFormat.JSON, Language.ENGLISH).sha256)


async def test_a_correction_is_a_version_that_a_person_asks_for(app_context: AppContext, fund: TestFund) -> None:
    objects = open_report_objects(app_context.settings)
    period = await a_day_with_a_deposit(app_context, fund)
    await publish(app_context)
    final = (await make(app_context, objects, period)).report
    async with app_context.database.write() as session:
        await insert_row(session, PlanRow, created_at=period.start + timedelta(hours=1))
    now = period.end + timedelta(hours=1)
    assert not [
        one
        for one in await make_due_reports(app_context.database, objects, app_context.settings.reports, now=now, steps_max=STEPS)
        if one.report.period == period
    ]
    corrected = await make(app_context, objects, period)
    assert (corrected.is_new, corrected.report.version, corrected.report.replaces) == (True, 2, final.id)
    again = await make(app_context, objects, period)
    assert (again.is_new, again.report) == (False, corrected.report)
    async with app_context.database.read() as session:
        old = await verify_file(session, await read_file(objects, final, final.files[0]))
    assert (old.report.version, old.newest.version, old.is_newest) == (1, 2, False)


async def test_two_makers_at_once_make_one_version(app_context: AppContext, fund: TestFund) -> None:
    objects = open_report_objects(app_context.settings)
    period = await a_day_with_a_deposit(app_context, fund)
    results = await asyncio.gather(*(make(app_context, objects, period) for _ in range(3)), return_exceptions=True)
    for result in results:
        assert isinstance(result, MadeMeanwhile | MadeReport), result
    assert any(isinstance(result, MadeReport) and result.is_new for result in results)
    async with app_context.database.read() as session:
        assert [row.version for row in await session.scalars(select(ReportRow))] == [1]


async def test_a_storage_that_refuses_leaves_no_report_behind(
    app_context: AppContext, fund: TestFund, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3_url: str
) -> None:
    period = await a_day_with_a_deposit(app_context, fund)
    (tmp_path / "a-file").write_text("no folder")
    no_folder = ObjectStorage(f"file://{tmp_path}/a-file/reports", timeout_seconds=5)
    no_bucket = ObjectStorage("s3://no-such-bucket/reports", timeout_seconds=5)
    for broken in (no_folder, no_bucket):
        with pytest.raises(StorageUnavailable, match=rf"{broken.url}/daily/{period.first_day}/[0-9a-f]{{64}}\.json: "):
            await make(app_context, broken, period)
    async with app_context.database.read() as session:
        assert await find_report(session, period.kind, period.first_day) is None
    assert (await make(app_context, ObjectStorage(f"{s3_url}/mended", timeout_seconds=20), period)).is_new


@pytest.fixture(scope="module")
def cli() -> Iterator[CliRunner]:
    with CliRunner() as runner:
        yield runner


async def test_commands_make_save_verify_and_explain_in_any_zone_and_locale(
    app_context: AppContext, settings: Settings, fund: TestFund, cli: CliRunner, tmp_path: Path
) -> None:
    first = await snapshot_now(app_context, fund)
    FundActivity(fund).deposit("ines", 1_000)
    await snapshot_now(app_context, fund)
    period = ReportPeriod.containing(ReportKind.MONTHLY, first.at.timestamp.date())
    objects, day = open_report_objects(settings), str(period.last_day)
    made = await make_report(app_context.database, objects, period, now=datetime.now(UTC), steps_max=STEPS)

    def run(*arguments: str, code: int = 0, **changes: str) -> str:
        process = cli.start("report", *arguments, env=environment_at_a_terminal(settings) | changes)
        assert process.wait() == code, process.output_text
        return process.output_text

    for zone, locale in (("Pacific/Apia", "tr_TR.UTF-8"), ("America/St_Johns", "de_DE.UTF-8")):
        again = run("make", "monthly", day, TZ=zone, LC_ALL=locale, LANG=locale)
        assert "version 1, a draft: period_not_over, period_not_recorded" in again
        assert again.splitlines()[0].endswith("; unchanged, the files are the same")
        assert made.report.files[0].sha256 in again
    assert " monthly " in run("list", "--kind", "monthly")
    pdf, data = tmp_path / "report.pdf", tmp_path / "report.json"
    assert f"bytes to {pdf}" in run("save", "monthly", day, str(pdf), "--language", "zh")
    assert "exists; give another name" in run("save", "monthly", day, str(pdf), code=2)
    run("save", "monthly", day, str(data))
    verified = run("verify", str(pdf))
    assert f"report.pdf: the pdf file of version 1 of the {period}, a draft" in verified
    assert "of the audit trail has its hash, not sealed yet" in verified
    explained = run("explain", str(pdf), "--figure", "summary.closingAum")
    closing = json.loads(data.read_text())["summary"]["closingAum"]
    assert f"summary.closingAum: {closing}\n" in explained
    assert f"at block {made.report.closing_block}\n" in explained
    assert "flows.deposits.amount" in run("explain", str(data))
    assert "the report has no figure 'summary.nothing'; it has " in run(
        "explain", str(data), "--figure", "summary.nothing", code=2
    )
    statement, holder = tmp_path / "statement.json", fund.accounts.address("ines")
    said = run("statement", holder, day, str(statement))
    assert "\ndraft: period_not_over, period_not_recorded" in said
    assert json.loads(statement.read_text())["holder"] == holder
    assert "must end with .json, .csv, .xlsx, .pdf" in run("statement", holder, day, str(tmp_path / "x.doc"), code=2)
    assert "not an address: '0xabc'" in run("statement", "0xabc", day, str(tmp_path / "x.pdf"), code=2)
    pdf.write_bytes(pdf.read_bytes() + b"\n")
    assert "it was not made here, or it was changed" in run("verify", str(pdf), code=2)


async def test_reports_over_rest_in_every_format(app_context: AppContext, api_client: ApiClient, fund: TestFund) -> None:
    objects = open_report_objects(app_context.settings)
    period = await a_day_with_a_deposit(app_context, fund)
    assert (await api_client.get("/reports/daily")).json()["error"]["message"] == "no daily report was made yet"
    await publish(app_context)
    report = (await make(app_context, objects, period)).report
    listed = await api_client.get("/reports", kind="daily", status="FINAL")
    require_example(listed, "reports")
    (item,) = listed.json()["data"]["items"]
    assert (item["firstDay"], item["version"], len(item["files"])) == (str(period.first_day), 1, 6)
    assert (await api_client.get("/reports", status="DRAFT")).json()["data"]["items"] == []
    shown = await api_client.get("/reports/daily", date=str(period.first_day))
    require_example(shown, "report_data")
    assert shown.json()["data"] == json.loads(await read_file(objects, report, report.files[0]))
    assert (await api_client.get("/reports/daily")).json()["data"] == shown.json()["data"]
    for media_type, file_format in (
        ("application/pdf", FileFormat.PDF),
        ("application/json;q=0.5, application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", FileFormat.XLSX),
        ("text/csv, application/json;q=0.9", FileFormat.CSV),
    ):
        for language in Language:
            file = report.file(file_format, language)
            answer = await api_client.get_with(f"/reports/daily?language={language}", {"Accept": media_type}, by="willa")
            content = await read_file(objects, report, file)
            assert (answer.status_code, answer.content) == (200, content)
            by_format = await api_client.get("/reports/daily", format=file_format.value, language=language.value)
            assert by_format.content == content
            name = f'attachment; filename="paimon-daily-{period.first_day}-v1'
            assert by_format.headers["Content-Disposition"].startswith(name)
            assert by_format.headers["Content-Digest"] == f"sha-256=:{b64encode(sha256(content).digest()).decode()}:"
    for path, query, code, message in (
        ("/reports/daily", {"date": "2020-01-01"}, 404, "there is no daily report of 2020-01-01; `GET /reports` lists"),
        ("/reports/daily", {"date": str(period.first_day), "version": 2}, 404, "there is no version 2 of the daily report"),
        ("/reports/yearly", {}, 400, "'daily', 'weekly' or 'monthly'"),
        ("/reports/daily", {"format": "docx"}, 400, "'json', 'csv', 'xlsx' or 'pdf'"),
    ):
        answer = await api_client.get(path, **query)
        assert (answer.status_code, message in answer.text) == (code, True), answer.text


async def test_a_statement_over_rest_in_every_format(app_context: AppContext, api_client: ApiClient, fund: TestFund) -> None:
    period = await a_day_with_a_deposit(app_context, fund)
    await publish(app_context)
    holder, month = fund.accounts.address("ines"), {"date": str(period.first_day)}
    shown = await api_client.get(f"/statements/{holder}", **month)
    data = shown.json()["data"]
    if data["value"]["moneyWeightedReturn"] is not None:  # null where the month has no rate that solves it
        require_example(shown, "statement")
    assert (data["kind"], data["holder"]) == ("statement", holder)
    assert all(check["holds"] for check in data["checks"])
    assert Decimal(data["value"]["deposits"]) > 0
    assert [row["movement"] for row in data["movements"]["list"]] == ["deposit", "requested"]
    seen = await api_client.get_with(
        f"/statements/{holder}?date={period.first_day}", {"If-None-Match": shown.headers["ETag"]}, by="willa"
    )
    assert seen.status_code == 304
    for file_format, start in (("pdf", b"%PDF-"), ("xlsx", b"PK"), ("csv", b"section,")):
        answer = await api_client.get(f"/statements/{holder}", format=file_format, language="zh", **month)
        assert answer.content.startswith(start)
        again = await api_client.get(f"/statements/{holder}", format=file_format, language="zh", **month)
        assert again.content == answer.content
        assert answer.headers["Content-Digest"] == f"sha-256=:{b64encode(sha256(answer.content).digest()).decode()}:"
        assert f"paimon-statement-{holder}-{period.first_day:%Y-%m}" in answer.headers["Content-Disposition"]
    stranger = (await api_client.get(f"/statements/{fund.accounts.address('otto')}", **month)).json()["data"]
    assert (stranger["value"]["closing"], stranger["movements"]) == ("0.000000000000000000", {"count": 0})
    refused = await api_client.get("/statements/0x12", **month)
    assert (refused.status_code, "0x12" in refused.text) == (400, True)
