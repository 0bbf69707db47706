"""The Excel file of a report: real numbers with their formats, the exact text of each figure, native charts, frozen headers.

A number of Excel keeps 15 digits. So the sheet of figures has each value twice: as a number to calculate with, and as exact
text. The file has no formulas and no links, with any text, and no time but the period's.
"""

import io
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import xlsxwriter

from paimon.domain.kernel.chain import checksum
from paimon.domain.report.document import Chart, Column, Edition, Report, Section, Table, Unit, Value
from paimon.domain.report.values import as_decimal, exact_text
from paimon.infrastructure.reports.labels import Language
from paimon.infrastructure.reports.words import Words

_FORMATS: Final[dict[Unit, str]] = {
    Unit.MONEY: "#,##0.00",
    Unit.NAV: "#,##0.000000",
    Unit.SHARES: "#,##0.0000",
    Unit.RATIO: "0.00%",
    Unit.RETURN: "0.0000%",
    Unit.COUNT: "#,##0",
    Unit.GAS: "#,##0",
    Unit.SECONDS: "#,##0",
    Unit.BLOCK: "0",
    Unit.NUMBER: "General",
    Unit.TIME: "yyyy-mm-dd hh:mm:ss",
}
_SHEET_NAME_MAX: Final = 31
_WIDTHS: Final = (46, 24, 34, 10, 44, 14, 14)


def xlsx_file(report: Report, edition: Edition, language: Language) -> bytes:
    """Return the file."""
    content = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    workbook = xlsxwriter.Workbook(content, options)
    book = _Book(workbook, report, edition, Words.of(language, report.asset_decimals))
    book.write()
    workbook.close()
    return content.getvalue()


class _Book:
    """The sheets under construction."""

    def __init__(self, workbook: Any, report: Report, edition: Edition, words: Words) -> None:
        self._workbook, self._report, self._edition, self._words = workbook, report, edition, words
        self._bold = workbook.add_format({"bold": True})
        self._heading = workbook.add_format({"bold": True, "bottom": 1, "text_wrap": True})
        self._formats = {unit: workbook.add_format({"num_format": text}) for unit, text in _FORMATS.items()}

    def write(self) -> None:
        period, words = self._report.period, self._words
        title = f"{words['fund']}: {words[f'kind.{self._report.name}']} {period.last_day}"
        self._workbook.set_properties({"title": title, "created": period.end.replace(tzinfo=None)})
        self._figures(title)
        for section in self._report.sections:
            for table in section.tables:
                self._table(section, table)
            for chart in section.charts:
                self._chart(section, chart)
        self._checks()

    def _sheet(self, name: str, headings: Sequence[str], *, above: int = 0) -> Any:
        """Add a sheet whose headings stay in view, `above` rows below its top."""
        sheet = self._workbook.add_worksheet(name[:_SHEET_NAME_MAX])
        for column, heading in enumerate(headings):
            sheet.write_string(above, column, heading, self._heading)
        sheet.freeze_panes(above + 1, 0)
        return sheet

    def _put(self, sheet: Any, row: int, column: int, value: Value, unit: Unit) -> None:
        """Write a value as the type that it has: a number, a date or text, never a formula."""
        shown_as = self._formats.get(unit)
        match value:
            case None:
                sheet.write_blank(row, column, None)
            case datetime():
                sheet.write_datetime(row, column, value.replace(tzinfo=None), shown_as)
            case bool() | str():
                sheet.write_string(row, column, self._words.shown(value, unit))
            case Decimal():
                sheet.write_number(row, column, float(value), shown_as)
            case int():
                sheet.write_number(row, column, float(as_decimal(value, unit, self._report.asset_decimals)), shown_as)

    def _figures(self, title: str) -> None:
        report, words = self._report, self._words
        about = [
            *([(words["holder"], checksum(report.holder))] if report.holder else []),
            (words["period"], f"{report.period.start:%Y-%m-%d %H:%M} – {report.period.end:%Y-%m-%d %H:%M}"),  # noqa: RUF001
            (words["status"], words[report.status.value]),
            (words["version"], str(self._edition.version)),
            *([(words["replaces"], self._edition.replaces)] if self._edition.replaces else []),
            *((words[f"reason.{note.reason.value}"], note.detail) for note in report.draft_notes),
        ]
        names = ("figure", "value", "exact", "unit", "source", "after_block", "block")
        sheet = self._sheet(words["figures"], [words[name] for name in names], above=len(about) + 2)
        sheet.write_string(0, 0, title, self._bold)
        for row, (name, text) in enumerate(about, start=1):
            sheet.write_string(row, 0, name)
            sheet.write_string(row, 1, text)
        for column, width in enumerate(_WIDTHS):
            sheet.set_column(column, column, width)
        row = len(about) + 3
        for section in report.sections:
            sheet.write_string(row, 0, words[f"section.{section.key}"], self._bold)
            if section.omitted is not None:
                sheet.write_string(row, 1, f"{words['omitted']}: {words[f'reason.{section.omitted.value}']}")
            row += 1
            for figure in section.figures:
                exact = exact_text(figure.value, figure.unit, report.asset_decimals)
                sheet.write_string(row, 0, words[f"{section.key}.{figure.key}"])
                self._put(sheet, row, 1, figure.value, figure.unit)
                sheet.write_string(row, 2, "" if exact is None else str(exact))
                sheet.write_string(row, 3, figure.unit.value)
                sheet.write_string(row, 4, words[f"source.{figure.source.kind.value}"])
                self._put(sheet, row, 5, figure.source.after_block, Unit.BLOCK)
                self._put(sheet, row, 6, figure.source.block, Unit.BLOCK)
                row += 1

    def _table(self, section: Section, table: Table) -> None:
        headings = [self._words[f"column.{column.key}"] for column in table.columns]
        sheet = self._sheet(self._words[f"{section.key}.{table.key}"], headings)
        self._rows(sheet, table.columns, table.rows)

    def _rows(self, sheet: Any, columns: Sequence[Column], rows: Sequence[Sequence[Value]]) -> None:
        sheet.set_column(0, len(columns) - 1, 20)
        for number, row in enumerate(rows, start=1):
            for place, (column, value) in enumerate(zip(columns, row, strict=True)):
                self._put(sheet, number, place, value, column.unit)

    def _chart(self, section: Section, chart: Chart) -> None:
        name = self._words[f"{section.key}.{chart.key}"]
        columns = (Column("at", Unit.TIME), Column("value", chart.unit))
        sheet = self._sheet(name, [self._words["period"], name])
        self._rows(sheet, columns, chart.points)
        line = self._workbook.add_chart({"type": "line"})
        last, at = len(chart.points), name[:_SHEET_NAME_MAX]
        line.add_series({"name": name, "categories": [at, 1, 0, last, 0], "values": [at, 1, 1, last, 1]})
        line.set_title({"name": name})
        line.set_legend({"none": True})
        sheet.insert_chart(1, 3, line, {"description": name})

    def _checks(self) -> None:
        names = ("check", "left", "right", "holds")
        sheet = self._sheet(self._words["checks"], [self._words[name] for name in names])
        sheet.set_column(0, 0, 60)
        sheet.set_column(1, 2, 24)
        for row, check in enumerate(self._report.checks, start=1):
            sheet.write_string(row, 0, self._words[f"check.{check.key}"])
            self._put(sheet, row, 1, check.left, check.unit)
            self._put(sheet, row, 2, check.right, check.unit)
            self._put(sheet, row, 3, check.holds, Unit.YES_NO)
