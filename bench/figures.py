"""A measured figure, and the files that keep all figures: `latest.json` for programs, `latest.md` for readers."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its unit. `baseline` is the plainest way to do the same, in the same run; `ratio` is the value to it."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    target: str | None = None

    @property
    def ratio(self) -> float | None:
        """The value divided by the baseline."""
        return None if self.baseline is None else round(self.value / self.baseline, 3)


def save_figures(figures: list[Figure], *, command: str) -> None:
    """Write the figures to both files. Figures that were not measured this time stay."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rows = [{**asdict(figure), "ratio": figure.ratio, "command": command, "at": now} for figure in figures]
    measured = {row["name"] for row in rows}
    path = RESULTS / "latest.json"
    earlier = json.loads(path.read_text()) if path.exists() else []
    rows += [row for row in earlier if row["name"] not in measured]
    rows.sort(key=lambda row: str(row["name"]))
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    (RESULTS / "latest.md").write_text(_page(rows))


def _page(rows: list[dict[str, Any]]) -> str:
    lines = [
        "# Figures",
        "",
        "What each means, and what bounds it: [docs/concepts/performance.md](../../docs/concepts/performance.md).",
        "",
    ]
    lines += ["| Figure | Value | Baseline | Ratio | Target | Command | At |", "|---|---:|---:|---:|---|---|---|"]
    for row in rows:
        value, baseline = f"{_number(row['value'])} {row['unit']}", _number(row["baseline"])
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        columns = (row["name"], value, baseline, ratio, row["target"] or "", f"`{row['command']}`", row["at"])
        lines.append("| " + " | ".join(columns) + " |")
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}".replace(",", " ")


def table(figures: list[Figure]) -> str:
    """Return the figures as a table for the terminal."""
    lines = [f"{'figure':<28}{'value':>12}  {'unit':<10}{'baseline':>12}{'ratio':>8}  target"]
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        value, baseline = _number(figure.value), _number(figure.baseline)
        lines.append(f"{figure.name:<28}{value:>12}  {figure.unit:<10}{baseline:>12}{ratio:>8}  {figure.target or ''}")
    return "\n".join(lines)
