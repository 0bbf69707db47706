"""Pages of a query's results, by number or behind a position.

    by number        LIMIT and OFFSET, with the total. Both are read in the caller's snapshot, so they agree. PostgreSQL
                     reads and drops every row before the page, so a late page of a long list is slow.
    behind a         WHERE (keys) is beyond those of the last row seen. The index of the order leads to the page, wherever it
    position         is. Rows that others insert meanwhile move no row to another page. The total is not counted.

A list's order ends with a unique key, and no key of it ever changes: else a row could be skipped or shown twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from paimon.errors import DetailCode, InvalidRequest

Row = TypeVar("Row")
Item = TypeVar("Item")
View = TypeVar("View")

Key = int | str | bytes | datetime | UUID


class InvalidCursor(InvalidRequest):
    """The cursor is not one of this list with these filters; send nextCursor as it was, or begin again without a cursor."""

    field = "cursor"
    code = DetailCode.INVALID_CURSOR


@dataclass(frozen=True, slots=True)
class Position:
    """The place behind one row: the row's keys in the list's order, and the block of a list that is as of a block."""

    keys: tuple[Key, ...]
    block: int | None = None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The number of a page, counted from 1, and its size; or the position that the page is behind.

    `total` is known if an earlier page of the snapshot has counted it.
    """

    number: int
    size: int
    total: int | None = None
    after: Position | None = None

    @property
    def offset(self) -> int:
        return 0 if self.after is not None else (self.number - 1) * self.size

    def block_or(self, block: int | None) -> int | None:
        """Return the block that the first page was as of, so that all pages behind it are too; else the requested one."""
        return block if self.after is None or self.after.block is None else self.after.block


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Items of one page, with the position behind its last one if more follow; `counted` is None behind a position.

    Past the end the page is empty.
    """

    items: list[Item]
    counted: int | None
    request: PageRequest
    next: Position | None = None

    @property
    def total(self) -> int:
        """The number of items of all pages, which a page by number knows."""
        assert self.counted is not None  # noqa: S101 — nothing is counted behind a position
        return self.counted

    def with_items(self, items: Sequence[View]) -> "Page[View]":
        """Return the page with its items in another form, in the same order."""
        return Page(list(items), self.counted, self.request, self.next)

    def mapped(self, convert: Callable[[Item], View]) -> "Page[View]":
        """Return the page with every item converted."""
        return self.with_items([convert(item) for item in self.items])

    def as_of(self, block: int) -> "Page[Item]":
        """Return the page with this block in the position behind it."""
        return self if self.next is None else replace(self, next=replace(self.next, block=block))


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list: columns that are never NULL, all in one direction, the last of them unique with those before."""

    columns: tuple[InstrumentedAttribute[Any], ...]
    descending: bool

    def clauses(self) -> list[ColumnElement[Any]]:
        return [column.desc() if self.descending else column.asc() for column in self.columns]

    def after(self, position: Position) -> ColumnElement[bool]:
        """Return the condition on rows behind the position: one comparison of rows, which an index of the order serves.

        Raises:
            InvalidCursor: the position has keys of another order.
        """
        if len(position.keys) != len(self.columns):
            raise InvalidCursor
        columns = tuple_(*self.columns)
        keys = tuple_(*(literal(key, column.type) for key, column in zip(position.keys, self.columns, strict=True)))
        return columns < keys if self.descending else columns > keys


def latest_first(*columns: InstrumentedAttribute[Any]) -> Order:
    return Order(columns, descending=True)


def oldest_first(*columns: InstrumentedAttribute[Any]) -> Order:
    return Order(columns, descending=False)


def paginate(items: Sequence[Item], request: PageRequest) -> Page[Item]:
    """Return one page of a short list that is in memory already. Its order never changes, so a position is a number in it.

    Raises:
        InvalidCursor: the position is one of another list.
    """
    offset = request.offset if request.after is None else _offset_of(request.after)
    end = offset + request.size
    return Page(list(items[offset:end]), len(items), request, Position((end,)) if end < len(items) else None)


def _offset_of(position: Position) -> int:
    match position.keys:
        case (int(offset),):
            return offset
    raise InvalidCursor


async def fetch_page(
    session: AsyncSession, query: Select[Any], request: PageRequest, convert: Callable[[Row], Item], *, order: Order
) -> Page[Item]:
    """Run a query over one entity in the list's order, and return one page of converted rows.

    Raises:
        InvalidCursor: the position is one of another list.
    """
    if request.after is not None:
        total, query = None, query.where(order.after(request.after))
    elif (total := request.total) is None:
        counted = select(func.count()).select_from(query.options().subquery())
        total = int((await session.execute(counted)).scalar_one())
    if total is not None and request.offset >= total:  # keeps huge page numbers from the database: its offsets have 64 bits
        return Page([], total, request)
    window = query.add_columns(*order.columns).order_by(*order.clauses()).offset(request.offset or None).limit(request.size + 1)
    rows = (await session.execute(window)).all()
    shown = rows[: request.size]
    following = Position(tuple(shown[-1][1:])) if len(rows) > len(shown) else None
    return Page([convert(row[0]) for row in shown], total, request, following)
