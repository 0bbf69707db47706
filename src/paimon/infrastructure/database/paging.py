"""Pages of a query's results with the total. Both are read in the caller's snapshot, so they agree."""

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
    """The number of a page, counted from 1, and its size; the total if an earlier page of the snapshot has counted it."""

    number: int
    size: int
    total: int | None = None

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Items of one page, with the total. Past the end the page is empty."""

    items: list[Item]
    total: int
    request: PageRequest

    def mapped(self, convert: Callable[[Item], View]) -> "Page[View]":
        """Return the page with every item converted."""
        return Page([convert(item) for item in self.items], self.total, self.request)


def paginate(items: Sequence[Item], request: PageRequest) -> Page[Item]:
    """Return one page of a short list that is in memory already."""
    return Page(list(items[request.offset : request.offset + request.size]), len(items), request)


async def fetch_page(
    session: AsyncSession, query: Select[Any], request: PageRequest, convert: Callable[[Row], Item]
) -> Page[Item]:
    """Run an ordered query over one entity, and return one page of converted rows."""
    if (total := request.total) is None:
        counted = select(func.count()).select_from(query.order_by(None).options().subquery())
        total = int((await session.execute(counted)).scalar_one())
    if request.offset >= total:  # also keeps huge page numbers from the database, whose offsets have 64 bits
        return Page([], total, request)
    rows = await session.scalars(query.offset(request.offset).limit(request.size))
    return Page([convert(row) for row in rows], total, request)
