"""Which wallet a plan is for: what it and its day may move, whoever asks at once, and what the signer thinks of it."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text, update
from tests.support.chain.fund import WAD
from tests.support.scenarios.plans import HUGE, PlanHarness

from paimon.application.transactions.plans.submit import NoWalletEligible, PlanDrifted
from paimon.domain.kernel.chain import Hash32
from paimon.domain.transaction.lifecycle import IntentKind, IntentStatus
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.infrastructure.database.models.ops.transaction import IntentRow

pytestmark = pytest.mark.integration


async def test_a_plan_in_pieces_needs_the_wallet_of_its_sum(plan_harness: PlanHarness) -> None:
    first = await plan_harness.submit(plan_harness.buy(6_000), key="a", plan="rebalance")
    second = await plan_harness.submit(plan_harness.buy(4_000), key="b", plan="rebalance")
    other = await plan_harness.submit(plan_harness.buy(4_000), key="c", plan="another")
    assert [each.wallet for each in (first, second, other)] == [PlanWallet.HOT, PlanWallet.WARM, PlanWallet.HOT]
    assert second.rejected_wallets == ["hot: the plan moves 10 000, its plans stay below 10 000"]
    third = await plan_harness.submit(plan_harness.buy(90_000), key="d", plan="rebalance")
    assert third.wallet is PlanWallet.COLD, "what was proposed to the warm wallet counts too"


async def test_what_came_to_nothing_counts_no_longer_and_what_is_final_does_for_a_day(plan_harness: PlanHarness) -> None:
    await plan_harness.submit(plan_harness.buy(9_000), key="a")
    await plan_harness.submit(plan_harness.buy(9_000), key="b")
    assert (await plan_harness.preview(plan_harness.buy(9_000), key="c")).choice.wallet is PlanWallet.WARM
    async with plan_harness.context.database.write() as session:
        first = IntentRow.idempotency_key == "plan:a:0"
        await session.execute(update(IntentRow).where(first).values(expires_at=text("now()")))
    await plan_harness.sending.drive_until_idle(plan_harness.hot)
    assert [each.status for each in await plan_harness.intents()] == [IntentStatus.EXPIRED, IntentStatus.FINAL]
    assert (await plan_harness.preview(plan_harness.buy(9_000), key="c")).choice.wallet is PlanWallet.HOT
    assert (
        await plan_harness.preview(plan_harness.buy(9_000), plan_harness.buy(9_000), key="c")
    ).choice.wallet is PlanWallet.WARM
    await plan_harness.submit(plan_harness.buy(9_000), key="c")
    assert (await plan_harness.preview(plan_harness.buy(9_000), key="d")).choice.wallet is PlanWallet.WARM
    async with plan_harness.context.database.write() as session:
        second = IntentRow.idempotency_key == "plan:b:0"
        long_ago = text("now() - interval '24 hours'")
        await session.execute(update(IntentRow).where(second).values(closed_at=long_ago))
    assert (await plan_harness.preview(plan_harness.buy(9_000), key="d")).choice.wallet is PlanWallet.HOT


async def test_the_warm_wallets_day_counts_what_is_proposed_until_it_can_no_longer_happen(plan_harness: PlanHarness) -> None:
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


async def test_fifty_at_once_never_exceed_the_day(plan_harness: PlanHarness) -> None:
    """Of fifty plans of 1 000 each the hot wallet's day of 25 000 has room for 25; the others go on to the warm one's."""
    roomy = plan_harness.with_limits(warm=HUGE)
    found = await asyncio.gather(
        *(roomy.submit(plan_harness.buy(1_000), key=f"plan-{number}") for number in range(50)), return_exceptions=True
    )
    hot = [each for each in found if not isinstance(each, BaseException) and each.wallet is PlanWallet.HOT]
    unexpected = [each for each in found if isinstance(each, BaseException) and not isinstance(each, PlanDrifted)]
    assert unexpected == []
    assert sum(each.amount for each in hot) == 25_000 * WAD
    intents = [each for each in await plan_harness.intents() if each.kind is IntentKind.PLAN_STEP]
    assert len(intents) == 25


async def test_a_plan_the_application_wrongly_lets_through_is_refused_by_the_signer(plan_harness: PlanHarness) -> None:
    loose = plan_harness.with_limits(hot=HUGE, warm=HUGE)
    for key, usdt, code in (("too-large", 10_000, "LIMIT_EXCEEDED"), ("fits", 9_999, None)):
        assert (await loose.submit(plan_harness.buy(usdt), key=key)).wallet is PlanWallet.HOT
        await plan_harness.sending.drive(plan_harness.hot)
        newest = (await plan_harness.intents())[-1]
        assert (newest.status is IntentStatus.SENDING) == (code is None)
        assert code is None or code in (newest.reason or "")
    fetch_in_ranges = await loose.submit(plan_harness.buy(1_000), key="piece", plan="fits")
    assert fetch_in_ranges.wallet is PlanWallet.HOT
    await plan_harness.sending.drive(plan_harness.hot)
    assert "the plan would move" in ((await plan_harness.intents())[-1].reason or ""), "the signer is told the plan's name"


async def test_without_a_wallet_that_may_the_reasons_are_told(plan_harness: PlanHarness) -> None:
    bare = replace(
        plan_harness, context=replace(plan_harness.context, safe_context=replace(plan_harness.context.safe_context, safes={}))
    )
    with pytest.raises(NoWalletEligible, match="warm: it is not configured; cold: it is not configured"):
        await bare.submit(plan_harness.buy(10_000))
    shown = await bare.preview(plan_harness.buy(10_000))
    assert (shown.choice.wallet, shown.document) == (None, None)
