"""The two snapshots that a range of blocks or days is explained between.

Each end is the newest kept snapshot at or before it. A block or a day that lies ahead of the books is refused, for its answer
would be another one tomorrow. On the fund's first day there is nothing before its first snapshot: from that day on means from
that snapshot, and the answer says so.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from paimon.application.nav.as_of import BlockNotRecorded, read_recorded_range
from paimon.application.nav.overview import SnapshotNotFound
from paimon.errors import InvalidRequest
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import ObservationRow
from paimon.infrastructure.database.sessions import ReadSession

KEPT_SNAPSHOTS: Final = (ObservationRow.kind == "fund_snapshot", ObservationRow.subject == "fund")


class EmptyRange(InvalidRequest):
    """Both ends are the same snapshot, or the second is the earlier one."""

    field = "to"


@dataclass(frozen=True, slots=True)
class RangeEnd:
    """An end of a range: a block, or a moment; the newest snapshot at or before it is meant. Neither: the newest of all."""

    block: int | None = None
    moment: datetime | None = None

    def __str__(self) -> str:
        if self.block is not None:
            return f"block {self.block}"
        return f"{self.moment:%Y-%m-%d %H:%M:%S} UTC" if self.moment else "now"

    def is_after(self, other: "RangeEnd") -> bool:
        """Whether it says so by itself; a block and a moment do not compare."""
        if self.block is not None and other.block is not None:
            return self.block > other.block
        return self.moment is not None and other.moment is not None and self.moment > other.moment


@dataclass(frozen=True, slots=True)
class SnapshotRange:
    """The blocks of two kept snapshots, the earlier first; `from_first_snapshot` where the first one stands for its whole day."""

    first: int
    last: int
    from_first_snapshot: bool


async def resolve_range(session: ReadSession, start: RangeEnd, end: RangeEnd) -> SnapshotRange:
    """Raises BlockNotRecorded, SnapshotNotFound, EmptyRange."""
    await _require_past(session, start, "from" if start.moment is None else "startDate")
    await _require_past(session, end, "to" if end.moment is None else "endDate")
    first, from_first_snapshot = await _kept_block(session, start), False
    if first is None:
        first, from_first_snapshot = await _first_of_its_day(session, start), True
    if (last := await _kept_block(session, end)) is None:
        raise await _no_snapshot_error(session, end)
    if first >= last or start.is_after(end):
        raise EmptyRange(_describe_empty_range(start, end, first, last))
    return SnapshotRange(first, last, from_first_snapshot)


async def _require_past(session: ReadSession, point: RangeEnd, field: str) -> None:
    recorded = await read_recorded_range(session)
    if recorded is None:
        return  # then there is no snapshot either, which is said
    known = f"blocks {recorded.first} to {recorded.cursor.number} are"
    if point.block is not None and point.block > recorded.cursor.number:
        raise BlockNotRecorded(f"block {point.block} is not recorded; {known}", field)
    if point.moment is not None:
        today = max(recorded.cursor.timestamp, await database_now(session)).date()
        if point.moment.date() > today:
            raise BlockNotRecorded(f"{point.moment:%Y-%m-%d} has not begun; {known}, until {today}", field)


async def _kept_block(session: ReadSession, point: RangeEnd) -> int | None:
    query = select(ObservationRow.block_number).where(*KEPT_SNAPSHOTS).order_by(ObservationRow.block_number.desc()).limit(1)
    if point.block is not None:
        query = query.where(ObservationRow.block_number <= point.block)
    if point.moment is not None:
        query = query.where(ObservationRow.block_timestamp <= point.moment)
    return (await session.execute(query)).scalar()


async def _first_of_its_day(session: ReadSession, point: RangeEnd) -> int:
    """Raises SnapshotNotFound: it lies before the day of the first snapshot."""
    query = (
        select(ObservationRow.block_number, ObservationRow.block_timestamp)
        .where(*KEPT_SNAPSHOTS)
        .order_by(ObservationRow.block_number)
    )
    first = (await session.execute(query.limit(1))).one_or_none()
    if first is None or point.moment is None or point.moment.date() != first.block_timestamp.date():
        raise await _no_snapshot_error(session, point)
    return int(first.block_number)


async def _no_snapshot_error(session: ReadSession, point: RangeEnd) -> SnapshotNotFound:
    query = select(func.min(ObservationRow.block_number), func.min(ObservationRow.block_timestamp)).where(*KEPT_SNAPSHOTS)
    block, moment = (await session.execute(query)).one()
    first = "" if block is None else f"; the first is of block {block}, {moment:%Y-%m-%d %H:%M:%S} UTC"
    return SnapshotNotFound(f"there is no snapshot of the fund at or before {point}{first}")


def _describe_empty_range(start: RangeEnd, end: RangeEnd, first: int, last: int) -> str:
    if start == end:
        return f"both ends are {start}: give an earlier and a later one"
    if first > last or start.is_after(end):
        return f"the range is reversed: {start} lies after {end}; give the earlier end first"
    return f"from {start} to {end} no snapshot was kept: both ends are that of block {first}"
