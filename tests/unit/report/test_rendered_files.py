"""Files of a report by other readers: the same figures in each format, real numbers, no formulas, equal bytes."""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import openpyxl
import pytest
from pypdf import PdfReader
from pypdf.generic import BooleanObject
from tests.support.factories.snapshots import position, snapshot, token
from tests.support.paths import ROOT

from paimon.domain.asset.tier import Tier
from paimon.domain.chain.range_proof import ProofLevel
from paimon.domain.kernel.units import NavPerShare, RawAmount
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.report.document import DraftReason, Edition, Report, ReportStatus, SourceKind, Unit
from paimon.domain.report.fund_report import fund_report
from paimon.domain.report.inputs import (
    BoundingSnapshot,
    DataQuality,
    EventRecord,
    NavReading,
    OpenPromise,
    RedemptionTotals,
    ReportInputs,
    RiskReading,
)
from paimon.domain.report.period import ReportKind, ReportPeriod
from paimon.domain.report.statement import Movement, MovementKind, StatementInputs, holder_statement
from paimon.domain.risk.nav_publication import NavStatus
from paimon.domain.risk.risk_event import RiskKind
from paimon.domain.vault.holder_register import RegisteredHolder
from paimon.domain.vault.nav_attribution import attribute_nav_change
from paimon.domain.vault.nav_components import AttributionGroup, ComponentKey, ComponentKind, NavAttribution, NavComponent
from paimon.domain.vault.nav_inputs import NavInputs
from paimon.infrastructure.reports.csv_file import csv_file
from paimon.infrastructure.reports.json_file import json_document
from paimon.infrastructure.reports.labels import LABELS, Language
from paimon.infrastructure.reports.pdf_file import pdf_file
from paimon.infrastructure.reports.render import FileFormat, render
from paimon.infrastructure.reports.xlsx_file import xlsx_file

DAY: Final = date(2026, 3, 2)
PERIOD: Final = ReportPeriod.containing(ReportKind.DAILY, DAY)
KINDS_OF_FEES: Final = (
    ComponentKind.MANAGEMENT,
    ComponentKind.PERFORMANCE,
    ComponentKind.MANAGEMENT_AND_PERFORMANCE,
    ComponentKind.REDEMPTION,
)
WICKED: Final = (
    '=HYPERLINK("x")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "＝1+1",  # noqa: RUF001 — spreadsheets accept full-width signs too
    "'quoted",
    "#set text(red)",
    '$x$ <b> \\ "',
)
"""Text that a spreadsheet, or the language of the PDF file's page, could take for something to run."""


def inputs(**changes: Any) -> ReportInputs:
    """Return the inputs of a day with something in every section."""
    opening = snapshot(1)
    held = (position(7), position(9, tier=Tier.L3), position(11, is_listed=False))
    closing = replace(snapshot(2_000), assets=held, redemption_liability=RawAmount(5 * 10**18))
    promise = OpenPromise(1, token(3), RedemptionChannel.STANDARD, RawAmount(5 * 10**18), PERIOD.end, awaits_approval=False)
    totals = RedemptionTotals(requested=1, requested_amount=RawAmount(5 * 10**18))
    plain = ReportInputs(
        period=PERIOD,
        read_at=PERIOD.end,
        recorded_until=PERIOD.end,
        asset_decimals=18,
        opening=BoundingSnapshot(opening, NavStatus.PUBLISHED),
        closing=BoundingSnapshot(closing, NavStatus.PUBLISHED),
        attribution=attribute_nav_change(opening, closing, NavInputs()),
        nav_history=tuple(
            NavReading(PERIOD.start + timedelta(hours=hour), NavPerShare(10**18 + hour**2 * 10**14)) for hour in range(24)
        ),
        redemptions={RedemptionChannel.STANDARD: totals},
        promises=(promise,),
        risk=RiskReading(1_990, 2, Decimal("41.50"), 3),
        events=tuple(
            EventRecord(number, RiskKind.LOW_GAS, subject, 10, None, is_open=True, is_new=True)
            for number, subject in enumerate(WICKED)
        ),
        quality=DataQuality(1_999, dict.fromkeys(ProofLevel, 1), 1, 0, 0, ((token(7), WICKED[0]),)),
    )
    return replace(plain, **changes)


def attribution_with_fees() -> NavAttribution:
    """Return the attribution of the inputs' change, a part of which is a fee."""
    plain = inputs().attribution
    assert plain is not None
    fee = NavComponent(ComponentKey(AttributionGroup.FEES, ComponentKind.MANAGEMENT), -3, -1)
    back = NavComponent(ComponentKey(AttributionGroup.PRICE, ComponentKind.PRICE, token(7)), 3, 1)
    return replace(plain, components=(*plain.components, fee, back))


