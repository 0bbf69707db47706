"""The CSV file of a report: one line for each value, with every digit, its source and its blocks. It has no language."""

import csv
import io
from collections.abc import Iterator
from typing import Final

from paimon.domain.kernel.chain import checksum
from paimon.domain.report.document import Edition, Report, Source
from paimon.domain.report.values import exact_text
from paimon.infrastructure.text import spreadsheet_cell

_HEADINGS: Final = ("section", "table", "row", "name", "value", "unit", "source", "afterBlock", "block")
Cell = str | int | bool | None


def csv_file(report: Report, edition: Edition) -> bytes:
    """Return the file, by RFC 4180 in UTF-8. No cell is one that a spreadsheet would run as a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_HEADINGS)
    writer.writerows([spreadsheet_cell(cell) for cell in line] for line in _lines(report, edition))
    return text.getvalue().encode()


def _lines(report: Report, edition: Edition) -> Iterator[tuple[Cell, ...]]:
    period, decimals = report.period, report.asset_decimals
    about: dict[str, Cell] = {
        "kind": report.name,
        **({} if report.holder is None else {"holder": checksum(report.holder)}),
        "firstDay": period.first_day.isoformat(),
        "lastDay": period.last_day.isoformat(),
        "status": report.status.value,
        "version": edition.version,
        "replaces": edition.replaces,
        "openingBlock": report.opening.number if report.opening else None,
        "closingBlock": report.closing.number if report.closing else None,
    }
    for name, fact in about.items():
        yield ("report", None, None, name, fact, None, None, None, None)
    for number, note in enumerate(report.draft_notes, start=1):
        yield ("report", "draftNotes", number, note.reason.value, note.detail, None, None, None, None)
    for section in report.sections:
        for figure in section.figures:
            exact = exact_text(figure.value, figure.unit, decimals)
            yield (section.key, None, None, figure.key, exact, figure.unit.value, *_source(figure.source))
        for table in section.tables:
            for number, row in enumerate(table.rows, start=1):
                for column, value in zip(table.columns, row, strict=True):
                    exact = exact_text(value, column.unit, decimals)
                    yield (section.key, table.key, number, column.key, exact, column.unit.value, *_source(table.source))
    for check in report.checks:
        for side, amount in (("left", check.left), ("right", check.right)):
            exact = exact_text(amount, check.unit, decimals)
            yield ("checks", check.key, None, side, exact, check.unit.value, None, None, None)


def _source(source: Source) -> tuple[Cell, ...]:
    return (source.kind.value, source.after_block, source.block)
