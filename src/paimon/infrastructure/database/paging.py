"""One page of a query's results with the total, read in the caller's snapshot so that both agree."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

Row = TypeVar("Row")
Item = TypeVar("Item")
View = TypeVar("View")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page, counted from 1, and how many items it may hold; the total, where an earlier page of the snapshot told it."""

    number: int
    size: int
    total: int | None = None

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Items of one page; past the end it is empty, and the total is told all the same."""

    items: list[Item]
    total: int
    request: PageRequest

    def mapped(self, convert: Callable[[Item], View]) -> "Page[View]":
        """The same page with every item as `show` makes it."""
        return Page([convert(each) for each in self.items], self.total, self.request)


def paginate(items: Sequence[Item], request: PageRequest) -> Page[Item]:
    """The page of a list that is short and in memory already."""
    return Page(list(items[request.offset : request.offset + request.size]), len(items), request)


async def fetch_page(
    session: AsyncSession, query: Select[Any], request: PageRequest, convert: Callable[[Row], Item]
) -> Page[Item]:
    """The page of an ordered query over one entity."""
    if (total := request.total) is None:
        counted = select(func.count()).select_from(query.order_by(None).options().subquery())
        total = int((await session.execute(counted)).scalar_one())
    if request.offset >= total:  # also keeps an absurd page number from the database, whose offsets are 64 bits
        return Page([], total, request)
    rows = await session.scalars(query.offset(request.offset).limit(request.size))
    return Page([convert(row) for row in rows], total, request)
