"""A recorded final block is no longer on the chain: the listener stops, reports it, and waits for an operator.

The halt is a critical risk event, unresolved as long as the halt lasts. So it appears on every channel that shows risk
events, and it survives restarts and takeovers: the next holder of the lease finds it and stands by too. Only the recovery
ends it, which first compares two nodes (`application/reorg_recovery`). The holder keeps its lease meanwhile: a halted
listener is running, and a process that exits would only be restarted.
"""

import asyncio
from typing import Final

import structlog

from paimon.application.risk_control.queries import list_unresolved
from paimon.application.risk_control.record_findings import record_check_result
from paimon.domain.kernel.chain import BlockStamp, Hash32, hex0x
from paimon.domain.risk.risk_event import Finding, RiskEvent, RiskKind, Severity
from paimon.errors import StartupError
from paimon.infrastructure.database.leases import HeldLease, fence
from paimon.infrastructure.database.sessions import Database, ReadSession, WriteSession

log = structlog.get_logger(__name__)

LISTENER: Final = "listener"
"""Name of the lease."""

RECORDED_CHAIN: Final = "recorded chain"
"""Subject of the risk event. There is only one."""


class FinalBlockChanged(StartupError):
    """A recorded final block is no longer on the chain: the recorded state rests on blocks that do not exist."""

    def __init__(self, recorded: BlockStamp, found: Hash32) -> None:
        super().__init__(
            f"recorded final block {recorded} is {hex0x(found)[:10]} on the node now: nothing is recorded until an operator"
            " has decided (`paimon recover`). If the local chain was started afresh, start the demo with --fresh"
        )
        self.finding = Finding(
            RiskKind.FINAL_BLOCK_CHANGED,
            RECORDED_CHAIN,
            f"block {recorded.number} recorded as {hex0x(recorded.hash)}",
            hex0x(found),
            Severity.CRITICAL,
        )
        self.block = recorded.number


async def find_halt(session: ReadSession | WriteSession) -> RiskEvent | None:
    """Find the halt's risk event; None where there is no halt."""
    return next(iter(await list_unresolved(session, RiskKind.FINAL_BLOCK_CHANGED)), None)


async def halt(database: Database, changed: FinalBlockChanged, lease: HeldLease) -> None:
    """Record the halt as the holder of this lease. Raises LeaseLost."""
    async with database.write() as session:
        await fence(session, lease)
        await record_check_result(session, RiskKind.FINAL_BLOCK_CHANGED, RECORDED_CHAIN, changed.finding, block=changed.block)


async def stand_by(database: Database, *, pause_seconds: float) -> None:
    """Wait until there is no halt; return at once when there is none."""
    is_logged = False
    while True:
        async with database.write() as session:  # the primary: a replica may not have the event yet
            event = await find_halt(session)
        if event is None:
            return
        if not is_logged:
            log.critical("listener.halted", event_id=event.id, recorded=event.finding.observed, found=event.finding.expected)
            is_logged = True
        await asyncio.sleep(pause_seconds)


async def end_halt(session: WriteSession, *, block: int) -> None:
    """Resolve the halt's risk event, at the block to which the recovery rewound."""
    await record_check_result(session, RiskKind.FINAL_BLOCK_CHANGED, RECORDED_CHAIN, None, block=block)
