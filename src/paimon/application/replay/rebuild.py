"""Leading a shadow along the recorded logs: decode a page again, fold it, note what reads differently now.

Each page is a transaction, so that the listener's next ranges are seen as they come. While one is folded the next is read,
over a connection of its own: memory is two pages and what one touches. How the pages fall cannot matter, for the fold does
not know them.
"""

import asyncio
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.application.event_listener.fetch.tracked_contracts import discovered, load_tracked_contracts
from paimon.application.event_listener.record.project import project
from paimon.application.event_listener.record.record import decoded_values
from paimon.application.common.chain_position import NothingRecorded
from paimon.application.replay.recorded_logs import (
    BEFORE_FIRST_LOG,
    LogPosition,
    RecordedLog,
    count_logs,
    read_page,
    redecode_logs,
)
from paimon.application.replay.shadow_tables import REDECODED_LOGS, Shadow
from paimon.domain.chain.tracked_contracts import TrackedContracts
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import checksum
from paimon.domain.risk.operator_decision import LogKey
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.bulk_copy import driver_connection
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

PAGE_LOGS: Final = 10_000

ProgressCallback = Callable[[int, int], None]
"""Told how many logs are folded, and of how many."""


def ignore_progress(_done: int, _total: int) -> None:
    """Progress nobody watches."""


@dataclass(slots=True)
class Rebuild:
    """How far a shadow is: `logs` folded, the last of them at `position`."""

    shadow: Shadow
    contracts: FundContracts
    progress: ProgressCallback = ignore_progress
    skipped: Set[LogKey] = frozenset()
    page_logs: int = PAGE_LOGS
    position: LogPosition = BEFORE_FIRST_LOG
    logs: int = 0

    async def catch_up(self, *, until: int | None = None) -> None:
        """Fold what is recorded, or recorded up to a block, until less than a page is left, behind a listener that goes on."""
        async with self.shadow.live_transaction() as session:
            total = await count_logs(session, last=await _last_block(session, until))
        ahead = asyncio.create_task(self._read_page_live(self.position, until))
        try:
            while page := await ahead:
                ahead = asyncio.create_task(self._read_page_live(page[-1].position, until))
                async with self.shadow.transaction() as session:
                    await self._fold(session, page)
                self.progress(self.logs, max(total, self.logs))
                if len(page) < self.page_logs:
                    return
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def _read_page_live(self, after: LogPosition, until: int | None) -> list[RecordedLog]:
        async with self.shadow.live_transaction() as session:
            return await read_page(session, after, last=await _last_block(session, until), logs=self.page_logs)

    async def fold_to(self, session: WriteSession, last: int) -> None:
        """Fold the logs up to block `last` in the caller's transaction."""
        while page := await read_page(session, self.position, last=last, logs=self.page_logs):
            await self._fold(session, page)
            if len(page) < self.page_logs:
                return

    async def _fold(self, session: WriteSession, page: Sequence[RecordedLog]) -> None:
        tracked = await load_tracked_contracts(session)
        logs = redecode_logs(page, self.contracts, tracked, self.skipped)
        await project(session, logs, tracked.treasury)
        _log_untracked_contracts(tracked, page, logs)
        await _store_redecoded_logs(session, page, logs)
        self.position, self.logs = page[-1].position, self.logs + len(page)


def _log_untracked_contracts(tracked: TrackedContracts, page: Sequence[RecordedLog], logs: Sequence[DecodedLog]) -> None:
    """A log that could not be read may have announced a contract: its logs were then never asked for, nor are they here."""
    newly_applied = [
        decoded
        for recorded, decoded in zip(page, logs, strict=True)
        if recorded.status != LogStatus.APPLIED and decoded.status is LogStatus.APPLIED
    ]
    for each in discovered(tracked, newly_applied):
        log.error("contract.never_tracked", address=checksum(each.address), since_block=each.since_block)


async def _store_redecoded_logs(session: WriteSession, page: Sequence[RecordedLog], logs: Sequence[DecodedLog]) -> None:
    redecoded = [
        (*recorded.position, *decoded_values(decoded))
        for recorded, decoded in zip(page, logs, strict=True)
        if not recorded.matches_decoding(decoded)
    ]
    if not redecoded:
        return
    columns = ", ".join(column.name for column in REDECODED_LOGS.columns)
    connection = await driver_connection(session)
    async with connection.cursor() as cursor, cursor.copy(f"COPY {REDECODED_LOGS.fullname} ({columns}) FROM STDIN") as copy:
        for row in redecoded:
            await copy.write_row(row)


_CURSOR: Final = text("SELECT number FROM derived.cursor")
_HOLD_CURSOR: Final = text("SELECT number FROM derived.cursor FOR UPDATE")


async def read_cursor_block(session: AsyncSession, *, hold: bool = False) -> int:
    """The last recorded block; with `hold`, no other is recorded before this transaction ends.

    Raises:
        NothingRecorded: the listener has not begun.
    """
    number = (await session.execute(_HOLD_CURSOR if hold else _CURSOR)).scalar()
    if number is None:
        raise NothingRecorded("the listener has recorded nothing yet; there is nothing to replay")
    return int(number)


async def _last_block(session: AsyncSession, until: int | None) -> int:
    return await read_cursor_block(session) if until is None else until
