"""One plan at a time: a decision is recorded in the transaction that writes its plan, or there is no plan.

Whether it may be submitted is asked twice: before anything is read from the chain, for an early answer, and in the plan's own
transaction, where the lock of the decisions makes the answer hold.
"""

from paimon.application.nav.store import find_newest_snapshot
from paimon.application.rebalance_engine.decisions import supersede_proposed
from paimon.application.rebalance_engine.queries import find_last_sent_block, find_moving_plan, get_rebalance
from paimon.application.rebalance_engine.store import list_open, lock_decisions, submitted
from paimon.application.transactions.plans.queries import find_open_plan
from paimon.application.transactions.plans.submit import WithPlan
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.rebalance.rebalance_record import RebalanceRecord, RebalanceStatus
from paimon.domain.rebalance.triggers import Hold, HoldCode
from paimon.domain.transaction.plan import ENGINE_PREFIXES
from paimon.errors import Conflict
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.plan import PlanRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession


class RebalanceUnderWay(Conflict):
    """Another plan is under way or has changed the fund since the decision, or the fund is paused; the message names it."""


class RebalanceEnded(Conflict):
    """The decision has ended or is too old to be submitted: preview again."""

    @classmethod
    def of(cls, record: RebalanceRecord) -> "RebalanceEnded":
        return cls(f"rebalance {record.id} is {record.status}: {record.close_reason}; preview again")


async def find_plan_under_way(session: ReadSession | WriteSession, *, own_key: str | None = None) -> str | None:
    """Return the name of the plan that every other plan of the engine waits for; the plan of `own_key` does not count.

    That is a rebalance until its result is known, a plan of anyone's whose calls the hot key is making, and a plan of the
    engine, a refill too, that a Safe's owners have not decided.
    """
    if under_way := await list_open(session, RebalanceStatus.SUBMITTED):
        return under_way[0].key
    if (moving := await find_moving_plan(session, other_than=own_key)) is not None:
        return moving
    return await find_open_plan(session, ENGINE_PREFIXES, other_than=own_key)


async def why_wait(session: ReadSession | WriteSession, at: BlockStamp, *, own_key: str | None = None) -> Hold | None:
    """Return why a decision on the fund of this block may not become a plan now. The plan of `own_key` does not count."""
    newest = await find_newest_snapshot(session)
    if newest is not None and newest.flags.controller_paused:
        return Hold(HoldCode.PAUSED)
    if (under_way := await find_plan_under_way(session, own_key=own_key)) is not None:
        return Hold(HoldCode.PLAN_UNDER_WAY, under_way)
    sent = await find_last_sent_block(session)
    if sent is not None and sent > at.number:
        return Hold(HoldCode.NOT_IN_SNAPSHOT, str(sent))
    return None


async def require_turn(session: ReadSession | WriteSession, record: RebalanceRecord) -> None:
    """Raises RebalanceUnderWay."""
    if (why := await why_wait(session, record.at, own_key=record.key)) is not None:
        raise RebalanceUnderWay(f"{why}; preview again when it has ended")


async def require_no_plan_under_way(session: WriteSession, plan: PlanRow) -> None:
    """Let `submit_plan` write this refill only while no other plan is under way. Raises RebalanceUnderWay."""
    await lock_decisions(session)
    if (under_way := await find_plan_under_way(session, own_key=plan.idempotency_key)) is not None:
        raise RebalanceUnderWay(str(Hold(HoldCode.PLAN_UNDER_WAY, under_way)))


def recorded_with_plan(record: RebalanceRecord) -> WithPlan:
    """Return what `submit_plan` writes with the plan of a decision.

    It raises RebalanceUnderWay, and RebalanceEnded where the decision was ended meanwhile.
    """

    async def write(session: WriteSession, plan: PlanRow) -> None:
        await lock_decisions(session)
        await require_turn(session, record)
        if not await submitted(session, record.id, plan.id):
            raise RebalanceEnded.of(await get_rebalance(session, record.id))
        await supersede_proposed(session, record, now=await database_now(session))

    return write
