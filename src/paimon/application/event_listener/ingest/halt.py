"""A recorded final block that is not on the chain any more: the listener stops, says so, and waits for a person.

The halt is a critical risk event, unresolved as long as it lasts. So it is told on every channel that risk events are told
on, it outlives restarts and takeovers, whoever holds the lease next finds it and stands by as well, and nobody can end it
but the recovery, which looks at two nodes first (`application/recovery`). The holder keeps its lease meanwhile: a halted
listener is there, and a process that ended would only be started again.
"""

import asyncio
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.risk_control.queries import list_unresolved
from paimon.application.risk_control.record_findings import record_check_result
from paimon.domain.kernel.chain import BlockStamp, Hash32, hex0x
from paimon.domain.risk.risk_event import Finding, RiskEvent, RiskKind, Severity
from paimon.errors import StartupError
from paimon.infrastructure.database.leases import HeldLease, fence
from paimon.infrastructure.database.sessions import Database, WriteSession

log = structlog.get_logger(__name__)

LISTENER: Final = "listener"
"""Of the lease."""

RECORDED_CHAIN: Final = "recorded chain"
"""The subject: there is one."""


class FinalBlockChanged(StartupError):
    """A recorded final block is not on the chain any more: the books stand on blocks that no longer exist."""

    def __init__(self, recorded: BlockStamp, found: Hash32) -> None:
        super().__init__(
            f"recorded final block {recorded} is {hex0x(found)[:10]} on the node now: nothing is recorded until a person has"
            " looked (`paimon recover`). If the local chain was started afresh, start the demo with --fresh"
        )
        self.finding = Finding(
            RiskKind.FINAL_BLOCK_CHANGED,
            RECORDED_CHAIN,
            f"block {recorded.number} recorded as {hex0x(recorded.hash)}",
            hex0x(found),
            Severity.CRITICAL,
        )
        self.block = recorded.number


async def find_halt(session: AsyncSession) -> RiskEvent | None:
    """The halt there is now."""
    return next(iter(await list_unresolved(session, RiskKind.FINAL_BLOCK_CHANGED)), None)


async def halt(database: Database, changed: FinalBlockChanged, lease: HeldLease) -> None:
    """Write the halt down, as the holder of this lease. Raises LeaseLost."""
    async with database.write() as session:
        await fence(session, lease)
        await record_check_result(session, RiskKind.FINAL_BLOCK_CHANGED, RECORDED_CHAIN, changed.finding, block=changed.block)


async def stand_by(database: Database, *, pause_seconds: float) -> None:
    """Until there is no halt; at once when there is none."""
    is_logged = False
    while True:
        async with database.write() as session:  # the primary: a replica may not have heard yet
            found = await find_halt(session)
        if found is None:
            return
        if not is_logged:
            log.critical("listener.halted", event_id=found.id, recorded=found.finding.observed, found=found.finding.expected)
            is_logged = True
        await asyncio.sleep(pause_seconds)


async def end_halt(session: WriteSession, *, block: int) -> None:
    """The recovery has seen to it, at this block."""
    await record_check_result(session, RiskKind.FINAL_BLOCK_CHANGED, RECORDED_CHAIN, None, block=block)
