"""Tickets against a model: concurrent voters, roles that end, deadlines and the chain, on a real PostgreSQL.

Hypothesis runs the machine in a thread of its own; its steps run on the test's event loop. Voters of one step vote at once, in
an order that the database decides: what is recorded afterwards must be what the votes, one after another, can lead to.
"""

import asyncio
import os
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import delete, func, select
from tests.integration.approval_workflow.test_tickets import awaiting, policy_with, vote
from tests.support.api_client import BLOCK_TIME, approver_row, record_outcome
from tests.support.chain.fund import TestFund

from paimon.application.approval_tickets.store import get_ticket, of_redemption
from paimon.application.approval_workflow.open_ticket import adopt_chain_outcome, open_ticket_if_needed
from paimon.application.approval_workflow.sla import sweep_deadlines
from paimon.application.identity.permissions import NotPermitted
from paimon.composition import AppContext
from paimon.domain.approval.ticket import (
    AlreadyVoted,
    RedemptionTicket,
    SlaStage,
    TicketClosed,
    TicketStatus,
    Verdict,
    VoterNotAllowed,
)
from paimon.domain.approval.vote import VerdictNotTaken
from paimon.domain.kernel.chain import parse_address
from paimon.domain.redemption.request import Redemption, RedemptionStatus
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import RedemptionRequestRow, RoleHolderRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.rows.redemption import to_values

pytestmark = pytest.mark.integration

OWNER = "ines"
VOTERS = ("vera", "viktor", "ada", OWNER)
REFUSALS = (AlreadyVoted, TicketClosed, VoterNotAllowed, NotPermitted, VerdictNotTaken)
OUTCOMES: dict[RedemptionStatus, dict[str, object]] = {
    RedemptionStatus.APPROVED: {},
    RedemptionStatus.REJECTED: {"rejection_reason": "why", "closed_at": BLOCK_TIME},
    RedemptionStatus.CANCELLED: {"closed_at": BLOCK_TIME},
}
STATUS_ON_CHAIN = {
    RedemptionStatus.APPROVED: TicketStatus.APPROVED,
    RedemptionStatus.REJECTED: TicketStatus.REJECTED,
    RedemptionStatus.CANCELLED: TicketStatus.CANCELLED,
}
EXAMPLES, STEPS = (200, 30) if os.environ.get("PAIMON_LONG_FAULTS") else (8, 8)

Result = TypeVar("Result")
request_ids = count(1)


