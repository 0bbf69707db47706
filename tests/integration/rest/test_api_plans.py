"""Tests of plans over REST: preview, signed submission, status, and refused requests."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from eth_account import Account
from tests.support.api_client import ApiClient, require_example, signed_body
from tests.support.chain.fund import WAD, TestFund
from tests.support.scenarios.multisig import FundSafes, SafeHarness, multisig

from paimon.composition import AppContext
from paimon.domain.kernel.chain import Hash32, parse_address
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(settings: Settings, fund: TestFund, fund_safes: FundSafes) -> Settings:
    """Add the three wallets to the settings."""
    hot = parse_address(fund.accounts.address("hot"))
    named = {"hot": hot, "warm": fund_safes.warm, "cold": fund_safes.cold, "multi_send": fund_safes.safe_factory.multi_send}
    return settings.model_copy(update={"sending": settings.sending.model_copy(update=named)})


@pytest.fixture
def safe_harness(fund_safes: FundSafes, app_context: AppContext, worker_database: Database) -> SafeHarness:
    context = app_context.safe_context
    return multisig(fund_safes, context, replace(context, database=worker_database), app_context.database)


def body(fund: TestFund, usdt: int, **changes: Any) -> dict[str, Any]:
    arguments = {"token": fund.asset("MMFA").address, "usdtAmount": str(usdt * WAD)}
    call = {"contract": "AssetController", "function": "purchaseAsset", "arguments": arguments}
    return {"key": "buy-1", "plan": "rebalance of Monday", "calls": [call], "reason": "L2 is short"} | changes


async def preview(api_client: ApiClient, plan: dict[str, Any], *, by: str = "otto") -> dict[str, Any]:
    answer = await api_client.post("/plans/preview", plan, by=by)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()["data"]
    return shown


def signed(plan: dict[str, Any], document: dict[str, Any], api_client: ApiClient, by: str) -> dict[str, Any]:
    """Sign the preview's document, and return the body as a wallet makes it."""
    message = document["message"]
    signature = Account.sign_typed_data(api_client.accounts.account(by).key, full_message=document).signature
    terms = {name: message[name] for name in ("wallet", "amount", "nonce", "expiresAt")}
    return plan | terms | {"signature": "0x" + bytes(signature).hex()}


async def submit(api_client: ApiClient, plan: dict[str, Any], *, by: str = "otto") -> httpx.Response:
    return await api_client.post("/plans", signed(plan, (await preview(api_client, plan))["signing"], api_client, by), by=by)


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["details"][0]["field"], error["details"][0]["code"]


async def test_preview_shows_the_needed_wallet_and_writes_nothing(api_client: ApiClient, fund: TestFund) -> None:
    answer = await api_client.post("/plans/preview", body(fund, 40_000), by="otto")
    require_example(answer, "plan_preview")
    shown = answer.json()["data"]
    assert (shown["wallet"], shown["amount"]) == ("warm", str(40_000 * WAD))
    assert [rejected["description"] for rejected in shown["rejectedWallets"]] == [
        "hot: the plan moves 40 000, its plans stay below 10 000; "
        "rule manual_operation of policy 1 asks for 2 approvals, which the owners of a Safe give"
    ]
    (call,) = shown["calls"]
    assert (call["succeeds"], "AccessControlUnauthorizedAccount" in call["outcome"]) == (False, True), "it has no role yet"
    assert (await api_client.get("/plans")).json()["data"]["items"] == []


async def test_signed_plan_is_submitted_once_and_shown(api_client: ApiClient, fund: TestFund) -> None:
    plan = body(fund, 9_000)
    shown = (await preview(api_client, plan))["signing"]
    request = signed(plan, shown, api_client, "otto")
    answer = await api_client.post("/plans", request, by="otto")
    assert answer.status_code == 202, answer.text
    data = answer.json()["data"]
    assert (data["status"], data["wallet"], data["rejectedWallets"]) == ("IN_PROGRESS", "hot", [])
    assert data["typedData"] == shown
    assert (data["requestedBy"], data["signature"]) == (api_client.accounts.address("otto"), request["signature"])
    again = await api_client.post("/plans", request, by="otto")
    assert (again.status_code, again.json()["data"]["id"]) == (202, data["id"])
    listed = await api_client.get("/plans", open="true", wallet="hot", plan="rebalance of Monday")
    require_example(listed, "plans")
    (found,) = listed.json()["data"]["items"]
    intent = found["calls"][0]["intent"]
    assert intent["key"] == "plan:buy-1:0"
    assert (intent["requestId"], intent["planId"], intent["planCallIndex"]) == (None, data["id"], 0)
    for filters in ({"open": "false"}, {"wallet": "warm"}, {"plan": "another"}):
        assert (await api_client.get("/plans", **filters)).json()["data"]["items"] == []
    one = await api_client.get(f"/plans/{data['id']}")
    require_example(one, "plan")
    assert (await api_client.get("/plans/00000000-0000-0000-0000-000000000000")).status_code == 404
    assert (await api_client.get_file("/plans")).text.count("buy-1") >= 1


