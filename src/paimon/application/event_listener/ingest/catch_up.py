"""Catch up when the cursor is far behind the head: fetch and prove segments concurrently, and yield them in order.

The number of logs in the last segments decides the length of the next (`domain/chain/range_size`). The number of concurrent
segments bounds the memory for what is fetched and not yet recorded. No state is kept: after a stop, a failure or a new
tracked contract, the catch-up begins at the cursor.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, NamedTuple

import structlog

from paimon.application.event_listener.fetch.block_range import BlockRange
from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.application.event_listener.fetch.tracked_contracts import fetch_tracked_segment, prove_tracked
from paimon.application.event_listener.fetch.verify import ProofResult, prove_segment
from paimon.domain.chain.range_size import next_range_size
from paimon.domain.chain.tracked_contracts import TrackedContracts
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.settings import ChainSettings

log = structlog.get_logger(__name__)

FIRST_RANGE_SIZE: Final = 16
"""Blocks of the first segment, before any log count is known. A fund's first blocks name new contracts, and segments that
were fetched ahead without these are fetched again."""


class Segment(NamedTuple):
    """Blocks that were fetched and proven, with their decoded logs."""

    proof: ProofResult
    logs: list[DecodedLog]
    seconds: float

    @property
    def fetched(self) -> BlockRange:
        return self.proof.fetched

    def pieces(self, logs_max: int) -> Iterator[tuple[BlockRange, list[DecodedLog]]]:
        """Split the segment into parts of at most `logs_max` logs, in order."""
        start = 0
        for piece in self.fetched.pieces(logs_max):
            end = start + len(piece.logs)
            yield piece, self.logs[start:end]
            start = end


@dataclass
class CatchUp:
    """Fetch blocks `first` to `last` in segments. `tracked` are the contracts tracked at the first block."""

    contracts: FundContracts
    tracked: TrackedContracts
    first: int
    last: int
    options: ChainSettings
    _range_size: int = FIRST_RANGE_SIZE
    _running: deque[asyncio.Task[Segment]] = field(default_factory=deque)

    async def segments(self) -> AsyncGenerator[Segment, None]:
        """Yield the segments in order. Close the generator (`contextlib.aclosing`) to cancel the remaining fetches at once.

        Raises:
            InconsistentResponse, RpcUnavailable, RpcError.
        """
        try:
            while self._fill():
                yield await self._running.popleft()
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _fill(self) -> bool:
        """Start as many fetches as may run. Return whether any is running."""
        while len(self._running) < self.options.catch_up_concurrency and self.first <= self.last:
            last = min(self.first + self._range_size - 1, self.last)
            self._running.append(asyncio.create_task(self._fetch(self.first, last)))
            self.first = last + 1
        return bool(self._running)

    async def _fetch(self, first: int, last: int) -> Segment:
        began = monotonic()
        rpc = await self.contracts.rpc.at_height(last).preferred()
        fetched, logs = await fetch_tracked_segment(rpc, self.contracts, self.tracked, first, last)
        proof, logs = await prove_tracked(prove_segment, rpc, self.contracts, self.tracked, fetched, logs)
        self._range_size = next_range_size(
            last - first + 1,
            len(logs),
            items_target=self.options.batch_logs_max,
            blocks_max=self.options.catch_up_blocks_max,
        )
        return Segment(proof, logs, monotonic() - began)


class CatchUpProgress(NamedTuple):
    """How far a catch-up from block `start` to block `last` has come."""

    start: int
    block: int
    last: int
    logs: int
    seconds: float

    @property
    def blocks_left(self) -> int:
        return self.last - self.block

    @property
    def blocks_per_second(self) -> float:
        return (self.block - self.start) / self.seconds

    @property
    def logs_per_second(self) -> float:
        return self.logs / self.seconds

    @property
    def percent(self) -> float:
        return 100 * (self.block - self.start) / (self.last - self.start)

    @property
    def eta_seconds(self) -> float:
        return self.blocks_left / self.blocks_per_second


CatchUpCallback = Callable[[CatchUpProgress], None]


@dataclass
class ProgressLogger:
    """Log the progress at an interval, and at the end."""

    interval_seconds: float = 10.0
    _last_logged_at: float = field(default_factory=monotonic)

    def __call__(self, progress: CatchUpProgress) -> None:
        now = monotonic()
        if now - self._last_logged_at < self.interval_seconds and progress.blocks_left:
            return
        self._last_logged_at = now
        log.info(
            "listener.catching_up",
            block=progress.block,
            until=progress.last,
            blocks_left=progress.blocks_left,
            percent=round(progress.percent, 1),
            blocks_per_second=round(progress.blocks_per_second),
            logs_per_second=round(progress.logs_per_second),
            eta_seconds=round(progress.eta_seconds),
        )


@dataclass
class CatchUpTracker:
    """Count the recorded blocks and logs after block `start`, and report the progress."""

    start: int
    last: int
    report_progress: CatchUpCallback
    _logs: int = 0
    _began: float = field(default_factory=monotonic)

    def advance_to(self, block: int, *, logs: int) -> None:
        """Report block `block` as recorded, with the number of logs since the previous report."""
        self._logs += logs
        self.report_progress(CatchUpProgress(self.start, block, self.last, self._logs, max(monotonic() - self._began, 0.001)))
