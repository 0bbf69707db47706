"""Which wallet a plan is for: what it and its day may move, whoever asks at once, and what the signer thinks of it."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text, update
from tests.support.chain.fund import WAD
from tests.support.scenarios.plans import HUGE, Plans

from paimon.application.transactions.plans.submit import NoWalletMay, PlanDrifted
from paimon.domain.kernel.chain import Hash32
from paimon.domain.transaction.lifecycle import IntentKind, IntentStatus
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.infrastructure.database.models.ops.transaction import IntentRow

pytestmark = pytest.mark.integration


async def test_a_plan_in_pieces_needs_the_wallet_of_its_sum(plans: Plans) -> None:
    first = await plans.hand_in(plans.buy(6_000), key="a", plan="rebalance")
    second = await plans.hand_in(plans.buy(4_000), key="b", plan="rebalance")
    other = await plans.hand_in(plans.buy(4_000), key="c", plan="another")
    assert [each.wallet for each in (first, second, other)] == [PlanWallet.HOT, PlanWallet.WARM, PlanWallet.HOT]
    assert second.passed_over == ["hot: the plan moves 10 000, its plans stay below 10 000"]
    third = await plans.hand_in(plans.buy(90_000), key="d", plan="rebalance")
    assert third.wallet is PlanWallet.COLD, "what was proposed to the warm wallet counts too"


async def test_what_came_to_nothing_counts_no_longer_and_what_is_final_does_for_a_day(plans: Plans) -> None:
    await plans.hand_in(plans.buy(9_000), key="a")
    await plans.hand_in(plans.buy(9_000), key="b")
    assert (await plans.preview(plans.buy(9_000), key="c")).choice.wallet is PlanWallet.WARM
    async with plans.desk.database.write() as session:
        first = IntentRow.idempotency_key == "plan:a:0"
        await session.execute(update(IntentRow).where(first).values(expires_at=text("now()")))
    await plans.sending.finish(plans.hot)
    assert [each.status for each in await plans.intents()] == [IntentStatus.EXPIRED, IntentStatus.FINAL]
    assert (await plans.preview(plans.buy(9_000), key="c")).choice.wallet is PlanWallet.HOT
    assert (await plans.preview(plans.buy(9_000), plans.buy(9_000), key="c")).choice.wallet is PlanWallet.WARM
    await plans.hand_in(plans.buy(9_000), key="c")
    assert (await plans.preview(plans.buy(9_000), key="d")).choice.wallet is PlanWallet.WARM
    async with plans.desk.database.write() as session:
        second = IntentRow.idempotency_key == "plan:b:0"
        long_ago = text("now() - interval '24 hours'")
        await session.execute(update(IntentRow).where(second).values(closed_at=long_ago))
    assert (await plans.preview(plans.buy(9_000), key="d")).choice.wallet is PlanWallet.HOT


async def test_the_warm_wallets_day_counts_what_is_proposed_until_it_can_no_longer_happen(plans: Plans) -> None:
    plan = await plans.hand_in(plans.buy(90_000), key="a")
    assert plan.proposal is not None
    assert (await plans.preview(plans.buy(60_001), key="b")).choice.wallet is PlanWallet.COLD
    assert (await plans.preview(plans.buy(60_000), key="b")).choice.wallet is PlanWallet.WARM
    await plans.owners.sign(Hash32(plan.proposal), 1, 2)
    await plans.owners.expire(Hash32(plan.proposal))
    assert (await plans.preview(plans.buy(90_000), key="b")).choice.wallet is PlanWallet.WARM, "its time is over"
    assert await plans.owners.execute_outside(Hash32(plan.proposal))
    assert (await plans.preview(plans.buy(90_000), key="b")).choice.wallet is PlanWallet.COLD, "executed after all"


async def test_fifty_at_once_never_exceed_the_day(plans: Plans) -> None:
    """Of fifty plans of 1 000 each the hot wallet's day of 25 000 has room for 25; the others go on to the warm one's."""
    roomy = plans.with_limits(warm=HUGE)
    found = await asyncio.gather(
        *(roomy.hand_in(plans.buy(1_000), key=f"plan-{number}") for number in range(50)), return_exceptions=True
    )
    hot = [each for each in found if not isinstance(each, BaseException) and each.wallet is PlanWallet.HOT]
    unexpected = [each for each in found if isinstance(each, BaseException) and not isinstance(each, PlanDrifted)]
    assert unexpected == []
    assert sum(each.amount for each in hot) == 25_000 * WAD
    intents = [each for each in await plans.intents() if each.kind is IntentKind.PLAN_STEP]
    assert len(intents) == 25


async def test_a_plan_the_application_wrongly_lets_through_is_refused_by_the_signer(plans: Plans) -> None:
    loose = plans.with_limits(hot=HUGE, warm=HUGE)
    for key, usdt, code in (("too-large", 10_000, "LIMIT_EXCEEDED"), ("fits", 9_999, None)):
        assert (await loose.hand_in(plans.buy(usdt), key=key)).wallet is PlanWallet.HOT
        await plans.sending.drive(plans.hot)
        newest = (await plans.intents())[-1]
        assert (newest.status is IntentStatus.SENDING) == (code is None)
        assert code is None or code in (newest.reason or "")
    in_pieces = await loose.hand_in(plans.buy(1_000), key="piece", plan="fits")
    assert in_pieces.wallet is PlanWallet.HOT
    await plans.sending.drive(plans.hot)
    assert "the plan would move" in ((await plans.intents())[-1].reason or ""), "the signer is told the plan's name"


async def test_without_a_wallet_that_may_the_reasons_are_told(plans: Plans) -> None:
    bare = replace(plans, desk=replace(plans.desk, safes=replace(plans.desk.safes, safes={})))
    with pytest.raises(NoWalletMay, match="warm: there is none here; cold: there is none here"):
        await bare.hand_in(plans.buy(10_000))
    shown = await bare.preview(plans.buy(10_000))
    assert (shown.choice.wallet, shown.document) == (None, None)
