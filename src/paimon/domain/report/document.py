"""A report as data: sections of figures and tables, each with its source and the blocks that it is from.

    Report ─┬─ Section ─┬─ Figure   one value                     summary.closingNav
            │           ├─ Table    rows of values                flows.byChannel
            │           └─ Chart    one value over time           summary.navHistory
            ├─ Check    two figures that must be equal
            └─ Source   what a value is made from, and its blocks

A renderer shows values and computes none. Names are stable: they are the fields of the JSON file, and the labels of the other
files are found by them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from paimon.domain.kernel.chain import Address, BlockStamp
from paimon.domain.report.period import ReportPeriod

Value = int | Decimal | str | bool | datetime | None
"""A value of a figure or a cell; None where there is nothing to show. Its unit says how to read it."""


class Unit(StrEnum):
    """Unit of a value."""

    MONEY = "money"  # int: raw units of the vault's asset
    NAV = "nav"  # int: net assets per share, scaled by 1e18
    SHARES = "shares"  # int: raw shares
    RATIO = "ratio"  # int: basis points
    RETURN = "return"  # Decimal: a part of what there was, 0.01 is one percent
    COUNT = "count"  # int
    NUMBER = "number"  # Decimal or int without a unit
    SECONDS = "seconds"  # int
    GAS = "gas"  # int: units of gas
    BLOCK = "block"  # int: a block number
    TEXT = "text"  # str
    NAME = "name"  # str: one of a set of names, which has a label in each language
    TIME = "time"  # datetime, UTC
    YES_NO = "yes_no"  # bool


class ReportStatus(StrEnum):
    """Whether every figure of a report is official."""

    DRAFT = "DRAFT"
    FINAL = "FINAL"


class DraftReason(StrEnum):
    """Why a report is a draft."""

    PERIOD_NOT_OVER = "period_not_over"
    PERIOD_NOT_RECORDED = "period_not_recorded"
    NO_SNAPSHOT = "no_snapshot"
    NAV_NOT_DECIDED = "nav_not_decided"
    NAV_WITHHELD = "nav_withheld"
    DOES_NOT_ADD_UP = "does_not_add_up"


@dataclass(frozen=True, slots=True)
class DraftNote:
    """One reason why a report is a draft; `detail` is the system's own text and has no translation."""

    reason: DraftReason
    detail: str = ""


class SourceKind(StrEnum):
    """What values are made from. `docs/concepts/reports.md` describes each."""

    OPENING_SNAPSHOT = "opening_snapshot"
    CLOSING_SNAPSHOT = "closing_snapshot"
    BOTH_SNAPSHOTS = "both_snapshots"
    NAV_ATTRIBUTION = "nav_attribution"
    NAV_POINTS = "nav_points"
    DEPOSITS = "deposits"
    REDEMPTIONS = "redemptions"
    FLOWS = "flows"
    OPEN_REQUESTS = "open_requests"
    TRADES = "trades"
    RISK_SERIES = "risk_series"
    RISK_EVENTS = "risk_events"
    TICKETS = "tickets"
    INTENTS = "intents"
    PLANS = "plans"
    HOLDER_EVENTS = "holder_events"
    RECORDED_BLOCKS = "recorded_blocks"
    RECONCILIATIONS = "reconciliations"
    JUDGED_PRICES = "judged_prices"


@dataclass(frozen=True, slots=True)
class Source:
    """What a value is made from, and the blocks of it: those after `after_block`, or `block` alone, to `block`.

    What the system did by its own clock, such as a vote, has no block: then both are None and the period's times count.
    """

    kind: SourceKind
    block: int | None = None
    after_block: int | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One value. `key` is its name within its section; dots separate its groups."""

    key: str
    value: Value
    unit: Unit
    source: Source


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    key: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of values, one for each column."""

    key: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    source: Source

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"a row of {self.key} has not one value for each of its {len(self.columns)} columns")


@dataclass(frozen=True, slots=True)
class Chart:
    """One value over time, oldest first."""

    key: str
    unit: Unit
    points: tuple[tuple[datetime, int], ...]
    source: Source


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report. `omitted` says why it has no content."""

    key: str
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    omitted: DraftReason | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Two figures from different sources that must be equal, to the last unit."""

    key: str
    unit: Unit
    left: int
    right: int

    @property
    def holds(self) -> bool:
        return self.left == self.right


@dataclass(frozen=True, slots=True)
class Report:
    """A report's data. `opening` and `closing` are the blocks whose snapshots bound it; None where there is no snapshot."""

    period: ReportPeriod
    asset_decimals: int
    opening: BlockStamp | None
    closing: BlockStamp | None
    from_first_snapshot: bool
    draft_notes: tuple[DraftNote, ...]
    sections: tuple[Section, ...]
    checks: tuple[Check, ...]
    holder: Address | None = None
    """The holder whose statement this is; None of a report on the fund."""

    @property
    def name(self) -> str:
        """Return what the report is: the name of its kind, which has a label in each language."""
        return self.period.kind.value if self.holder is None else "statement"

    @property
    def status(self) -> ReportStatus:
        return ReportStatus.DRAFT if self.draft_notes else ReportStatus.FINAL

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Yield every figure with its full name, `section.key`."""
        for section in self.sections:
            for figure in section.figures:
                yield f"{section.key}.{figure.key}", figure

    def sources(self) -> Iterator[tuple[str, Source]]:
        """Yield the source of every figure, table and chart with its full name."""
        for section in self.sections:
            parts: tuple[Figure | Table | Chart, ...] = (*section.figures, *section.tables, *section.charts)
            yield from ((f"{section.key}.{part.key}", part.source) for part in parts)

    def find(self, name: str) -> Figure | None:
        """Return the figure of a full name."""
        return next((figure for key, figure in self.figures() if key == name), None)


@dataclass(frozen=True, slots=True)
class Edition:
    """Which version of a report a file is. `replaces` is the SHA-256 of the JSON file of the version before it."""

    version: int
    replaces: str | None = None
