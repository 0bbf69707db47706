"""Rebuild of a shadow from the recorded logs: decode a page again, fold it, and store what is decoded differently now.

Each page is a transaction, so that the listener's next ranges are seen as they come. While one page is folded the next one is
read over another connection: memory is two pages and what one touches. Where pages begin and end does not matter, because the
fold does not know them.
"""

import asyncio
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Final

import structlog

from paimon.application.common.log_id import LogId
from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.application.event_listener.fetch.store import load_tracked_contracts
from paimon.application.event_listener.fetch.tracked_contracts import discovered
from paimon.application.event_listener.record.project import project
from paimon.application.event_listener.record.store import decoded_values
from paimon.application.replay.queries import count_logs, read_cursor_block, read_page
from paimon.application.replay.recorded_logs import BEFORE_FIRST_LOG, RecordedLog, redecode_logs
from paimon.application.replay.shadow_tables import Shadow
from paimon.application.replay.store import store_redecoded_logs
from paimon.domain.chain.tracked_contracts import TrackedContracts
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import checksum
from paimon.domain.risk.operator_decision import LogKey
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

log = structlog.get_logger(__name__)

PAGE_LOGS: Final = 10_000

ProgressCallback = Callable[[int, int], None]
"""Called with the number of folded logs and the total."""


def ignore_progress(_done: int, _total: int) -> None:
    """Report no progress."""


@dataclass(slots=True)
class Rebuild:
    """Progress of a shadow: `logs` were folded, the last of them at `position`."""

    shadow: Shadow
    contracts: FundContracts
    progress: ProgressCallback = ignore_progress
    skipped: Set[LogKey] = frozenset()
    page_logs: int = PAGE_LOGS
    position: LogId = BEFORE_FIRST_LOG
    logs: int = 0

    async def catch_up(self, *, until: int | None = None) -> None:
        """Fold what is recorded, or recorded up to a block, until less than a page is left; the listener goes on meanwhile."""
        async with self.shadow.live_transaction() as session:
            total = await count_logs(session, last=await _last_block(session, until))
        next_page = asyncio.create_task(self._read_page_live(self.position, until))
        try:
            while page := await next_page:
                next_page = asyncio.create_task(self._read_page_live(page[-1].id, until))
                async with self.shadow.transaction() as session:
                    await self._fold(session, page)
                self.progress(self.logs, max(total, self.logs))
                if len(page) < self.page_logs:
                    return
        finally:
            next_page.cancel()
            await asyncio.gather(next_page, return_exceptions=True)

    async def _read_page_live(self, after: LogId, until: int | None) -> list[RecordedLog]:
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
        await store_redecoded_logs(session, _redecoded_rows(page, logs))
        self.position, self.logs = page[-1].id, self.logs + len(page)


def _log_untracked_contracts(tracked: TrackedContracts, page: Sequence[RecordedLog], logs: Sequence[DecodedLog]) -> None:
    """Log contracts that a newly applied log brings in: their own logs were never requested, so they are not recorded."""
    newly_applied = [
        decoded
        for recorded, decoded in zip(page, logs, strict=True)
        if recorded.status != LogStatus.APPLIED and decoded.status is LogStatus.APPLIED
    ]
    for contract in discovered(tracked, newly_applied):
        log.error("contract.never_tracked", address=checksum(contract.address), since_block=contract.since_block)


def _redecoded_rows(page: Sequence[RecordedLog], logs: Sequence[DecodedLog]) -> list[tuple[object, ...]]:
    return [
        (*recorded.id, *decoded_values(decoded))
        for recorded, decoded in zip(page, logs, strict=True)
        if not recorded.matches_decoding(decoded)
    ]


async def _last_block(session: ReadSession, until: int | None) -> int:
    return await read_cursor_block(session) if until is None else until
