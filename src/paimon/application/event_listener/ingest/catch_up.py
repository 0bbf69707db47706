"""Far behind the head: stretches of blocks fetched and proven ahead, some at once, and given in order to who records them.

How long a stretch is follows from how many logs the last ones held (`domain/pace.py`). What is fetched and not yet recorded
is bounded by the number of stretches under way. Nothing is remembered: whoever goes on after a stop, a failure or a newly
followed contract begins at the cursor.
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
"""Blocks of the first stretch, before anything is known. A fund's first blocks announce contracts, and what was fetched ahead
without them is fetched again."""


class Segment(NamedTuple):
    """Blocks that were fetched and proven, with what their logs mean."""

    proof: ProofResult
    logs: list[DecodedLog]
    seconds: float

    @property
    def fetched(self) -> BlockRange:
        return self.proof.fetched

    def pieces(self, logs_max: int) -> Iterator[tuple[BlockRange, list[DecodedLog]]]:
        """As much as one transaction may hold, in order."""
        taken = 0
        for piece in self.fetched.pieces(logs_max):
            until = taken + len(piece.logs)
            yield piece, self.logs[taken:until]
            taken = until


@dataclass
class CatchUp:
    """Blocks `first` to `last`, in stretches. `followed` is what is known at the first of them."""

    contracts: FundContracts
    tracked: TrackedContracts
    first: int
    last: int
    options: ChainSettings
    _range_size: int = FIRST_RANGE_SIZE
    _running: deque[asyncio.Task[Segment]] = field(default_factory=deque)

    async def segments(self) -> AsyncGenerator[Segment, None]:
        """In order. Close it (`contextlib.aclosing`), so that what is still being fetched is given up at once.

        Raises:
            InconsistentResponse, RpcUnavailable, RpcError.
        """
        try:
            while self._fill():
                yield await self._running.popleft()
        finally:
            for each in self._running:
                each.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _fill(self) -> bool:
        """Have as many stretches under way as may be; whether there are any."""
        while len(self._running) < self.options.catch_up_concurrency and self.first <= self.last:
            until = min(self.first + self._range_size - 1, self.last)
            self._running.append(asyncio.create_task(self._fetch(self.first, until)))
            self.first = until + 1
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
    """How far a catch-up has come, and what it did on the way."""

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
    """Told now and then in the log, and when it is over: a catch-up of years takes its time."""

    interval_seconds: float = 10.0
    _last_logged_at: float = field(default_factory=monotonic)

    def __call__(self, along: CatchUpProgress) -> None:
        now = monotonic()
        if now - self._last_logged_at < self.interval_seconds and along.blocks_left:
            return
        self._last_logged_at = now
        log.info(
            "listener.catching_up",
            block=along.block,
            until=along.last,
            blocks_left=along.blocks_left,
            percent=round(along.percent, 1),
            blocks_per_second=round(along.blocks_per_second),
            logs_per_second=round(along.logs_per_second),
            eta_seconds=round(along.eta_seconds),
        )


@dataclass
class CatchUpTracker:
    """Of the blocks behind `start` up to `last`."""

    start: int
    last: int
    report_progress: CatchUpCallback
    _logs: int = 0
    _began: float = field(default_factory=monotonic)

    def advance_to(self, block: int, *, logs: int) -> None:
        """`logs` came with the blocks since the last time."""
        self._logs += logs
        self.report_progress(CatchUpProgress(self.start, block, self.last, self._logs, max(monotonic() - self._began, 0.001)))