WHOLE: Final = fund_report(inputs())
EMPTY: Final = fund_report(ReportInputs(PERIOD, PERIOD.start, None, 18))
MONTH: Final = fund_report(inputs(period=ReportPeriod.containing(ReportKind.MONTHLY, DAY), attribution=attribution_with_fees()))
STATEMENT: Final = holder_statement(
    StatementInputs(
        period=MONTH.period,
        read_at=MONTH.period.end,
        recorded_until=MONTH.period.end,
        asset_decimals=18,
        holder=token(3),
        opening=inputs().opening,
        closing=inputs().closing,
        closing_holding=RegisteredHolder(token(3), RawAmount(10**18), RawAmount(0), RawAmount(0), PERIOD.start),
        movements=tuple(
            Movement(kind, PERIOD.start, 10, RawAmount(10**18), RawAmount(10**18), request_id=None) for kind in MovementKind
        ),
    )
)
REPORTS: Final = {"whole": WHOLE, "empty": EMPTY, "month": MONTH, "statement": STATEMENT}


@pytest.fixture(params=REPORTS)
def report(request: pytest.FixtureRequest) -> Report:
    return REPORTS[request.param]


def at(document: dict[str, Any], name: str) -> Any:
    value: Any = document
    for part in name.split("."):
        value = value[part]
    return value


def test_json_has_every_figure_table_and_chart_with_its_source(report: Report) -> None:
    document = json.loads(json.dumps(json_document(report, Edition(1))))
    tables = {f"{section.key}.{table.key}": table for section in report.sections for table in section.tables}
    for name, figure in report.figures():
        shown = at(document, name)
        assert not isinstance(shown, dict | list), name
        if figure.unit in (Unit.MONEY, Unit.NAV, Unit.SHARES):
            assert isinstance(figure.value, int)
            assert Decimal(shown).scaleb(18) == figure.value
    for name, table in tables.items():
        assert len(at(document, name)) == len(table.rows)
    assert set(document["sources"]) == {name for name, _source in report.sources()}
    assert len(list(report.sources())) == len(document["sources"])


def test_csv_has_the_figures_of_the_json_file_and_no_formula(report: Report) -> None:
    document = json_document(report, Edition(1))
    rows = list(csv.DictReader(io.StringIO(csv_file(report, Edition(1)).decode(), newline=""), strict=True))
    shown = {f"{row['section']}.{row['name']}": row for row in rows if not row["table"]}
    for name, _figure in report.figures():
        value = at(document, name)
        assert shown[name]["value"] == ("" if value is None else str(value))
        assert shown[name]["block"] == str(document["sources"][name]["block"] or "")
    for row in rows:
        for cell in row.values():
            assert not cell.startswith(("=", "+", "@", "\t", "\r", "＝")), cell  # noqa: RUF001
            assert not cell.startswith("-") or cell[1:].replace(".", "").isdigit()


@pytest.mark.parametrize("language", Language)
def test_excel_has_real_numbers_and_neither_formulas_nor_links(report: Report, language: Language) -> None:
    book = openpyxl.load_workbook(io.BytesIO(xlsx_file(report, Edition(1), language)))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n", "d"}
    assert all(cell.hyperlink is None for cell in cells)
    assert all(sheet.freeze_panes is not None for sheet in book)
    assert book.properties.created == report.period.end.replace(tzinfo=None)
    labels, figures = LABELS[language], book.worksheets[0]
    found = {row[0].value: row for row in figures.iter_rows() if row[2].value is not None}
    for name, figure in report.figures():
        row = found[labels[name]]
        if figure.unit is Unit.MONEY:
            assert isinstance(figure.value, int)
            assert row[1].value == pytest.approx(figure.value / 10**18)
            assert Decimal(row[2].value).scaleb(18) == figure.value
    texts = {cell.value for cell in cells if cell.data_type == "s"}
    if report is WHOLE:
        assert set(WICKED) - {"\rx"} <= texts
        assert sum(len(sheet._charts) for sheet in book) == 1


@pytest.mark.parametrize("language", Language)
def test_pdf_is_tagged_pdfa_with_all_words_and_alternative_texts(report: Report, language: Language) -> None:
    reader = PdfReader(io.BytesIO(pdf_file(report, Edition(3, "ab" * 32), language)))
    root: Any = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"] == BooleanObject(True)
    metadata = root["/Metadata"].get_data().decode()
    assert "<pdfaid:part>2</pdfaid:part>" in metadata
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in metadata
    assert root["/OutputIntents"]
    assert str(root["/Lang"]).startswith(language.value)
    assert reader.metadata is not None
    assert reader.metadata.creation_date == report.period.end
    text = "".join("".join(page.extract_text() for page in reader.pages).replace("\u200b", "").split())
    labels = LABELS[language]
    for name, _figure in report.figures():
        assert "".join(labels[name].split()) in text, name
    assert "".join(labels[report.status.value].split()) in text
    assert "ab" * 32 in text
    resources: list[Any] = [page["/Resources"] for page in reader.pages]
    fonts = [font.get_object() for own in resources for font in own["/Font"].values()]
    assert {str(font["/BaseFont"]).split("+")[-1].split("-")[0] for font in fonts} == {"NotoSansSC"}
    if report is WHOLE:
        alternatives = _alternative_texts(root["/StructTreeRoot"])
        assert len(alternatives) == 2
        assert "1.000000" in alternatives[0]
        assert "82.64" in alternatives[1]
        images = [image for page in reader.pages for image in page.images]
        assert images == []
        for wicked in ("#settext(red)", '=HYPERLINK("x")', "$x$<b>"):
            assert wicked in text


