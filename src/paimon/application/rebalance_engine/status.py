"""How far off target the fund is, what started or did not start a plan, and what is under way."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from paimon.application.rebalance_engine.context import RebalanceContext
from paimon.application.rebalance_engine.measure import Measurement, measure_fund
from paimon.application.rebalance_engine.queries import JudgedCondition, find_last_executed, list_judged_conditions
from paimon.application.rebalance_engine.store import list_open
from paimon.application.rebalance_engine.submission import why_wait
from paimon.domain.rebalance.rebalance_record import RebalanceRecord, RebalanceStatus
from paimon.domain.rebalance.triggers import ConditionName, Hold, HoldCode, TriggerAnswer, Verdict, answer_of


@dataclass(frozen=True, slots=True)
class RebalanceState:
    """The state of the rebalance engine at the newest snapshot, with the figures that its planner would judge there.

    `judged` are the planner's own last verdicts, with their quiet times; a condition that it has not judged has none.
    """

    measured: Measurement
    judged: dict[str, JudgedCondition]
    under_way: RebalanceRecord | None
    last: RebalanceRecord | None
    is_automatic: bool
    hold: Hold | None
    """What holds every plan of the planner back now."""

    @property
    def needs_rebalance(self) -> bool:
        """Report whether a condition is met; what only a person or the calendar asks for does not count."""
        return any(
            verdict.condition.is_met(verdict.figure)
            for verdict in self.measured.triggers
            if verdict.condition.name is not ConditionName.DAILY_DEVIATION
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

    def answer_of(self, verdict: Verdict) -> TriggerAnswer:
        """Return what a condition does now."""
        judged = self.judged.get(verdict.condition.name)
        return answer_of(verdict, None if judged is None else judged.memory, self.hold, now=self.measured.at.timestamp)

    def quiet_until(self, verdict: Verdict) -> datetime | None:
        """Return the end of a condition's quiet time, None where it has none now."""
        judged = self.judged.get(verdict.condition.name)
        if judged is None or judged.fired_at is None or self.answer_of(verdict) is not TriggerAnswer.QUIET:
            return None
        return judged.fired_at + verdict.condition.cool_down


async def read_state(context: RebalanceContext) -> RebalanceState:
    """Raises NoSnapshotYet, TargetsNotPossible."""
    async with context.database.read() as session:
        under_way = await list_open(session, RebalanceStatus.SUBMITTED)
        judged = {each.name: each for each in await list_judged_conditions(session)}
        memory = {name: each.memory for name, each in judged.items()}
        measured = await measure_fund(session, context.policy, context.risk_policy, memory, context.scope)
        return RebalanceState(
            measured=measured,
            judged=judged,
            under_way=under_way[0] if under_way else None,
            last=await find_last_executed(session),
            is_automatic=context.is_automatic,
            hold=await why_wait(session, measured.at) if context.is_automatic else Hold(HoldCode.AUTOMATIC_OFF),
        )
