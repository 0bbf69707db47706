"""The chain of every node ends before the cursor: the listener waits, keeps its lease, and continues when the chain is back.

A node that was restored or restarted is behind for a while, and the recorded state is still right. This case is certain only
when every node that may be asked answers and none has the cursor's block: a node that does not answer may have it. When the
case lasts, it becomes a critical risk event. The first check that finds the block resolves the event. A chain that grows past
the cursor with another block in its place is a different case: a changed final block (see `halt`).
"""

from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from paimon.application.risk_control.queries import list_unresolved
from paimon.application.risk_control.record_findings import record_check_result
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.risk.finality_lag import FindingWatch
from paimon.domain.risk.risk_event import Finding, RiskEvent, RiskKind, Severity
from paimon.infrastructure.database.leases import HeldLease, fence
from paimon.infrastructure.database.sessions import Database, ReadSession, WriteSession

CHAIN_SUBJECT: Final = "chain of all nodes"
"""Subject of the risk event. There is only one."""


class ChainBehindCursor(Exception):
    """Every node that may be asked answers, and none has the last recorded block."""

    def __init__(self, cursor: BlockStamp) -> None:
        super().__init__(
            f"the last recorded block is {cursor}, but the chain of every node is shorter: waiting for it."
            " If the local chain was started afresh, start the demo with --fresh; otherwise check PAIMON_CHAIN__RPC_URL"
        )
        self.block = cursor.number
        self.finding = Finding(
            RiskKind.CHAIN_BEHIND, CHAIN_SUBJECT, "shorter than the recorded chain", f"block {cursor}", Severity.CRITICAL
        )


async def find_chain_behind(session: ReadSession | WriteSession) -> RiskEvent | None:
    """Find the unresolved risk event."""
    return next(iter(await list_unresolved(session, RiskKind.CHAIN_BEHIND)), None)


@dataclass(slots=True)
class ChainBehindMonitor:
    """Decide when a chain that is behind becomes a risk event, and when the event is resolved. One per process."""

    grace_seconds: float = 60.0
    """Longer than a node takes to restart."""
    _watch: FindingWatch = field(default_factory=FindingWatch)
    _may_be_open: bool = True

    def reset(self) -> None:
        """Start over with a new lease: the previous holder may have left an event open."""
        self._watch, self._may_be_open = FindingWatch(), True

    async def report_behind(self, database: Database, error: ChainBehindCursor, lease: HeldLease) -> None:
        """Record the event once the chain has been behind for the grace period. Raises LeaseLost."""
        now = monotonic()
        self._watch = self._watch.after(error.finding, at_seconds=now)
        if self._watch.has_lasted(at_seconds=now, grace_seconds=self.grace_seconds):
            await self._record_finding(database, error.finding, lease, block=error.block)

    async def report_caught_up(self, database: Database, cursor: BlockStamp, lease: HeldLease) -> None:
        """Resolve the event if one may be open. Raises LeaseLost."""
        self._watch = FindingWatch()
        if self._may_be_open:
            await self._record_finding(database, None, lease, block=cursor.number)

    async def _record_finding(self, database: Database, finding: Finding | None, lease: HeldLease, *, block: int) -> None:
        async with database.write() as session:
            if finding is not None or await find_chain_behind(session) is not None:
                await fence(session, lease)
                await record_check_result(session, RiskKind.CHAIN_BEHIND, CHAIN_SUBJECT, finding, block=block)
        self._may_be_open = finding is not None