class TicketMachine(RuleBasedStateMachine):
    """One ticket, and what its votes, its approvers' roles, the clock and the chain do to it."""

    app_context: ClassVar[AppContext]
    fund: ClassVar[TestFund]
    loop: ClassVar[asyncio.AbstractEventLoop]

    def run(self, step: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(step, self.loop).result(60)

    @initialize(required=st.integers(1, 3))
    def open(self, required: int) -> None:
        self.required, self.request_id = required, next(request_ids)
        self.stage = SlaStage.ON_TIME
        self.shown: RedemptionStatus | None = None
        self.holders = set(VOTERS)
        self.run(self._hold_roles())
        self.ticket = self.run(self._open())
        self.voted: dict[str, Verdict] = {}

    async def _hold_roles(self) -> None:
        async with self.app_context.database.write() as session:
            await session.execute(delete(RoleHolderRow))
            session.add_all([approver_row(parse_address(self.fund.accounts.address(name))) for name in sorted(self.holders)])

    async def _open(self) -> RedemptionTicket:
        async with self.app_context.database.write() as session:
            now = await database_now(session)
            ticket = await open_ticket_if_needed(session, self._request(), policy_with(self.required), now=now)
        assert ticket is not None
        return ticket

    def _request(self, **changes: object) -> Redemption:
        return replace(awaiting(self.fund), request_id=self.request_id, **changes)  # type: ignore[arg-type]

    @rule(votes=st.lists(st.tuples(st.sampled_from(VOTERS), st.sampled_from(Verdict)), min_size=1, max_size=4))
    def vote_at_once(self, votes: Sequence[tuple[str, Verdict]]) -> None:
        before = self.current()
        for (name, verdict), result in zip(votes, self.run(self._vote(votes)), strict=True):
            if not isinstance(result, BaseException):
                assert name not in self.voted, "one person votes once"
                assert name != OWNER, "the owner never votes"
                assert name in self.holders, "the role on chain had ended"
                assert before.is_open
                self.voted[name] = verdict
        after = self.current()
        assert {vote.voter for vote in after.votes} == {parse_address(self.fund.accounts.address(name)) for name in self.voted}

    async def _vote(self, votes: Sequence[tuple[str, Verdict]]) -> list[Any]:
        results = await asyncio.gather(
            *(vote(self.app_context, self.fund, self.ticket, name, verdict) for name, verdict in votes), return_exceptions=True
        )
        unexpected = [result for result in results if isinstance(result, BaseException) and not isinstance(result, REFUSALS)]
        assert unexpected == []
        return list(results)

    @rule(name=st.sampled_from(VOTERS))
    def role_ends_or_returns(self, name: str) -> None:
        self.holders ^= {name}
        self.run(self._hold_roles())

    @rule(seconds=st.sampled_from([0, 61, 121, 181]))
    def sweep(self, seconds: int) -> None:
        """Deadlines announce and decide nothing; a stage is never announced twice."""
        before = self.current()
        announced = self.run(self._sweep(seconds))
        assert self.current() == before
        reached = before.sla_stage(self.ticket.opened_at + timedelta(seconds=seconds))
        stages = list(SlaStage)
        assert (announced == 1) == (stages.index(reached) > stages.index(self.stage))
        self.stage = max(self.stage, reached, key=stages.index)

    async def _sweep(self, seconds: int) -> int:
        async def once() -> int:
            async with self.app_context.database.write() as session:
                late = await sweep_deadlines(session, now=self.ticket.opened_at + timedelta(seconds=seconds))
            return sum(ticket.id == self.ticket.id for ticket in late)

        return sum(await asyncio.gather(once(), once()))

    @precondition(lambda self: self.shown is None)
    @rule(status=st.sampled_from(list(OUTCOMES)))
    def chain_shows(self, status: RedemptionStatus) -> None:
        before = self.current()
        self.shown = status
        self.run(self._show(status))
        after = self.current()
        assert after.status is STATUS_ON_CHAIN[status], "the chain wins"
        assert after.decided_externally == (after.status is not TicketStatus.CANCELLED and after.status is not before.status)
        assert after.votes == before.votes

    async def _show(self, status: RedemptionStatus) -> None:
        redemption = self._request(status=status, **OUTCOMES[status])
        async with self.app_context.database.write() as session:
            await session.merge(RedemptionRequestRow(**to_values(redemption, updated_block=1)))
            await record_outcome(session, self.request_id, status, block=1_000 + self.request_id)

        async def adopt() -> None:
            async with self.app_context.database.write() as session:
                await adopt_chain_outcome(session, redemption, now=await database_now(session))

        await asyncio.gather(adopt(), adopt())

    @invariant()
    def ticket_is_what_its_votes_and_the_chain_say(self) -> None:
        if not hasattr(self, "voted"):
            return
        ticket = self.current()
        approvals = sum(verdict is Verdict.APPROVE for verdict in self.voted.values())
        if self.shown is not None:
            expected = STATUS_ON_CHAIN[self.shown]
        elif Verdict.REJECT in self.voted.values():
            expected = TicketStatus.REJECTED
        elif approvals >= self.required:
            expected = TicketStatus.APPROVED
        else:
            expected = TicketStatus.PARTIALLY_APPROVED if self.voted else TicketStatus.PENDING
        assert ticket.status is expected
        assert (ticket.closed_at is not None) == (self.shown is not None)
        decided_by_votes = Verdict.REJECT in self.voted.values() or approvals >= self.required
        assert self.run(self._calls()) == decided_by_votes, "a decision has exactly one call, and nothing else has one"

    async def _calls(self) -> int:
        async with self.app_context.database.read() as session:
            query = select(func.count()).select_from(IntentRow).where(IntentRow.ticket_id == self.ticket.id)
            return int((await session.execute(query)).scalar_one())

    def current(self) -> RedemptionTicket:
        async def read() -> RedemptionTicket:
            async with self.app_context.database.read() as session:
                return of_redemption(await get_ticket(session, self.ticket.id))

        return self.run(read())

    def teardown(self) -> None:
        """Close the ticket for the sweeps of the next one."""
        if getattr(self, "shown", True) is None:
            self.run(self._show(RedemptionStatus.CANCELLED))


async def test_tickets_follow_the_model_with_concurrent_voters(app_context: AppContext, fund: TestFund) -> None:
    """The test fails with the ticket's lock removed (`with_for_update` in `lock_ticket`)."""
    TicketMachine.app_context, TicketMachine.fund, TicketMachine.loop = app_context, fund, asyncio.get_running_loop()
    lean = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    await asyncio.to_thread(run_state_machine_as_test, TicketMachine, settings=lean)
