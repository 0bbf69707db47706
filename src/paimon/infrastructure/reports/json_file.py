"""The JSON file of a report: every digit of every figure, with the source and the blocks of each.

It is the report's data: the other files show the same values. Groups of figures are nested objects, tables are lists of
objects.
"""

from typing import Any, Final

import orjson

from paimon.domain.kernel.chain import BlockStamp, checksum, hex0x
from paimon.domain.report.document import Edition, Report, Section, Source, Unit
from paimon.domain.report.values import exact_text

FORMAT: Final = 1
"""Version of the file's form; a later form gets a new number."""


def json_file(report: Report, edition: Edition) -> bytes:
    """Return the file."""
    return orjson.dumps(json_document(report, edition), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def json_document(report: Report, edition: Edition) -> dict[str, Any]:
    """Return the file's content."""
    period = report.period
    return {
        "format": FORMAT,
        "kind": report.name,
        **({} if report.holder is None else {"holder": checksum(report.holder)}),
        "date": period.last_day.isoformat(),
        "firstDay": period.first_day.isoformat(),
        "lastDay": period.last_day.isoformat(),
        "status": report.status.value,
        "version": edition.version,
        "replaces": edition.replaces,
        "draftNotes": [{"reason": note.reason.value, "detail": note.detail} for note in report.draft_notes],
        "opening": _block(report.opening),
        "closing": _block(report.closing),
        "fromFirstSnapshot": report.from_first_snapshot,
        **{section.key: _section(section, report.asset_decimals) for section in report.sections if section.omitted is None},
        "omitted": {section.key: section.omitted.value for section in report.sections if section.omitted is not None},
        "checks": [
            {
                "name": check.key,
                "left": exact_text(check.left, check.unit, report.asset_decimals),
                "right": exact_text(check.right, check.unit, report.asset_decimals),
                "holds": check.holds,
            }
            for check in report.checks
        ],
        "sources": {name: _source(source) for name, source in report.sources()},
    }


def _block(block: BlockStamp | None) -> dict[str, Any] | None:
    if block is None:
        return None
    return {"number": block.number, "hash": hex0x(block.hash), "time": exact_text(block.timestamp, Unit.TIME, 0)}


def _section(section: Section, decimals: int) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for figure in section.figures:
        *groups, name = figure.key.split(".")
        at = content
        for group in groups:
            at = at.setdefault(group, {})
        at[name] = exact_text(figure.value, figure.unit, decimals)
    for table in section.tables:
        content[table.key] = [
            {column.key: exact_text(value, column.unit, decimals) for column, value in zip(table.columns, row, strict=True)}
            for row in table.rows
        ]
    for chart in section.charts:
        content[chart.key] = [
            {"at": exact_text(at, Unit.TIME, 0), "value": exact_text(value, chart.unit, decimals)} for at, value in chart.points
        ]
    return content


def _source(source: Source) -> dict[str, Any]:
    return {"kind": source.kind.value, "afterBlock": source.after_block, "block": source.block}
