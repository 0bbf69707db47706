"""How far off target the fund is, what started or did not start a plan, and what is under way."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from paimon.application.rebalance_engine.context import RebalanceContext
from paimon.application.rebalance_engine.measure import NO_MEMORY, Measurement, measure_fund
from paimon.application.rebalance_engine.queries import JudgedCondition, find_last_executed, list_judged_conditions
from paimon.application.rebalance_engine.store import list_open
from paimon.domain.rebalance.rebalance_record import RebalanceRecord, RebalanceStatus
from paimon.domain.rebalance.triggers import ConditionName, Verdict


@dataclass(frozen=True, slots=True)
class RebalanceState:
    """The state of the rebalance engine at the newest snapshot.

    `judged` are the planner's own last verdicts, with their quiet times; a condition that it has not judged has none.
    """

    measured: Measurement
    judged: dict[str, JudgedCondition]
    under_way: RebalanceRecord | None
    last: RebalanceRecord | None
    is_automatic: bool

    @property
    def needs_rebalance(self) -> bool:
        """Report whether a condition is met; what only a person or the calendar asks for does not count."""
        return any(
            verdict.fires for verdict in self.measured.triggers if verdict.condition.name is not ConditionName.DAILY_DEVIATION
        )

    @property
    def next_scheduled(self) -> datetime:
        """Return the start of the next UTC day, when the scheduled trigger looks."""
        today = self.measured.at.timestamp.replace(hour=0, minute=0, second=0, microsecond=0)
        return today + timedelta(days=1)

    def reason_of(self, verdict: Verdict) -> str:
        """Return the planner's reason for a condition, or that of now where the planner has not judged it."""
        judged = self.judged.get(verdict.condition.name)
        return verdict.reason if judged is None else judged.reason


async def read_state(context: RebalanceContext) -> RebalanceState:
    """Raises NoSnapshotYet, TargetsNotPossible."""
    async with context.database.read() as session:
        under_way = await list_open(session, RebalanceStatus.SUBMITTED)
        return RebalanceState(
            measured=await measure_fund(session, context.policy, context.risk_policy, NO_MEMORY, context.scope),
            judged={each.name: each for each in await list_judged_conditions(session)},
            under_way=under_way[0] if under_way else None,
            last=await find_last_executed(session),
            is_automatic=context.is_automatic,
        )
