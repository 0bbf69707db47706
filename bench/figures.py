"""One measured figure, and the file all figures of a run are kept in."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).parent / "results" / "latest.json"


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its unit; `baseline` is the same thing done the plainest way in the same run, `ratio` ours to it."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    target: str | None = None

    @property
    def ratio(self) -> float | None:
        return None if self.baseline is None else round(self.value / self.baseline, 3)


def keep(figures: list[Figure], *, command: str) -> None:
    """Write the figures, keeping those of suites that did not run this time."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rows = [{**asdict(each), "ratio": each.ratio, "command": command, "at": now} for each in figures]
    measured = {row["name"] for row in rows}
    earlier = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    rows += [row for row in earlier if row["name"] not in measured]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(sorted(rows, key=lambda row: str(row["name"])), indent=2) + "\n")


def table(figures: list[Figure]) -> str:
    """For people."""
    lines = [f"{'figure':<28}{'value':>12}  {'unit':<10}{'baseline':>12}{'ratio':>8}  target"]
    for each in figures:
        baseline = "" if each.baseline is None else f"{each.baseline:,.1f}"
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
        lines.append(f"{each.name:<28}{each.value:>12,.1f}  {each.unit:<10}{baseline:>12}{ratio:>8}  {each.target or ''}")
    return "\n".join(lines)