async def test_plan_of_a_safe_follows_its_proposal(api_client: ApiClient, fund: TestFund, safe_harness: SafeHarness) -> None:
    data = (await submit(api_client, body(fund, 40_000))).json()["data"]
    assert (data["wallet"], data["status"]) == ("warm", "AWAITING_OWNERS")
    path, proposal = f"/plans/{data['id']}", Hash32(bytes.fromhex(data["proposal"][2:]))
    await safe_harness.sign(proposal, 1, 2)
    assert (await api_client.get(path)).json()["data"]["status"] == "IN_PROGRESS"
    await safe_harness.expire(proposal)
    assert (await api_client.get(path)).json()["data"]["status"] == "EXPIRED"
    assert [item["id"] for item in (await api_client.get("/plans", open="false")).json()["data"]["items"]] == [data["id"]]
    rejection = await api_client.post(f"/multisig/proposals/{data['proposal']}/reject", by="vera")
    hash_ = Hash32(bytes.fromhex(rejection.json()["data"]["hash"][2:]))
    await safe_harness.sign(hash_, 1, 2)
    assert await safe_harness.execute_externally(hash_)
    assert (await api_client.get(path)).json()["data"]["status"] == "REJECTED"


async def test_proposal_names_the_ticket_that_its_signatures_decide(api_client: ApiClient, fund: TestFund) -> None:
    data = (await submit(api_client, body(fund, 60_000))).json()["data"]
    ticket = (await api_client.get(f"/multisig/proposals/{data['proposal']}", by="vera")).json()["data"]["ticketId"]
    assert (await api_client.get(f"/approvals/{ticket}", by="vera")).json()["data"]["id"] == ticket


async def test_plan_is_refused_without_role_or_valid_signature(api_client: ApiClient, fund: TestFund) -> None:
    plan = body(fund, 9_000)
    document = (await preview(api_client, plan))["signing"]
    by_otto = signed(plan, document, api_client, "otto")
    for request, name, status in (
        (by_otto, None, 401),
        (by_otto, "vera", 403),
        (signed(plan, document, api_client, "willa"), "willa", 403),
        (by_otto | {"amount": "1"}, "otto", 403),
        (by_otto | {"wallet": "cold"}, "otto", 403),
        (by_otto | {"reason": "another"}, "otto", 403),
        (by_otto | {"signature": "0x12"}, "otto", 400),
        (by_otto | {"wallet": "lukewarm"}, "otto", 400),
        (by_otto | {"surprise": 1}, "otto", 400),
    ):
        answer = await api_client.post("/plans", request, by=name)
        assert answer.status_code == status, answer.text
    assert (await api_client.post("/plans/preview", plan, by="willa")).status_code == 403, "a preview is for those who may plan"
    assert (await api_client.get("/plans")).json()["data"]["items"] == []
    assert (await api_client.post("/plans", by_otto, by="otto")).status_code == 202
    plan = body(fund, 800, plan="another")
    document = (await preview(api_client, plan | {"key": "buy-2"}))["signing"]
    document["message"]["key"] = plan["key"]
    for path, request in (("", signed(plan, document, api_client, "otto")), ("/preview", plan)):
        other = await api_client.post(f"/plans{path}", request, by="otto")
        assert (other.status_code, "one key stands for one plan" in other.text) == (409, True)


