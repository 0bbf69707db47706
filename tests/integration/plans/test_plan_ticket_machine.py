"""Tickets of plans against a model: owners, voters, stand-ins, roles, deadlines and drift at once, on a real PostgreSQL.

Hypothesis runs the machine in a thread of its own; its steps run on the test's event loop. What people do in one step happens
at once, in an order that the database decides: what is recorded afterwards must be what those acts, one after another, can lead
to. The pure model of one ticket is tests/unit/approval_workflow/test_plan_ticket.py.
"""

import asyncio
import operator
import os
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from itertools import count
from typing import Any, ClassVar, TypeVar

import pytest
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import text, update
from tests.integration.plans.test_plan_tickets import COLD, slippage_plan
from tests.integration.plans.test_plan_tickets import rule as policy_rule
from tests.integration.plans.test_stand_ins import address_of, end, give_role, name
from tests.support.database_roles import WITHOUT_TRIGGERS
from tests.support.scenarios.plans import PlanHarness

from paimon.application.approval_workflow.sla import sweep_deadlines
from paimon.application.identity.permissions import NotPermitted
from paimon.application.transactions.plans.review_tickets import review_plan_tickets
from paimon.domain.approval.plan_ticket import PlanTicket
from paimon.domain.approval.stand_in import StandIn
from paimon.domain.approval.ticket import AlreadyVoted, SlaStage, TicketClosed, TicketStatus, Verdict, VoterNotAllowed
from paimon.domain.kernel.chain import checksum
from paimon.domain.transaction.safe_proposal import AlreadySigned
from paimon.domain.user.roles import UserRole
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.approval import ApprovalTicketRow

pytestmark = pytest.mark.integration

FIRST, SECOND, THIRD = COLD
REQUESTER, VOTER = "otto", "vera"
PAIRS = ((FIRST, SECOND), (REQUESTER, THIRD))
"""Who may name whom. The owners count for the Safe and for the policy; the requester's stand-in counts for neither."""
THRESHOLD, ADMINS_NEEDED = 3, 2
REFUSALS = (AlreadySigned, AlreadyVoted, TicketClosed, VoterNotAllowed, NotPermitted)
VERDICTS = {Verdict.REJECT: TicketStatus.REJECTED, Verdict.CANCEL: TicketStatus.CANCELLED}
EXAMPLES, STEPS = (60, 20) if os.environ.get("PAIMON_LONG_FAULTS") else (8, 4)

Act = tuple[str | int, Verdict]
Result = TypeVar("Result")
plan_numbers = count(1)
signatures = st.lists(st.tuples(st.sampled_from(COLD), st.just(Verdict.APPROVE)), min_size=1, max_size=3)
verdicts = st.lists(
    st.sampled_from(
        [*((voter, Verdict.REJECT) for voter in (*COLD, VOTER)), *((who, Verdict.CANCEL) for who in (REQUESTER, FIRST))]
    ),
    min_size=2,
    max_size=3,
    unique=True,
)
acts = st.builds(operator.add, signatures, verdicts).flatmap(st.permutations)


