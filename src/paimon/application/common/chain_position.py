"""The position of the listener: the last recorded final block."""

from typing import Final

from sqlalchemy import select

from paimon.domain.kernel.chain import BlockStamp, Hash32
from paimon.errors import Unavailable
from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.derived import CursorRow
from paimon.infrastructure.database.row_query import RowQuery
from paimon.infrastructure.database.sessions import ReadSession, WriteSession


class NothingRecorded(Unavailable):
    """No block of the fund has been recorded yet; the listener must be running. Try again shortly."""


async def chain_position(session: ReadSession | WriteSession) -> BlockStamp | None:
    """Return the last recorded final block; None before the listener's first batch."""
    row = (await session.execute(select(CursorRow))).scalar_one_or_none()
    return _position(row) if row else None


def _position(row: CursorRow) -> BlockStamp:
    return BlockStamp(row.number, Hash32(row.hash), row.timestamp)


CHAIN_POSITION: Final = RowQuery(select(table_of(CursorRow)), _position)
"""The last recorded final block as a query without a session, for a caller that reads nothing else."""
