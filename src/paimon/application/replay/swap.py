"""Comparison of a rebuilt shadow with the live tables, and its swap into their place.

The swap replaces *rows*, those that differ, in one transaction, rather than tables. A replaced table would be a new one to
every reader whose snapshot is older: it would look empty, or some blocks old, beside a cursor that says otherwise. Replacing
rows is PostgreSQL's everyday work. Each reader sees all tables as they were or all as they are, no process waits for a table's
lock, and keys, indexes, rights and views stay what they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Any, Final, Self

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Delete,
    FromClause,
    Insert,
    Join,
    Table,
    Update,
    and_,
    delete,
    exists,
    func,
    join,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from paimon.application.common.log_id import LogId
from paimon.application.event_listener.fetch.decode import DecodedFields
from paimon.application.replay.shadow_tables import LIVE_LOGS, REDECODED_LOGS, TABLE_PAIRS, TablePair
from paimon.domain.risk.discrepancy import DerivedRow, RowDifference, compare_rows
from paimon.infrastructure.database.sessions import WriteSession


@dataclass(frozen=True, slots=True)
class ReplayComparison:
    """Number of rows that differ, and the first differences of each table."""

    rows_differing: int
    examples: tuple[RowDifference, ...]

    def with_more(self, differences: Sequence[RowDifference], *, examples_max: int) -> Self:
        """Add differences, with at most `examples_max` examples of each table."""
        by_table = groupby(differences, key=lambda difference: difference.table)
        shown = [difference for _, of_table in by_table for difference in islice(of_table, examples_max)]
        rows = len({(difference.table, difference.key) for difference in differences})
        return replace(self, rows_differing=self.rows_differing + rows, examples=(*self.examples, *shown))


async def compare_with_live(session: WriteSession, *, examples_max: int) -> ReplayComparison:
    """Compare every projection and the decoded columns of every log, live and rebuilt, row by row."""
    rows_differing = 0
    examples: list[RowDifference] = []
    for name, keys, columns, sides in _COMPARED_TABLES:
        total, rows = await _differing(session, columns, sides, rows_max=examples_max)
        rows_differing += total
        examples += [found for live, rebuilt in rows for found in compare_rows(name, keys, live, rebuilt)][:examples_max]
    return ReplayComparison(rows_differing, tuple(examples))


async def apply_shadow(session: WriteSession) -> dict[str, int]:
    """Make the live tables equal to the shadow; return how many rows changed, by table.

    The caller holds the lock on the cursor's row, so that no other process writes these tables.
    """
    changed: dict[str, int] = {}
    for pair in reversed(TABLE_PAIRS):  # children before the parents they refer to
        changed[pair.name] = await _run(session, _delete_missing(pair))
    for pair in TABLE_PAIRS:
        changed[pair.name] += await _run(session, _upsert_changed(pair))
    changed[LIVE_LOGS.name] = await _run(session, _UPDATE_REDECODED_LOGS)
    return {name: rows for name, rows in changed.items() if rows}


async def _run(session: WriteSession, statement: Delete | Insert | Update) -> int:
    result = await session.execute(statement, execution_options={"preserve_rowcount": True})
    assert isinstance(result, CursorResult)  # noqa: S101 — a statement that changes rows returns one
    return result.rowcount


def _same_key(one: FromClause, other: FromClause, keys: Sequence[str]) -> ColumnElement[bool]:
    return and_(*(one.c[name] == other.c[name] for name in keys))


def _keys(table: Table) -> list[str]:
    return [column.name for column in table.primary_key]


def _columns(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.computed is None]


def _delete_missing(pair: TablePair) -> Delete:
    rebuilt = pair.rebuilt.alias("rebuilt")
    return delete(pair.live).where(~exists().where(_same_key(rebuilt, pair.live, _keys(pair.live))))


def _upsert_changed(pair: TablePair) -> Insert:
    names, keys = _columns(pair.live), _keys(pair.live)
    changed_rows = select(*(pair.rebuilt.c[name] for name in names)).except_(select(*(pair.live.c[name] for name in names)))
    statement = insert(pair.live).from_select(names, changed_rows)
    values = {name: statement.excluded[name] for name in names if name not in keys}
    if not values:
        return statement.on_conflict_do_nothing(index_elements=keys)
    return statement.on_conflict_do_update(index_elements=keys, set_=values)


_UPDATE_REDECODED_LOGS: Final = (
    update(LIVE_LOGS)
    .values({name: REDECODED_LOGS.c[name] for name in DecodedFields._fields})
    .where(_same_key(REDECODED_LOGS, LIVE_LOGS, LogId._fields))
)


def _sides(live: Table, rebuilt: Table, keys: Sequence[str], *, full: bool) -> Join:
    one, other = live.alias("live"), rebuilt.alias("rebuilt")
    return join(one, other, _same_key(one, other, keys), full=full)


_COMPARED_TABLES: Final = (
    *(
        (pair.name, _keys(pair.live), _columns(pair.live), _sides(pair.live, pair.rebuilt, _keys(pair.live), full=True))
        for pair in TABLE_PAIRS
    ),
    (
        LIVE_LOGS.name,
        list(LogId._fields),
        [*LogId._fields, *DecodedFields._fields],
        _sides(LIVE_LOGS, REDECODED_LOGS, LogId._fields, full=False),  # has only the rows that differ
    ),
)


async def _differing(
    session: WriteSession, names: Sequence[str], sides: Join, *, rows_max: int
) -> tuple[int, list[tuple[DerivedRow | None, DerivedRow | None]]]:
    live, rebuilt = ([side.c[name] for name in names] for side in (sides.left, sides.right))
    query = (
        select(*live, *rebuilt, func.count().over())
        .select_from(sides)
        .where(tuple_(*live).is_distinct_from(tuple_(*rebuilt)))
        .order_by(func.coalesce(live[0], rebuilt[0]))
        .limit(rows_max)
    )
    rows = (await session.execute(query)).all()

    def side(values: Sequence[Any]) -> DerivedRow | None:
        row = dict(zip(names, values, strict=True))
        return row if row[names[0]] is not None else None  # the first column is part of the key

    width = len(names)
    found = [(side(row[:width]), side(row[width : 2 * width])) for row in rows]
    return (int(rows[0][-1]) if rows else 0), found
