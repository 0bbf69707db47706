"""No node's chain comes as far as the books: the listener waits, keeps its lease, and goes on when the chain is there again.

A node that was restored, or started anew, is behind for a while, and nothing is wrong with the books. That is known only when
every node that may be asked answers and none has the cursor's block; as long as one is away, it may have it. When it lasts, it
is a critical risk event, which the first look that finds the block ends. A chain that grows past the cursor with another block
in its place is another matter: a changed final block (see `halt`).
"""

from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.risk_control.queries import list_unresolved
from paimon.application.risk_control.record_findings import record_check_result
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.risk.finality_lag import FindingWatch
from paimon.domain.risk.risk_event import Finding, RiskEvent, RiskKind, Severity
from paimon.infrastructure.database.leases import HeldLease, fence
from paimon.infrastructure.database.sessions import Database

CHAIN_SUBJECT: Final = "chain of all nodes"
"""The subject: there is one."""


class ChainBehindCursor(Exception):
    """Every node that may be asked answers, and none has the last recorded block."""

    def __init__(self, cursor: BlockStamp) -> None:
        super().__init__(
            f"the books stand at block {cursor}, but the node's chain is shorter: waiting for it."
            " If the local chain was started afresh, start the demo with --fresh; otherwise check PAIMON_CHAIN__RPC_URL"
        )
        self.block = cursor.number
        self.finding = Finding(
            RiskKind.CHAIN_BEHIND, CHAIN_SUBJECT, "shorter than the books", f"block {cursor}", Severity.CRITICAL
        )


async def find_chain_behind(session: AsyncSession) -> RiskEvent | None:
    """The event there is now."""
    return next(iter(await list_unresolved(session, RiskKind.CHAIN_BEHIND)), None)


@dataclass(slots=True)
class ChainBehindMonitor:
    """What the listener finds of it at each turn, and when that becomes an event. One per process."""

    grace_seconds: float = 60.0
    """Beyond what a node takes to be started anew."""
    _lag: FindingWatch = field(default_factory=FindingWatch)
    _is_reported: bool = True

    def begin(self) -> None:
        """With a new lease: an event may be left open by whoever held the one before."""
        self._lag, self._is_reported = FindingWatch(), True

    async def report_behind(self, database: Database, behind: ChainBehindCursor, lease: HeldLease) -> None:
        """Raises LeaseLost."""
        now = monotonic()
        self._lag = self._lag.after(behind.finding, at_seconds=now)
        if self._lag.has_lasted(at_seconds=now, grace_seconds=self.grace_seconds):
            await self._record_finding(database, behind.finding, lease, block=behind.block)

    async def report_caught_up(self, database: Database, cursor: BlockStamp, lease: HeldLease) -> None:
        """Raises LeaseLost."""
        self._lag = FindingWatch()
        if self._is_reported:
            await self._record_finding(database, None, lease, block=cursor.number)

    async def _record_finding(self, database: Database, found: Finding | None, lease: HeldLease, *, block: int) -> None:
        async with database.write() as session:
            if found is not None or await find_chain_behind(session) is not None:
                await fence(session, lease)
                await record_check_result(session, RiskKind.CHAIN_BEHIND, CHAIN_SUBJECT, found, block=block)
        self._is_reported = found is not None