async def test_invalid_plan_gets_the_field_and_a_stable_code(api_client: ApiClient, fund: TestFund) -> None:
    async def refused(**changes: Any) -> tuple[int, str, str]:
        return error_of(await api_client.post("/plans/preview", body(fund, 1, **changes), by="otto"))

    def call(**changes: Any) -> dict[str, Any]:
        return {"calls": [body(fund, 1)["calls"][0] | changes]}

    assert await refused(calls=[]) == (400, "calls", "NO_CALLS")
    assert await refused(key=" ") == (400, "key", "INVALID_TEXT")
    assert await refused(**call(contract="Bank")) == (400, "calls.0.contract", "UNKNOWN_CONTRACT")
    assert await refused(**call(function="steal")) == (400, "calls.0.function", "UNKNOWN_FUNCTION")
    assert await refused(**call(arguments={})) == (400, "calls.0.arguments", "INVALID_ARGUMENTS")
    many = {"calls": body(fund, 1)["calls"] * 21}
    assert await refused(**many) == (400, "calls", "TOO_MANY_CALLS")
    nothing = {"arguments": body(fund, 0)["calls"][0]["arguments"]}
    assert await refused(**call(**nothing)) == (400, "calls.0.arguments.usdtAmount", "ZERO_AMOUNT")


@pytest.mark.parametrize("name", ["rebalance:00000000-0000-4000-8000-000000000001", "rebalance:", "refill-buffer:2026-11-30"])
async def test_names_of_the_rebalance_engine_are_refused_for_other_plans(
    api_client: ApiClient, fund: TestFund, name: str
) -> None:
    plan = body(fund, 1)
    request = signed(plan, (await preview(api_client, plan))["signing"], api_client, "otto")
    for field in ("key", "plan"):
        for path, given in (("/plans/preview", plan), ("/plans", request)):
            answer = await api_client.post(path, given | {field: name}, by="otto")
            assert error_of(answer) == (400, field, "RESERVED_NAME")
            assert "POST /rebalance/execute" in answer.text


@pytest.mark.parametrize("name", ["drill-3-pause-vault-1", "drill 3", "Drill 3", "DRILL-x"])
async def test_plan_of_a_drills_name_is_refused(api_client: ApiClient, fund: TestFund, name: str) -> None:
    """It would be a real call that its signers take for an exercise."""
    plan = body(fund, 1)
    request = signed(plan, (await preview(api_client, plan))["signing"], api_client, "otto")
    for field in ("key", "plan"):
        for path, given in (("/plans/preview", plan), ("/plans", request)):
            answer = await api_client.post(path, given | {field: name}, by="otto")
            assert error_of(answer) == (400, field, "RESERVED_NAME")
            assert "sign_drill_step" in answer.text


def status_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_plan_that_needs_approvals_has_a_ticket_which_its_requester_cancels(
    api_client: ApiClient, fund: TestFund, safe_harness: SafeHarness
) -> None:
    await safe_harness.sync()
    shown = await preview(api_client, body(fund, 20_000))
    assert shown["approvals"] == {"type": "MANUAL_OPERATION", "rules": ["manual_operation"], "needs": ["2 of admin"]}
    assert (await submit(api_client, body(fund, 20_000))).status_code == 202
    (listed,) = (await api_client.get("/approvals", type="MANUAL_OPERATION")).json()["data"]["items"]
    assert (listed["status"], listed["requiredApprovals"], listed["requestId"], listed["plan"]["wallet"]) == (
        "PENDING",
        2,
        None,
        "warm",
    )
    path = f"/approvals/{listed['id']}"
    signing = (await api_client.get(path)).json()["data"]["signing"]
    assert signing["approve"] is None
    for verb, name, expected in (("cancel", "vera", (403, "FORBIDDEN")), ("reject", "otto", (403, "FORBIDDEN"))):
        vote = signed_body(signing[verb], api_client.accounts.account(name), reason="mistaken")
        assert status_of(await api_client.post(f"{path}/{verb}", vote, by=name)) == expected
    approve = signed_body(signing["reject"], api_client.accounts.account("vera"))
    refused = await api_client.post(f"{path}/approve", approve, by="vera")
    assert (refused.status_code, listed["plan"]["safeTxHash"] in refused.json()["error"]["message"]) == (409, True)
    cancel = signed_body(signing["cancel"], api_client.accounts.account("otto"), reason="mistaken")
    cancelled = (await api_client.post(f"{path}/cancel", cancel, by="otto")).json()["data"]
    assert (cancelled["status"], [vote["verdict"] for vote in cancelled["votes"]]) == ("CANCELLED", ["CANCEL"])
    assert status_of(await api_client.post(f"{path}/cancel", cancel, by="otto")) == (409, "CONFLICT")
    offered = await api_client.post(
        "/signed-actions", {"action": "reject_redemption", "resource": path, "reason": ""}, by="ada"
    )
    assert status_of(offered) == (400, "VALIDATION_ERROR")