def _alternative_texts(node: Any) -> list[str]:
    node = node.get_object()
    if isinstance(node, list):
        return [text for child in node for text in _alternative_texts(child)]
    if not isinstance(node, dict):
        return []
    own = [str(node["/Alt"])] if "/Alt" in node else []
    return own + (_alternative_texts(node["/K"]) if "/K" in node else [])


_RENDER: Final = """
from tests.unit.report.test_rendered_files import REPORTS
from paimon.domain.report.document import Edition
from paimon.infrastructure.reports.render import render
for report in REPORTS.values():
    for file in render(report, Edition(1)):
        print(file.sha256)
"""


def test_another_process_in_another_zone_and_locale_makes_the_same_bytes() -> None:
    here = [file.sha256 for report in REPORTS.values() for file in render(report, Edition(1))]
    environment = {
        **os.environ, "TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "7",
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    there = subprocess.run(
        [sys.executable, "-c", _RENDER], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert there.stdout.split() == here


def test_every_name_has_a_label_in_every_language() -> None:
    names: set[str] = set()
    for report in (WHOLE, MONTH, STATEMENT):
        names |= {f"section.{section.key}" for section in report.sections}
        names |= {name for name, _source in report.sources()}
        names |= {f"check.{check.key}" for check in report.checks}
        names |= {f"column.{column.key}" for section in report.sections for table in section.tables for column in table.columns}
    names |= {f"name.{name}" for kind in (Tier, RedemptionChannel, AttributionGroup) for name in kind}
    names |= {f"name.{name}" for name in ("NORMAL", "ELEVATED", "HIGH", "CRITICAL")}
    names |= {f"name.{kind}" for kind in KINDS_OF_FEES}
    names |= {f"name.{kind}" for kind in MovementKind} | {"kind.statement"}
    names |= {f"kind.{kind}" for kind in ReportKind} | {f"source.{kind}" for kind in SourceKind}
    names |= {f"reason.{reason}" for reason in DraftReason} | {status.value for status in ReportStatus}
    for language in Language:
        assert names - LABELS[language].keys() == set(), language
        assert LABELS[language].keys() == LABELS[Language.ENGLISH].keys(), language
        assert all(LABELS[language].values())


def test_a_report_without_nav_leaves_out_what_needs_it_and_says_so() -> None:
    notes = [note.reason for note in EMPTY.draft_notes]
    assert notes == [DraftReason.PERIOD_NOT_OVER, DraftReason.PERIOD_NOT_RECORDED, DraftReason.NO_SNAPSHOT]
    document = json_document(EMPTY, Edition(1))
    assert document["omitted"] == dict.fromkeys(
        ("summary", "change", "flows", "liquidity", "holdings", "promises"), "no_snapshot"
    )
    assert document["operations"]["approvals"]["opened"] == 0
    assert (document["opening"], document["closing"]) == (None, None)


def test_a_report_is_final_only_with_official_nav_of_a_period_that_is_over_and_ties() -> None:
    assert (WHOLE.status, [check.key for check in WHOLE.checks if not check.holds]) == (ReportStatus.DRAFT, ["netFlow"])
    tied = inputs(redemptions={}, promises=())
    closing = tied.closing
    assert closing is not None
    assert tied.opening is not None
    opening = tied.opening.snapshot
    fund = replace(closing.snapshot, redemption_liability=RawAmount(0))
    tied = replace(
        tied,
        closing=BoundingSnapshot(fund, NavStatus.PUBLISHED),
        attribution=attribute_nav_change(opening, fund, NavInputs()),
    )
    assert fund_report(tied).status is ReportStatus.FINAL
    moment = timedelta(microseconds=1)
    for changes, reason in (
        ({"read_at": PERIOD.end - moment}, DraftReason.PERIOD_NOT_OVER),
        ({"recorded_until": PERIOD.end - moment}, DraftReason.PERIOD_NOT_RECORDED),
        ({"closing": BoundingSnapshot(fund, None)}, DraftReason.NAV_NOT_DECIDED),
        ({"closing": BoundingSnapshot(fund, NavStatus.WITHHELD, "a break")}, DraftReason.NAV_WITHHELD),
        ({"opening": BoundingSnapshot(opening, NavStatus.WITHHELD)}, DraftReason.NAV_WITHHELD),
        ({"promises": inputs().promises}, DraftReason.DOES_NOT_ADD_UP),
    ):
        report = fund_report(replace(tied, **changes))
        assert [note.reason for note in report.draft_notes] == [reason], reason
        assert report.status is ReportStatus.DRAFT


def test_files_are_of_every_format_and_language() -> None:
    files = render(EMPTY, Edition(1))
    assert {(file.format, file.language) for file in files} == {
        *((name, None) for name in (FileFormat.JSON, FileFormat.CSV)),
        *((name, language) for name in (FileFormat.XLSX, FileFormat.PDF) for language in Language),
    }
    assert len({file.sha256 for file in files}) == len(files)
