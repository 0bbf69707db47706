"""The two snapshots between which a change of NAV is attributed.

Each end is the newest kept snapshot at or before a block or a day. A block or a day ahead of the recorded range is refused,
because its answer would be another one tomorrow. Nothing was kept before the fund's first snapshot: a range from the fund's
first day on starts at that snapshot, and the answer says so.
"""

from dataclasses import dataclass
from datetime import datetime

from paimon.application.nav.as_of import BlockNotRecorded, SnapshotNotFound
from paimon.application.nav.queries import find_first_kept_block, find_kept_block, read_recorded_range
from paimon.errors import InvalidRequest
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import ReadSession


class EmptyRange(InvalidRequest):
    """Both ends are the same snapshot, or the second is the earlier one."""

    field = "to"


@dataclass(frozen=True, slots=True)
class RangeEnd:
    """One end of a range: the newest snapshot at or before a block or a moment; without either, the newest of all."""

    block: int | None = None
    moment: datetime | None = None

    def __str__(self) -> str:
        if self.block is not None:
            return f"block {self.block}"
        return f"{self.moment:%Y-%m-%d %H:%M:%S} UTC" if self.moment else "now"

    def is_after(self, other: "RangeEnd") -> bool:
        """Return whether this end is after another of its kind; a block and a moment do not compare."""
        if self.block is not None and other.block is not None:
            return self.block > other.block
        return self.moment is not None and other.moment is not None and self.moment > other.moment


@dataclass(frozen=True, slots=True)
class SnapshotRange:
    """The blocks of two kept snapshots, the earlier one first.

    `from_first_snapshot` says that the first one is the fund's first snapshot and stands for the whole day it was taken on.
    """

    first: int
    last: int
    from_first_snapshot: bool


async def resolve_range(session: ReadSession, start: RangeEnd, end: RangeEnd) -> SnapshotRange:
    """Return the kept snapshots that two ends mean.

    Raises:
        BlockNotRecorded, SnapshotNotFound, EmptyRange.
    """
    await _require_past(session, start, "from" if start.moment is None else "startDate")
    await _require_past(session, end, "to" if end.moment is None else "endDate")
    first, from_first_snapshot = await find_kept_block(session, block=start.block, moment=start.moment), False
    if first is None:
        first, from_first_snapshot = await _first_of_its_day(session, start), True
    if (last := await find_kept_block(session, block=end.block, moment=end.moment)) is None:
        raise await _no_snapshot_error(session, end)
    if first >= last or start.is_after(end):
        raise EmptyRange(_describe_empty_range(start, end, first, last))
    return SnapshotRange(first, last, from_first_snapshot)


async def _require_past(session: ReadSession, end: RangeEnd, field: str) -> None:
    recorded = await read_recorded_range(session)
    if recorded is None:
        return  # then there is no snapshot either, which is reported later
    known = f"blocks {recorded.first} to {recorded.cursor.number} are"
    if end.block is not None and end.block > recorded.cursor.number:
        raise BlockNotRecorded(f"block {end.block} is not recorded; {known}", field)
    if end.moment is not None:
        today = max(recorded.cursor.timestamp, await database_now(session)).date()
        if end.moment.date() > today:
            raise BlockNotRecorded(f"{end.moment:%Y-%m-%d} has not begun; {known}, until {today}", field)


async def _first_of_its_day(session: ReadSession, end: RangeEnd) -> int:
    """Raise SnapshotNotFound when the end is before the day of the first snapshot."""
    first = await find_first_kept_block(session)
    if first is None or end.moment is None or end.moment.date() != first.timestamp.date():
        raise await _no_snapshot_error(session, end)
    return first.number


async def _no_snapshot_error(session: ReadSession, end: RangeEnd) -> SnapshotNotFound:
    first = await find_first_kept_block(session)
    hint = "" if first is None else f"; the first is of block {first.number}, {first.timestamp:%Y-%m-%d %H:%M:%S} UTC"
    return SnapshotNotFound(f"there is no snapshot of the fund at or before {end}{hint}")


def _describe_empty_range(start: RangeEnd, end: RangeEnd, first: int, last: int) -> str:
    if start == end:
        return f"both ends are {start}: give an earlier and a later one"
    if first > last or start.is_after(end):
        return f"the range is reversed: {start} is after {end}; give the earlier end first"
    return f"from {start} to {end} no snapshot was kept: both ends are that of block {first}"