class PlanTicketMachine(RuleBasedStateMachine):
    """One ticket of the cold Safe, which three owners and two administrators among them approve."""

    harness: ClassVar[PlanHarness]
    loop: ClassVar[asyncio.AbstractEventLoop]

    def run(self, step: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(step, self.loop).result(120)

    @initialize(owners=st.lists(st.sampled_from(COLD), unique=True, min_size=1))
    def ask(self, owners: Sequence[int]) -> None:
        self.signed: set[str | int] = set()
        self.ended: TicketStatus | None = None
        self.administrators: set[str | int] = {*COLD, REQUESTER, VOTER}
        self.pairs: dict[tuple[str | int, str | int], list[StandIn]] = {pair: [] for pair in PAIRS}
        self.over: dict[int, datetime] = {}
        self.plan = self.run(slippage_plan(self.harness, key=f"plan-{next(plan_numbers)}"))
        self._act([(owner, Verdict.APPROVE) for owner in owners])

    @rule(acts=signatures)
    def sign_at_once(self, acts: Sequence[Act]) -> None:
        self._act(acts)

    @rule(acts=acts)
    def sign_while_it_is_rejected_and_cancelled(self, acts: Sequence[Act]) -> None:
        self._act(acts)

    @precondition(lambda self: self.ended is None)
    @rule(acts=acts)
    def deadline_passes_meanwhile(self, acts: Sequence[Act]) -> None:
        """The rule says REJECT, so what is not approved at the deadline is over, also for who signs before the sweep."""
        was_approved = self.current().status is TicketStatus.APPROVED
        signed = set(self.signed)
        self.run(self._move_deadline_into_the_past())
        self._act(acts, self._sweep)
        if self.ended is None and not was_approved:
            self.ended = TicketStatus.EXPIRED
            assert self.signed == signed, "no signature counts after the deadline"

    @precondition(lambda self: self.ended is None)
    @rule(acts=signatures)
    def plan_drifts_meanwhile(self, acts: Sequence[Act]) -> None:
        """The Safe loses the role that its call needs: the call passed as the ticket was raised, and would not any more."""
        self._safe_role("revokeRole")
        self._act(acts)
        self._safe_role("grantRole")
        self.ended = TicketStatus.VOID

    @rule(owner=st.sampled_from(COLD))
    def role_ends_or_returns(self, owner: int) -> None:
        self.administrators ^= {owner}
        role = UserRole.ADMIN if owner in self.administrators else UserRole.OPERATOR
        self.run(give_role(self.harness, owner, role))
        self.run(self._review())

    @rule(pair=st.sampled_from(PAIRS))
    def stand_in_is_named_or_ended(self, pair: tuple[str | int, str | int]) -> None:
        known, (person, stand_in) = self.pairs[pair], pair
        if known and known[-1].id not in self.over:
            self._end(known[-1], person)
        elif person in self.administrators:
            known.append(self.run(name(self.harness, person, stand_in)))
        self.run(self._review())

    @invariant()
    def ticket_is_what_the_rules_say(self) -> None:
        if not hasattr(self, "plan"):
            return
        ticket = self.current()
        assert {vote.voter for vote in ticket.votes if vote.terms is None} == {
            address_of(self.harness, owner) for owner in self.signed
        }
        assert ticket.status is (self.ended or self._counted(ticket))
        assert (ticket.decided_at is None) == ticket.is_open

    def teardown(self) -> None:
        """Leave no undecided ticket, no pair and no missing role to the next one."""
        if not hasattr(self, "plan"):
            return
        for (person, _), known in self.pairs.items():
            if known and known[-1].id not in self.over:
                self._end(known[-1], person)
        for owner in set(COLD) - self.administrators:
            self.run(give_role(self.harness, owner, UserRole.ADMIN))
        if self.ended is None:
            self.run(self.harness.vote(self.plan, REQUESTER, Verdict.CANCEL))

    def _counted(self, ticket: PlanTicket) -> TicketStatus:
        """What the signatures of owners lead to: one place for a pair, none for who was one with the requester."""
        signed_at = {vote.voter: vote.decided_at for vote in ticket.votes if vote.terms is None}
        counting = self.signed - ({THIRD} if self.pairs[PAIRS[1]] else set())
        lent = {SECOND} if self._in_force(PAIRS[0]) and FIRST in self.administrators else set()
        able = counting & (self.administrators | lent)
        times = [signed_at[address_of(self.harness, owner)] for owner in able & {FIRST, SECOND}]
        are_one = self._in_force(PAIRS[0]) or any(self._in_force(PAIRS[0], at) for at in times)
        places = len(able) - (are_one and able >= {FIRST, SECOND})
        if len(counting) >= THRESHOLD and places >= ADMINS_NEEDED:
            return TicketStatus.APPROVED
        return TicketStatus.PARTIALLY_APPROVED if counting else TicketStatus.PENDING

    def _in_force(self, pair: tuple[str | int, str | int], at: datetime | None = None) -> bool:
        known = self.pairs[pair]
        if at is None:
            return bool(known) and known[-1].id not in self.over
        return any(each.pair.period.starts_at <= at and at < self.over.get(each.id, each.pair.period.ends_at) for each in known)

    def _act(self, acts: Sequence[Act], *others: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Let the people act at once, with two reviews beside them, and take in what succeeded."""
        before, results = self.current(), self.run(self._at_once(acts, others))
        succeeded = [act for act, result in zip(acts, results, strict=True) if not isinstance(result, BaseException)]
        verdicts = [act for act in succeeded if act[1] is not Verdict.APPROVE]
        signed = {who for who, verdict in succeeded if verdict is Verdict.APPROVE}
        assert before.is_undecided or not succeeded, "what is decided takes no more votes"
        assert len(verdicts) <= 1, "one verdict ends it"
        assert not signed & self.signed, "an owner signs once"
        assert len(signed) == len(succeeded) - len(verdicts)
        self.signed |= signed
        for who, verdict in verdicts:
            assert who not in self.signed, "one person votes once"
            assert (who == REQUESTER) == (verdict is Verdict.CANCEL)
            self.ended = VERDICTS[verdict]

    async def _at_once(self, acts: Sequence[Act], others: Iterable[Callable[[], Coroutine[Any, Any, object]]]) -> list[object]:
        beside = [self._review(), *(other() for other in others)]
        results = await asyncio.gather(*map(self._one, acts), *beside, return_exceptions=True)
        wrong = [result for result in results if isinstance(result, BaseException) and not isinstance(result, REFUSALS)]
        assert wrong == []
        await self._review()
        return results[: len(acts)]

    async def _one(self, act: Act) -> object:
        who, verdict = act
        if verdict is Verdict.APPROVE:
            return await self.harness.owner_signs(self.plan, who)
        role = UserRole.ADMIN if who in self.administrators else UserRole.OPERATOR
        return await self.harness.vote(self.plan, who, verdict, role=role)

    async def _review(self) -> None:
        await review_plan_tickets(self.harness.worker_context)

    async def _sweep(self) -> None:
        async with self.harness.worker_context.database.write() as session:
            await sweep_deadlines(session, now=await database_now(session))

    async def _move_deadline_into_the_past(self) -> None:
        past = {column: text("now() - interval '1 second'") for column in ("warn_at", "escalate_at", "deadline_at")}
        ticket = await self.harness.ticket(self.plan)
        async with self.harness.safe_harness.database.write() as session:
            await session.execute(WITHOUT_TRIGGERS)
            named = update(ApprovalTicketRow).where(ApprovalTicketRow.id == ticket.id)
            await session.execute(named.values(**past, sla_stage=SlaStage.ON_TIME))

    def _safe_role(self, change: str) -> None:
        fund, safe = self.harness.fund, self.harness.safe_harness.safes.cold
        fund.send("ada", "AssetController", change, keccak(text="ADMIN_ROLE"), checksum(safe))
        fund.wait_until_final()

    def _end(self, stand_in: StandIn, person: str | int) -> None:
        self.over[stand_in.id] = self.run(end(self.harness, stand_in, person))

    def current(self) -> PlanTicket:
        return self.run(self.harness.ticket(self.plan))


async def test_plan_tickets_follow_the_model_with_all_acting_at_once(plan_harness: PlanHarness) -> None:
    """The test fails with the ticket's lock removed (`with_for_update` in `lock_ticket`)."""
    await plan_harness.put_in_force(policy_rule("REJECT", {"count": ADMINS_NEEDED, "from": "admin"}))
    for person in (REQUESTER, VOTER):
        await give_role(plan_harness, person, UserRole.ADMIN)
    PlanTicketMachine.harness, PlanTicketMachine.loop = plan_harness, asyncio.get_running_loop()
    from hypothesis import Phase

    lean = settings(
        phases=[Phase.generate],
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
        deadline=None,
    )
    await asyncio.to_thread(run_state_machine_as_test, PlanTicketMachine, settings=lean)
