"""The limits of plans: the sum of a plan and of a day, under concurrent submissions, and the signer's own check."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text, update
from tests.support.chain.fund import WAD
from tests.support.database_roles import WITHOUT_TRIGGERS
from tests.support.scenarios.plans import ALLOW_EVERYTHING, HUGE, PlanHarness

from paimon.application.transactions.plans.submit import NoWalletEligible, PlanDrifted, submit_plan
from paimon.domain.kernel.chain import Hash32
from paimon.domain.transaction.lifecycle import IntentKind, IntentStatus
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.infrastructure.database.models.ops.plan import PlanRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow

pytestmark = pytest.mark.integration


async def test_plan_in_pieces_needs_the_wallet_of_its_sum(plan_harness: PlanHarness) -> None:
    first = await plan_harness.submit(plan_harness.buy(6_000), key="a", plan="rebalance")
    second = await plan_harness.submit(plan_harness.buy(4_000), key="b", plan="rebalance")
    other = await plan_harness.submit(plan_harness.buy(4_000), key="c", plan="another")
    assert [plan.wallet for plan in (first, second, other)] == [PlanWallet.HOT, PlanWallet.WARM, PlanWallet.HOT]
    assert second.rejected_wallets == [
        "hot: the plan moves 10 000, its plans stay below 10 000; "
        "rule manual_operation of policy 1 asks for 2 approvals, which the owners of a Safe give"
    ]
    third = await plan_harness.submit(plan_harness.buy(90_000), key="d", plan="rebalance")
    assert third.wallet is PlanWallet.COLD, "what was proposed to the warm wallet counts too"


async def test_failed_calls_stop_counting_and_final_calls_count_for_a_day(plan_harness: PlanHarness) -> None:
    await plan_harness.submit(plan_harness.buy(9_000), key="a")
    await plan_harness.submit(plan_harness.buy(9_000), key="b")
    assert (await plan_harness.preview(plan_harness.buy(9_000), key="c")).choice.wallet is PlanWallet.WARM
    async with plan_harness.safe_harness.database.write() as session:
        first = IntentRow.idempotency_key == "plan:a:0"
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(update(IntentRow).where(first).values(expires_at=text("now()")))
    await plan_harness.sending.drive_until_idle(plan_harness.hot)
    assert [intent.status for intent in await plan_harness.intents()] == [IntentStatus.EXPIRED, IntentStatus.FINAL]
    assert (await plan_harness.preview(plan_harness.buy(9_000), key="c")).choice.wallet is PlanWallet.HOT
    assert (
        await plan_harness.preview(plan_harness.buy(9_000), plan_harness.buy(9_000), key="c")
    ).choice.wallet is PlanWallet.WARM
    await plan_harness.submit(plan_harness.buy(9_000), key="c")
    assert (await plan_harness.preview(plan_harness.buy(9_000), key="d")).choice.wallet is PlanWallet.WARM
    async with plan_harness.safe_harness.database.write() as session:
        second = IntentRow.idempotency_key == "plan:b:0"
        long_ago = text("now() - interval '24 hours'")
        await session.execute(update(IntentRow).where(second).values(closed_at=long_ago))
    assert (await plan_harness.preview(plan_harness.buy(9_000), key="d")).choice.wallet is PlanWallet.HOT


async def test_warm_wallets_day_counts_proposals_until_they_cannot_execute(plan_harness: PlanHarness) -> None:
    plan = await plan_harness.submit(plan_harness.buy(90_000), key="a")
    assert plan.proposal is not None
    assert (await plan_harness.preview(plan_harness.buy(60_001), key="b")).choice.wallet is PlanWallet.COLD
    assert (await plan_harness.preview(plan_harness.buy(60_000), key="b")).choice.wallet is PlanWallet.WARM
    await plan_harness.safe_harness.sign(Hash32(plan.proposal), 1, 2)
    await plan_harness.safe_harness.expire(Hash32(plan.proposal))
    assert (await plan_harness.preview(plan_harness.buy(90_000), key="b")).choice.wallet is PlanWallet.WARM, "its time is over"
    assert await plan_harness.safe_harness.execute_externally(Hash32(plan.proposal))
    assert (await plan_harness.preview(plan_harness.buy(90_000), key="b")).choice.wallet is PlanWallet.COLD, (
        "executed after all"
    )


async def test_fifty_concurrent_plans_never_exceed_the_day(plan_harness: PlanHarness) -> None:
    """The hot wallet's day of 25 000 has room for 25 of fifty plans of 1 000; the others go to the warm wallet.

    As many at once as there are connections: a request that waits too long for one is refused, and that is another matter.
    """
    roomy, connections = plan_harness.with_limits(warm=HUGE), asyncio.Semaphore(10)

    async def submit(number: int) -> PlanRow:
        async with connections:
            return await roomy.submit(plan_harness.buy(1_000), key=f"plan-{number}")

    found = await asyncio.gather(*(submit(number) for number in range(50)), return_exceptions=True)
    hot = [plan for plan in found if not isinstance(plan, BaseException) and plan.wallet is PlanWallet.HOT]
    unexpected = [error for error in found if isinstance(error, BaseException) and not isinstance(error, PlanDrifted)]
    assert unexpected == []
    assert sum(plan.amount for plan in hot) == 25_000 * WAD
    intents = [intent for intent in await plan_harness.intents() if intent.kind is IntentKind.PLAN_STEP]
    assert len(intents) == 25


async def test_signer_refuses_a_plan_that_the_application_wrongly_accepts(plan_harness: PlanHarness) -> None:
    loose = plan_harness.with_limits(hot=HUGE, warm=HUGE)
    await loose.put_in_force(ALLOW_EVERYTHING)
    for key, usdt, code in (("too-large", 10_000, "LIMIT_EXCEEDED"), ("fits", 9_999, None)):
        assert (await loose.submit(plan_harness.buy(usdt), key=key)).wallet is PlanWallet.HOT
        await plan_harness.sending.drive(plan_harness.hot)
        newest = (await plan_harness.intents())[-1]
        assert (newest.status is IntentStatus.SENDING) == (code is None)
        assert code is None or code in (newest.reason or "")
    piece = await loose.submit(plan_harness.buy(1_000), key="piece", plan="fits")
    assert piece.wallet is PlanWallet.HOT
    await plan_harness.sending.drive(plan_harness.hot)
    assert "the plan would move" in ((await plan_harness.intents())[-1].reason or ""), "the signer gets the plan's name"


async def test_plan_without_an_eligible_wallet_is_refused_with_every_reason(plan_harness: PlanHarness) -> None:
    bare = replace(
        plan_harness, context=replace(plan_harness.context, safe_context=replace(plan_harness.context.safe_context, safes={}))
    )
    plan_request = bare.plan_request(plan_harness.buy(1_000))
    signature = await plan_harness.sign(plan_request)
    with pytest.raises(NoWalletEligible, match=r"hot: .*; warm: it is not configured; cold: it is not configured"):
        await submit_plan(plan_request, signature, replace(bare.context, hot=None))
    shown = await bare.preview(plan_harness.buy(10_000))
    assert (shown.choice.wallet, shown.document) == (None, None)
