"""The history of official NAV: the last published point of each hour, day or week."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from paimon.application.nav.queries import (
    WithheldPoints,
    find_newest_published_time,
    find_withheld_points,
    list_history_rows,
)
from paimon.application.nav.store import find_newest_snapshot
from paimon.domain.kernel.units import NavPerShare, RawAmount
from paimon.domain.vault.fund_snapshot import DEFAULT_ASSET_DECIMALS
from paimon.errors import InvalidRequest
from paimon.infrastructure.database.sessions import ReadSession


class Interval(StrEnum):
    """Density of a history; each bucket shows its last point."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"


_BUCKETS: Final = {Interval.HOURLY: "hour", Interval.DAILY: "day", Interval.WEEKLY: "week"}

DEFAULT_DAYS: Final = 30
_FIRST_END: Final = datetime.min.replace(tzinfo=UTC) + timedelta(days=DEFAULT_DAYS)
"""The first end from which a start of `DEFAULT_DAYS` earlier can be counted."""


class TooManyPoints(InvalidRequest):
    """The range holds more points than one answer carries."""

    field = "interval"


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """UTC days, both included; without a start, the `DEFAULT_DAYS` before the newest point."""

    start: date | None
    end: date | None
    interval: Interval

    @property
    def key(self) -> str:
        return f"{self.start}:{self.end}:{self.interval}"


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """One published point; the contract's own figures are None once its snapshot has passed its retention."""

    time: datetime
    block_number: int
    net_assets: RawAmount
    effective_supply: RawAmount
    nav_per_share: NavPerShare
    contract_share_price: NavPerShare | None
    contract_total_assets: RawAmount | None


@dataclass(frozen=True, slots=True)
class NavHistory:
    """The points of a range, and the points that are withheld now."""

    interval: Interval
    asset_decimals: int
    points: tuple[HistoryPoint, ...]
    withheld: WithheldPoints | None


async def read_history(session: ReadSession, query: HistoryQuery, *, points_max: int) -> NavHistory:
    """Return the published points of a range, one per bucket.

    Raises:
        TooManyPoints: the range has more than `points_max`.
    """
    start, end = await _range(session, query)
    rows = await list_history_rows(session, unit=_BUCKETS[query.interval], start=start, end=end, limit=points_max + 1)
    if len(rows) > points_max:
        raise TooManyPoints(
            f"from {start:%Y-%m-%d} on there are more than {points_max} {query.interval} points; ask for fewer days, or a"
            " longer interval"
        )
    newest = await find_newest_snapshot(session)
    return NavHistory(
        interval=query.interval,
        # Points follow from snapshots: without a snapshot there are no points to format.
        asset_decimals=newest.asset_decimals if newest else DEFAULT_ASSET_DECIMALS,
        points=tuple(
            HistoryPoint(
                time=row.time.astimezone(UTC),
                block_number=row.block_number,
                net_assets=RawAmount(int(row.net_assets)),
                effective_supply=RawAmount(int(row.effective_supply)),
                nav_per_share=NavPerShare(int(row.nav_per_share)),
                contract_share_price=None if row.contract_share_price is None else NavPerShare(int(row.contract_share_price)),
                contract_total_assets=None if row.contract_total_assets is None else RawAmount(int(row.contract_total_assets)),
            )
            for row in rows
        ),
        withheld=await find_withheld_points(session),
    )


async def _range(session: ReadSession, query: HistoryQuery) -> tuple[datetime, datetime]:
    newest = await find_newest_published_time(session) or datetime.now(UTC)
    start = datetime.combine(query.start, time.min, UTC) if query.start else None
    end = datetime.combine(query.end, time.max, UTC) if query.end else newest + timedelta(microseconds=1)
    return start or max(min(newest, end), _FIRST_END) - timedelta(days=DEFAULT_DAYS), end
