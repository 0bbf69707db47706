"""The PDF file of a report: PDF/A-2a, tagged, with vector charts that have alternative texts. Its date is the period's end."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson
import pylopdf_fonts_zh_cn
import typst

from paimon.domain.kernel.chain import BlockStamp, checksum, hex0x
from paimon.domain.kernel.units import BPS_ONE
from paimon.domain.report.document import Chart, Edition, Report, Section, Table, Unit
from paimon.infrastructure.reports.labels import Language
from paimon.infrastructure.reports.words import Words

_TEMPLATE: Final = Path(__file__).with_name("report.typ")
_NUMERIC: Final = frozenset(Unit) - {Unit.TEXT, Unit.NAME, Unit.TIME, Unit.YES_NO}


def pdf_file(report: Report, edition: Edition, language: Language) -> bytes:
    """Return the file."""
    page = _page(report, edition, Words.of(language, report.asset_decimals))
    return typst.compile(
        _TEMPLATE,
        format="pdf",
        font_paths=[pylopdf_fonts_zh_cn.sans_path().parent],
        ignore_system_fonts=True,
        pdf_standards=["a-2a"],
        timestamp=int(report.period.end.timestamp()),
        sys_inputs={"data": orjson.dumps(page).decode()},
    )


def _page(report: Report, edition: Edition, words: Words) -> dict[str, Any]:
    """Return the words and values of the page, ready to show."""
    period = report.period
    end = period.end
    title = f"{words['fund']}: {words[f'kind.{report.name}']} {period.last_day}"
    about = [
        *([(words["holder"], checksum(report.holder))] if report.holder else []),
        (words["period"], f"{period.start:%Y-%m-%d %H:%M} – {end:%Y-%m-%d %H:%M}"),  # noqa: RUF001
        (words["opening"], _block(report.opening, words)),
        (words["closing"], _block(report.closing, words)),
        (words["status"], words[report.status.value]),
        (words["version"], str(edition.version)),
        *([(words["replaces"], edition.replaces)] if edition.replaces else []),
    ]
    notes = [": ".join(filter(None, (words[f"reason.{note.reason.value}"], note.detail))) for note in report.draft_notes]
    return {
        "title": title,
        "fund": words["fund"],
        "lang": words.language.value,
        "date": [end.year, end.month, end.day],
        "status": words[report.status.value],
        "page": words["page"],
        "rounding": words["rounding"],
        "about": {"headings": [words["figure"], words["value"]], "rows": about},
        "notes_title": words["draft_because"] if notes else "",
        "notes": [*notes, *([words["first_snapshot"]] if report.from_first_snapshot else [])],
        "sections": [_section(section, words) for section in report.sections],
        "checks": {
            "name": words["checks"],
            "headings": [words[name] for name in ("check", "left", "right", "holds")],
            "rows": [
                (
                    words[f"check.{check.key}"],
                    words.shown(check.left, check.unit),
                    words.shown(check.right, check.unit),
                    words.shown(check.holds, Unit.YES_NO),
                )
                for check in report.checks
            ],
        },
    }


def _block(block: BlockStamp | None, words: Words) -> str:
    if block is None:
        return words["none"]
    return f"{block.number}, {words.shown(block.timestamp, Unit.TIME)}, {hex0x(block.hash)[:18]}…"


def _section(section: Section, words: Words) -> dict[str, Any]:
    omitted = section.omitted
    return {
        "name": words[f"section.{section.key}"],
        "omitted": None if omitted is None else f"{words['omitted']}: {words[f'reason.{omitted.value}']}",
        "headings": [words[name] for name in ("figure", "value", "source", "blocks")],
        "figures": [
            (
                words[f"{section.key}.{figure.key}"],
                words.shown(figure.value, figure.unit),
                words[f"source.{figure.source.kind.value}"],
                words.blocks(figure.source),
            )
            for figure in section.figures
        ],
        "charts": [_chart(section, chart, words) for chart in section.charts],
        "bars": next((_tier_bars(section, table, words) for table in section.tables if table.key == "tiers"), None),
        "tables": [_table(section, table, words) for table in section.tables],
    }


def _table(section: Section, table: Table, words: Words) -> dict[str, Any]:
    blocks = words.blocks(table.source)
    name = words[f"{section.key}.{table.key}"]
    return {
        "name": f"{name} ({words['blocks']} {blocks})" if blocks else name,
        "headings": [words[f"column.{column.key}"] for column in table.columns],
        "numeric": [column.unit in _NUMERIC for column in table.columns],
        "rows": [
            [words.shown(value, column.unit) for column, value in zip(table.columns, row, strict=True)] for row in table.rows
        ],
    }


def _chart(section: Section, chart: Chart, words: Words) -> dict[str, Any]:
    """Place the points in a unit square. A value that never changes is drawn in the middle."""
    (start, first), (end, last) = chart.points[0], chart.points[-1]
    values = [value for _, value in chart.points]
    low, high, seconds = min(values), max(values), (end - start).total_seconds()
    name = words[f"{section.key}.{chart.key}"]
    return {
        "name": name,
        "low": words.shown(low, chart.unit),
        "high": words.shown(high, chart.unit),
        "points": [[_part((at - start).total_seconds(), seconds), _part(value - low, high - low)] for at, value in chart.points]
        if len(chart.points) > 1
        else [[0.0, 0.5], [1.0, 0.5]],
        "alt": words["chart_alt"].format(
            name=name,
            start=words.shown(start, Unit.TIME),
            end=words.shown(end, Unit.TIME),
            first=words.shown(first, chart.unit),
            last=words.shown(last, chart.unit),
            low=words.shown(low, chart.unit),
            high=words.shown(high, chart.unit),
        ),
    }


def _part(value: float, whole: float) -> float:
    return round(value / whole, 6) if whole else 0.5


def _tier_bars(section: Section, table: Table, words: Words) -> dict[str, Any]:
    names = [column.key for column in table.columns]
    rows: Sequence[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in table.rows]
    described = [
        words["tier_alt"].format(
            tier=words.shown(row["tier"], Unit.NAME),
            **{name: words.shown(row[name], Unit.RATIO) for name in ("ratio", "minimum", "maximum")},
        )
        for row in rows
    ]
    return {
        "name": words[f"{section.key}.{table.key}"],
        "alt": words["tiers_alt"].format(tiers="; ".join(described)),
        "rows": [
            {
                "name": words.shown(row["tier"], Unit.NAME),
                "shown": words.shown(row["ratio"], Unit.RATIO),
                **{name: row[name] / BPS_ONE for name in ("ratio", "minimum", "target", "maximum")},
            }
            for row in rows
        ],
    }
