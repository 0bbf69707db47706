"""Failures of valuations: the read that failed is a risk event until the next snapshot succeeds."""

from paimon.application.risk_control.queries import list_unresolved
from paimon.application.risk_control.record_findings import record_check_result
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.risk.risk_event import RiskEvent, RiskKind
from paimon.domain.risk.valuation_failure import VALUATION_SUBJECT, valuation_finding
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database, ReadSession, WriteSession


async def find_valuation_failure(session: ReadSession | WriteSession) -> RiskEvent | None:
    """Return why the fund cannot be valued now; None while it can."""
    return next(iter(await list_unresolved(session, RiskKind.VALUATION_FAILED)), None)


async def record_valuation_failure(database: Database, error: CallReverted, *, at: BlockStamp) -> None:
    """Record that the contracts could not be valued at a block, with the read that failed."""
    async with database.write() as session:
        known = await find_valuation_failure(session)
        finding = valuation_finding(
            error.with_read, failing_since=known.first_seen.at if known else None, now=await database_now(session)
        )
        await record_check_result(session, RiskKind.VALUATION_FAILED, VALUATION_SUBJECT, finding, block=at.number)


async def clear_valuation_failure(session: WriteSession, *, at: BlockStamp) -> None:
    """Record that the fund was valued at a block."""
    await record_check_result(session, RiskKind.VALUATION_FAILED, VALUATION_SUBJECT, None, block=at.number)
