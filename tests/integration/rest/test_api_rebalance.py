"""Tests of rebalancing over REST: a preview with own targets, its signed submission, the state and the history."""

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest
from eth_account import Account
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner, environment_of, keystore_options
from tests.support.scenarios.fund_activity import snapshot_now
from tests.support.scenarios.multisig import FundSafes

from paimon.composition import AppContext
from paimon.domain.kernel.chain import parse_address
from paimon.settings import Settings

pytestmark = pytest.mark.integration

TARGETS: Final = {"L1": 1_400, "L2": 3_000, "L3": 5_600}
NO_ID: Final = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def settings(settings: Settings, fund: TestFund, fund_safes: FundSafes) -> Settings:
    """Add the three wallets to the settings."""
    hot = parse_address(fund.accounts.address("hot"))
    named = {"hot": hot, "warm": fund_safes.warm, "cold": fund_safes.cold, "multi_send": fund_safes.safe_factory.multi_send}
    return settings.model_copy(update={"sending": settings.sending.model_copy(update=named)})


async def preview(api_client: ApiClient, **body: Any) -> dict[str, Any]:
    answer = await api_client.post("/rebalance/preview", body, by="otto")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()["data"]
    return shown


def signed(shown: dict[str, Any], api_client: ApiClient, by: str = "otto") -> dict[str, Any]:
    """Sign the preview's document, and return the body as a wallet makes it."""
    document = shown["plan"]["signing"]
    signature = Account.sign_typed_data(api_client.accounts.account(by).key, full_message=document).signature
    terms = {name: document["message"][name] for name in ("wallet", "amount", "nonce", "expiresAt")}
    return terms | {"rebalanceId": shown["rebalance"]["id"], "signature": "0x" + bytes(signature).hex()}


async def test_previewed_rebalance_is_submitted_once_and_shown(
    api_client: ApiClient, app_context: AppContext, fund: TestFund
) -> None:
    assert (await api_client.get("/rebalance/status")).status_code == 503, "no snapshot yet"
    await snapshot_now(app_context, fund)
    before = (await api_client.get("/rebalance/status")).json()["data"]
    assert (before["pendingPlan"], before["lastRebalance"], before["isAutomatic"]) == (None, None, False)
    assert {each["name"] for each in before["triggers"]} >= {"l1_below", "tier_deviation", "manual_request"}
    assert {(each["isMet"], each["answer"], each["heldBy"]) for each in before["triggers"]} == {
        (True, "held_back", "automatic_off"),
        (False, "not_met", None),
    }

    older = await preview(api_client)
    assert (older["plan"], older["rebalance"]["status"], older["rebalance"]["actions"]) == (None, "NOTHING_TO_DO", [])
    answer = await api_client.post("/rebalance/preview", {"targetRatios": TARGETS}, by="otto")
    require_example(answer, "rebalance_preview")
    first, shown = answer.json()["data"], await preview(api_client, targetRatios=TARGETS)
    assert shown["rebalance"]["targetState"] == TARGETS
    assert {action["reason"] for action in shown["rebalance"]["actions"]} <= {"tier_above_target", "tier_below_target"}
    assert shown["requiresApproval"] is True
    assert shown["plan"]["wallet"] == "cold"

    gone = await api_client.post("/rebalance/execute", signed(first, api_client), by="otto")
    assert (gone.status_code, "was previewed later" in gone.json()["error"]["message"]) == (409, True)
    request = signed(shown, api_client)
    submitted = await api_client.post("/rebalance/execute", request, by="otto")
    assert submitted.status_code == 202, submitted.text
    require_example(submitted, "rebalance_executed")
    data = submitted.json()["data"]
    assert data["status"] == "SUBMITTED"
    assert (await api_client.get(f"/approvals/{data['approvalTicketId']}")).json()["data"]["type"] == "MANUAL_OPERATION"
    assert (await api_client.get(f"/plans/{data['planId']}")).json()["data"]["status"] == "AWAITING_OWNERS"
    again = await api_client.post("/rebalance/execute", request, by="otto")
    assert (again.status_code, again.json()["data"]["planId"]) == (202, data["planId"])

    reversal = await api_client.post(f"/rebalance/{data['rebalanceId']}/reverse", {}, by="otto")
    assert (reversal.status_code, "is SUBMITTED: it traded nothing" in reversal.text) == (409, True)
    assert (await api_client.post(f"/rebalance/{NO_ID}/reverse", {}, by="otto")).status_code == 404

    other = await api_client.post(
        "/rebalance/execute", signed(await preview(api_client, targetRatios=TARGETS), api_client), by="otto"
    )
    assert (other.status_code, "is under way" in other.json()["error"]["message"]) == (409, True)
    status = await api_client.get("/rebalance/status")
    require_example(status, "rebalance_status")
    assert status.json()["data"]["pendingPlan"]["planId"] == data["planId"]
    listed = await api_client.get("/rebalance/history", trigger="manual")
    require_example(listed, "rebalances")
    assert [item["status"] for item in listed.json()["data"]["items"]] == [
        "PROPOSED", "SUBMITTED", "SUPERSEDED", "NOTHING_TO_DO"
    ]  # fmt: skip
    for filters in ({"trigger": "scheduled"}, {"status": "EXECUTED"}, {"endDate": "2020-01-01"}, {"startDate": "2100-01-01"}):
        assert (await api_client.get("/rebalance/history", **filters)).json()["data"]["items"] == []
    assert "SUBMITTED" in (await api_client.get_file("/rebalance/history")).text


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"L1": 1_400, "L2": 3_000, "L3": 5_700}, "add up to 10100"),
        ({"L1": 100, "L2": 3_900, "L3": 6_000}, "outside of 500 to 2000"),
        ({"L1": 1_400, "L2": 3_000}, "L3"),
    ],
)
async def test_targets_that_are_none_are_refused(api_client: ApiClient, targets: dict[str, int], message: str) -> None:
    answer = await api_client.post("/rebalance/preview", {"targetRatios": targets}, by="otto")
    assert (answer.status_code, message in answer.text) == (400, True), answer.text


async def test_rebalance_is_refused_without_role_or_valid_signature(
    api_client: ApiClient, app_context: AppContext, fund: TestFund
) -> None:
    await snapshot_now(app_context, fund)
    assert (await api_client.post("/rebalance/preview", {}, by="willa")).status_code == 403
    request = signed(await preview(api_client, targetRatios=TARGETS), api_client)
    for body, by, status in (
        (request, None, 401),
        (request, "vera", 403),
        (request | {"amount": "1"}, "otto", 403),
        (request | {"rebalanceId": NO_ID}, "otto", 404),
        (request | {"signature": "0x12"}, "otto", 400),
    ):
        answer = await api_client.post("/rebalance/execute", body, by=by)
        assert answer.status_code == status, answer.text
    assert (await api_client.post("/rebalance/execute", request, by="otto")).status_code == 202


async def test_terminal_reverses_nothing_that_was_not_carried_out(
    api_client: ApiClient, cli: CliRunner, settings: Settings, tmp_path: Path
) -> None:
    for name, message in (("otto", f"there is no rebalance {NO_ID}"), ("ines", "is not a user")):
        signer = keystore_options(api_client.accounts, name, tmp_path)
        process = cli.start("rebalance", "reverse", NO_ID, *signer, "--yes", env=environment_of(settings))
        assert await asyncio.to_thread(process.wait) != 0
        assert message in process.output_text
