"""The approval policy decides which wallet a plan needs, and which plans may not be made at all."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.database_roles import WITHOUT_TRIGGERS
from tests.support.scenarios.plans import ALLOW_EVERYTHING, HUGE, PlanHarness
from tests.support.signed_grants import grant

from paimon.application.transactions.plans.calls import RequestedCall, parse_calls, read_recorded_call
from paimon.application.transactions.plans.preview import PlanPreview, preview_plan
from paimon.application.transactions.plans.select_wallet import plan_operations, policy_verdict
from paimon.application.transactions.plans.submit import NoWalletEligible, PlanSignature, submit_plan
from paimon.domain.approval.policy import NONE, Initiator
from paimon.domain.approval.policy_document import parse_policy
from paimon.domain.kernel.chain import hex0x, parse_address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.domain.transaction.wallet_selection import PlanWallet

pytestmark = pytest.mark.integration


@pytest.fixture
async def roomy(plan_harness: PlanHarness) -> PlanHarness:
    """Wallets whose limits admit any plan of these tests: only the policy decides."""
    await plan_harness.safe_harness.sync()
    return plan_harness.with_limits(hot=HUGE, warm=HUGE)


def reasons(preview: PlanPreview) -> dict[str, str]:
    found = preview.choice.rejected_wallets
    return {rejected.wallet: rejected.describe(preview.valued.decimals).partition(": ")[2] for rejected in found}


def asks(count: int, **when: Any) -> dict[str, Any]:
    return {
        "name": "board",
        "verdict": "NEEDS_APPROVALS",
        "when": when,
        "ticket": "MANUAL_OPERATION",
        "approvals": [[{"count": count, "from": "admin"}]],
        "sla": {"warnSeconds": 60, "escalateSeconds": 60, "deadlineSeconds": 60},
    }


@pytest.mark.parametrize(
    ("initiator", "usdt", "wallet", "rule"),
    [
        (Initiator.OPERATOR, 9_999, PlanWallet.HOT, None),
        (Initiator.OPERATOR, 10_000, PlanWallet.WARM, "manual_operation of policy 1 asks for 2 approvals"),
        (Initiator.PLANNER, 50_000, PlanWallet.HOT, None),
        (Initiator.PLANNER, 50_001, PlanWallet.WARM, "rebalance_small of policy 1 asks for 1 approvals"),
    ],
)
async def test_plan_that_needs_approvals_goes_to_a_safe(
    roomy: PlanHarness, initiator: Initiator, usdt: int, wallet: PlanWallet, rule: str | None
) -> None:
    request = replace(roomy.plan_request(roomy.buy(usdt)), initiator=initiator)
    preview = await preview_plan(request, roomy.context)
    assert preview.choice.wallet is wallet
    expected = {} if rule is None else {"hot": f"rule {rule}, which the owners of a Safe give"}
    assert reasons(preview) == expected


async def test_pieces_of_a_plan_count_together_for_the_policy(roomy: PlanHarness) -> None:
    await roomy.submit(roomy.buy(6_000), key="first", plan="pieces")
    preview = await roomy.preview(roomy.buy(5_000), key="second", plan="pieces")
    assert preview.choice.wallet is PlanWallet.WARM


async def test_plan_that_needs_more_approvals_than_a_safe_asks_owners_goes_to_the_next(roomy: PlanHarness) -> None:
    await roomy.put_in_force(asks(3))
    preview = await roomy.preview(roomy.buy(1_000))
    assert preview.choice.wallet is PlanWallet.COLD
    assert reasons(preview)["warm"] == "rule board of policy 2 asks for 3 approvals, and 2 owners of its Safe suffice"


async def test_blocked_plan_is_refused_with_the_rule_however_it_is_signed(roomy: PlanHarness) -> None:
    token = roomy.fund.asset("MMFA").address
    request = roomy.plan_request(roomy.buy(1_000))
    signature: PlanSignature = await roomy.sign(request)
    await roomy.put_in_force({"name": "no_mmfa", "verdict": "BLOCK", "when": {"assets": [token]}}, ALLOW_EVERYTHING)
    with pytest.raises(NoWalletEligible, match=r"hot: .* is blocked: rule no_mmfa blocks it \(policy 2\); warm: .*; cold: "):
        await submit_plan(request, signature, roomy.context)
    assert (await roomy.preview(roomy.buy(1_000, "MMFB"), key="other")).choice.wallet is PlanWallet.HOT


async def test_initiator_of_a_submission_is_the_person_who_signed_it(roomy: PlanHarness) -> None:
    rule = {"name": "admins_only", "verdict": "BLOCK", "when": {"initiators": ["operator"], "methods": ["purchaseAsset"]}}
    await roomy.put_in_force(rule, ALLOW_EVERYTHING)
    request = replace(roomy.plan_request(roomy.buy(1_000)), initiator=Initiator.ADMIN)
    with pytest.raises(NoWalletEligible, match="rule admins_only blocks it"):
        await submit_plan(request, await roomy.sign(request), roomy.context)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"name": "stop", "verdict": "BLOCK", "when": {"sources": ["hot"]}}, "rule stop blocks it"),
        (asks(1, methods=["purchaseAsset"]), "rule board of policy 2 asks for 1 approvals"),
    ],
)
async def test_call_of_the_hot_key_waits_when_the_policy_changed_meanwhile(
    plan_harness: PlanHarness, rule: dict[str, Any], reason: str
) -> None:
    """The signer reads no policy: the rules of now are asked again before it is."""
    await plan_harness.submit(plan_harness.buy(1_000))
    before = plan_harness.sending.nonce_on_chain(plan_harness.hot)
    await plan_harness.put_in_force(rule, ALLOW_EVERYTHING)
    await plan_harness.sending.drive(plan_harness.hot)
    (waiting,) = await plan_harness.intents()
    assert waiting.status is IntentStatus.QUEUED
    assert reason in str(waiting.reason)
    await plan_harness.put_in_force(ALLOW_EVERYTHING)
    await plan_harness.sending.make_due()
    await plan_harness.sending.drive_until_idle(plan_harness.hot)
    (sent,) = await plan_harness.intents()
    assert (sent.status, plan_harness.sending.nonce_on_chain(plan_harness.hot)) == (IntentStatus.FINAL, before + 1)


async def test_recheck_knows_the_asset_of_a_call(plan_harness: PlanHarness) -> None:
    await plan_harness.submit(plan_harness.buy(1_000))
    asset = {"assets": [plan_harness.fund.asset("MMFA").address]}
    await plan_harness.put_in_force({"name": "no_mmfa", "verdict": "BLOCK", "when": asset}, ALLOW_EVERYTHING)
    await plan_harness.sending.drive(plan_harness.hot)
    (waiting,) = await plan_harness.intents()
    assert "rule no_mmfa blocks it" in str(waiting.reason)
    await plan_harness.put_in_force({"name": "only_mmfa", "verdict": "ALLOW", "when": asset})
    await plan_harness.sending.make_due()
    await plan_harness.sending.drive_until_idle(plan_harness.hot)
    (sent,) = await plan_harness.intents()
    assert sent.status is IntentStatus.FINAL


async def test_recorded_call_has_the_destination_of_the_requested_one(plan_harness: PlanHarness) -> None:
    contracts, token = plan_harness.context.contracts, plan_harness.fund.asset("MMFA").address
    person = plan_harness.fund.accounts.address("otto")
    order = {"token": token, "usdtAmount": "1", "expectedTokens": "1", "counterparty": person, "expiresIn": "60"}
    requested = [
        RequestedCall("AssetController", "createOTCOrder", order),
        RequestedCall("Vault", "grantRole", {"role": hex0x(bytes(32)), "account": person}),
        RequestedCall("AssetController", "rebalanceBuffer", {}),
    ]
    parsed = parse_calls(requested, contracts)
    recorded = [read_recorded_call(call.contract, call.step.call, call.step.description, contracts) for call in parsed]
    assert recorded == parsed
    assert [(call.asset, call.destination) for call in recorded] == [(token, person), (NONE, person), (NONE, NONE)]
    rule = {"name": "not_otto", "verdict": "BLOCK", "when": {"destinations": [person]}}
    policy = parse_policy({"rules": [rule, ALLOW_EVERYTHING]}, version=2)
    amounts: dict[str, Any] = {"amount": RawAmount(0), "moved_in_24_hours": RawAmount(0), "decimals": 18}
    for call, fault in zip(recorded, ("not_otto", "not_otto", "None"), strict=True):
        operations = plan_operations(Initiator.OPERATOR, PlanWallet.WARM, [call], **amounts)
        assert fault in str(policy_verdict(policy, PlanWallet.WARM, operations, threshold=None)[1])


async def test_plan_of_a_person_who_may_plan_no_longer_waits(plan_harness: PlanHarness) -> None:
    database, fund = plan_harness.sending.database, plan_harness.fund
    await plan_harness.submit(plan_harness.buy(1_000))
    await grant(database, fund, "otto", None)
    await plan_harness.sending.drive(plan_harness.hot)
    (waiting,) = await plan_harness.intents()
    assert waiting.status is IntentStatus.QUEUED
    assert "may plan no longer" in str(waiting.reason)


async def test_only_the_planner_that_the_settings_name_needs_no_right_to_plan(plan_harness: PlanHarness) -> None:
    """Otto's key is no user's here, as the planner's is. The signer's policy names it, and so would a plan of it be sent."""
    async with plan_harness.safe_harness.database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(text("DELETE FROM ops.user_grants"))
    await plan_harness.submit(plan_harness.buy(1_000))
    willa, otto = (parse_address(plan_harness.fund.accounts.address(name)) for name in ("willa", "otto"))
    for planner in (None, willa):
        await plan_harness.sending.with_options(planner=planner).drive(plan_harness.hot)
        (waiting,) = await plan_harness.intents()
        assert waiting.status is IntentStatus.QUEUED
        assert "is neither the planner nor was ever let plan" in str(waiting.reason)
        await plan_harness.sending.make_due()
    await plan_harness.sending.with_options(planner=otto).drive_until_idle(plan_harness.hot)
    (sent,) = await plan_harness.intents()
    assert sent.status is IntentStatus.FINAL
