"""Make the record of a decision, and end those that another one has overtaken."""

from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from paimon.application.rebalance_engine.measure import Measurement
from paimon.application.rebalance_engine.plan_calls import trade_calls
from paimon.application.rebalance_engine.store import close, list_open
from paimon.domain.kernel.chain import Address
from paimon.domain.rebalance.decision import inputs_text, result_text
from paimon.domain.rebalance.rebalance_plan import NoPlan
from paimon.domain.rebalance.rebalance_record import MetCondition, RebalanceRecord, RebalanceStatus
from paimon.domain.rebalance.triggers import Trigger
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.solver.solver import Decision

DECISION_AGE_MAX: Final = timedelta(minutes=15)
"""A decision that was not submitted by then is made anew: prices and balances have moved on."""


def new_record(
    measured: Measurement,
    decision: Decision,
    trigger: Trigger,
    conditions: tuple[MetCondition, ...],
    *,
    requested_by: Address | None,
    now: datetime,
) -> RebalanceRecord:
    """Build the record of a decision; one without trades ends as it is made."""
    result = decision.result
    nothing = result.reason if isinstance(result, NoPlan) else None
    return RebalanceRecord(
        id=uuid4(),
        trigger=trigger,
        status=RebalanceStatus.PROPOSED if nothing is None else RebalanceStatus.NOTHING_TO_DO,
        conditions=conditions,
        calls=trade_calls(result, measured.snapshot),
        requested_by=requested_by,
        created_at=now,
        at=measured.at,
        inputs_text=inputs_text(decision.inputs),
        result_text=result_text(result),
        closed_at=None if nothing is None else now,
        close_reason=nothing,
    )


async def supersede_proposed(session: WriteSession, winner: RebalanceRecord, *, now: datetime) -> None:
    """End every other decision that waits to be submitted: it was made for a fund that this one changes."""
    for record in await list_open(session, RebalanceStatus.PROPOSED):
        if record.id != winner.id:
            await close(session, record.id, RebalanceStatus.SUPERSEDED, f"{winner.key} was submitted first", now=now)
