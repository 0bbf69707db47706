"""Make the blocks of a local chain that runs for hours: often while there is something to see, rarely while there is not.

anvil keeps every block for as long as it runs, about 10 kB of memory for an empty one. No option of it drops them without
losing logs that a replay and a new listener need. So an idle chain makes few: a transaction waits for a block at most
`busy_seconds`, blocks follow until it is final, and then there is one only each `idle_seconds`, so that the chain's time goes
on. That one too is made final at once. Otherwise the final block would stay `idle_seconds` behind the head, as on a chain that
does not finalise.

anvil does not mine by itself meanwhile. Its interval is IDLE_INTERVAL_SECONDS, which never passes. An interval of 0 says that
another program mines (the simulated market writes a history so): then no block is made here.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Final

from paimon_devkit.stack.chain_rpc import ChainRpc
from paimon_devkit.stack.errors import DemoError

IDLE_INTERVAL_SECONDS: Final = 10**6
_LOOK_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class BlockPace:
    """The seconds between two blocks, while there is something to see and while there is not."""

    busy_seconds: float
    idle_seconds: float


@dataclass(slots=True)
class BlockSchedule:
    """Decide when the next block is due. Times are seconds of one monotonic clock."""

    pace: BlockPace
    blocks_to_finality: int
    _head: int = -1
    _head_at: float = 0.0
    _newest_event: int = field(default=-1)
    """The newest block that people wait for, until it is final."""

    def observe(self, head: int, *, at: float) -> None:
        """Take note of the head. A block that another made, such as a move of time, is one that people wait for."""
        if head != self._head:
            self._head, self._head_at, self._newest_event = head, at, head

    def is_due(self, *, pending: bool, at: float) -> bool:
        """Report whether a block is due; `pending` says that transactions wait for one."""
        is_busy = pending or self._head < self._newest_event + self.blocks_to_finality
        return at - self._head_at >= (self.pace.busy_seconds if is_busy else self.pace.idle_seconds)

    def add_block(self, *, pending: bool, at: float) -> None:
        """Take note of a block that was made because it was due."""
        if pending or self._head >= self._newest_event + self.blocks_to_finality:
            self._newest_event = self._head + 1
        self._head, self._head_at = self._head + 1, at


def produce_blocks(rpc: ChainRpc, schedule: BlockSchedule, ended: threading.Event) -> None:
    """Make each block when it is due, until the chain has ended. A chain that does not answer is asked again."""
    while not ended.wait(_LOOK_SECONDS):
        try:
            _produce_block_if_due(rpc, schedule)
        except (OSError, ValueError, DemoError):
            continue  # anvil is busy or ending


def _produce_block_if_due(rpc: ChainRpc, schedule: BlockSchedule) -> None:
    pending = int(rpc.call("txpool_status")["pending"], 16) > 0
    schedule.observe(rpc.head().number, at=time.monotonic())
    if not schedule.is_due(pending=pending, at=time.monotonic()) or rpc.call("anvil_getIntervalMining") is None:
        return
    rpc.call("evm_mine")
    schedule.add_block(pending=pending, at=time.monotonic())
