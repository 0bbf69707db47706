"""Tiers, assets and fees over the API: equal to the contracts, now and as of a block."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.fund import DAY, WAD, TestFund
from tests.support.chain.recording import record_all
from tests.support.scenarios.fund_activity import FundActivity, snapshot_now

from paimon.application.common.formatting import display
from paimon.application.vault.tokens import observe_tokens
from paimon.composition import AppContext
from paimon_devkit.stack.accounts import ADMIN

pytestmark = pytest.mark.integration

LISTS = ["/fund/liquidity/layers", "/fund/assets", "/fund/fees"]


@pytest.fixture
def activity(fund: TestFund) -> FundActivity:
    return FundActivity(fund)


async def data_of(api_client: ApiClient, path: str, **params: Any) -> dict[str, Any]:
    answer = await api_client.get(path, **params)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def error_of(api_client: ApiClient, path: str, **params: Any) -> tuple[int, str, str]:
    answer = await api_client.get(path, **params)
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


async def test_tiers_add_up_to_gross_assets_within_their_bands(
    app_context: AppContext, fund: TestFund, activity: FundActivity, api_client: ApiClient
) -> None:
    fund.request("ines", 10_000)
    taken = await snapshot_now(app_context, fund)
    answer = await api_client.get("/fund/liquidity/layers")
    require_example(answer, "layers")
    data = answer.json()["data"]
    assert data["asOf"]["number"] == taken.at.number
    assert [layer["tier"] for layer in data["layers"]] == ["L1", "L2", "L3"]
    assert sum(int(layer["value"]) for layer in data["layers"]) == int(data["grossAssets"])
    assert int(data["availableLiquidity"]) == sum(int(layer["value"]) for layer in data["layers"][:2])
    assert data["redemptionLiabilityDisplay"] == display(int(data["redemptionLiability"]), 18) != display(0, 18)
    first = data["layers"][0]
    assert (first["ratio"], first["target"], first["withinLimits"]) == ("0.11", "0.1", True)
    activity.controller(ADMIN, "setLayerConfig", 0, 1_200, 1_150, 2_000)
    await snapshot_now(app_context, fund)
    assert (await data_of(api_client, "/fund/liquidity/layers"))["layers"][0]["withinLimits"] is False


async def test_assets_show_price_age_value_and_orders_in_transit(
    app_context: AppContext, fund: TestFund, activity: FundActivity, api_client: ApiClient
) -> None:
    activity.pay_otc_order("RWAP", 100_000, 100 * 10**6)
    activity.controller(ADMIN, "removeAsset", activity.asset("RWAT").address)
    taken = await snapshot_now(app_context, fund)
    await observe_tokens(app_context.database, app_context.contracts)
    answer = await api_client.get("/fund/assets")
    require_example(answer, "assets")
    data = answer.json()["data"]
    assert data["asOf"]["number"] == taken.at.number
    by_symbol = {asset["symbol"]: asset for asset in data["items"]}
    assert by_symbol.keys() >= {"RWAP", "RWAT", "MMFA"}
    private, unlisted = by_symbol["RWAP"], by_symbol["RWAT"]
    assert (private["inTransit"], private["terms"]["method"]) == (str(100_000 * WAD), "OTC")
    assert private["priceAgeSeconds"] > 0
    assert (unlisted["active"], unlisted["value"], int(unlisted["balance"]) > 0) == (False, "0", True)
    assert sum(int(asset["value"]) for asset in data["items"]) + taken.cash == taken.vault.gross_assets
    tiers = [asset["tier"] for asset in data["items"]]
    assert tiers == sorted(tiers)
    assert {asset["tier"] for asset in (await data_of(api_client, "/fund/assets", tier="L3"))["items"]} == {"L3"}
    assert [asset["symbol"] for asset in (await data_of(api_client, "/fund/assets", active=False))["items"]] == ["RWAT"]
    third = await data_of(api_client, "/fund/assets", page=3, pageSize=3)
    assert third["pagination"] == {"total": 8, "page": 3, "pageSize": 3, "totalPages": 3, "nextCursor": None}
    assert third["items"] == data["items"][6:]
    for page in (4, 10**30):
        assert (await data_of(api_client, "/fund/assets", page=page, pageSize=3))["items"] == []


async def test_fees_are_shown_from_accrual_to_payment(
    app_context: AppContext, fund: TestFund, activity: FundActivity, api_client: ApiClient
) -> None:
    fund.warp(30 * DAY)
    activity.set_price("RWAC", 15 * WAD // 10)
    before = await snapshot_now(app_context, fund)
    pending = await data_of(api_client, "/fund/fees")
    assert [fee["kind"] for fee in pending["fees"]] == ["MANAGEMENT", "PERFORMANCE", "REDEMPTION"]
    assert pending["fees"][1]["pending"] == str(before.fees.pending_performance) != "0"
    activity.controller(ADMIN, "collectFees")
    after = await snapshot_now(app_context, fund)
    answer = await api_client.get("/fund/fees")
    require_example(answer, "fees")
    data = answer.json()["data"]
    for fee in data["fees"][:2]:
        assert fee["accrued"] == fee["paid"] != "0"
        assert fee["owed"] == "0"
        assert fee["paidDisplay"] == display(int(fee["paid"]), 18)
    assert data["highWaterMark"] == str(after.fees.high_water_mark) == data["layer3Value"]
    collections = await data_of(api_client, "/chain/transactions", event="PerformanceFeeCollected")
    assert [log["purpose"] for log in collections["items"][0]["logs"] if log["event"] == "Transfer"] == ["FEE_COLLECTION"]


async def test_lists_as_of_a_block_are_those_of_that_time(
    app_context: AppContext, fund: TestFund, activity: FundActivity, api_client: ApiClient
) -> None:
    answers: dict[int, list[dict[str, Any]]] = {}
    await observe_tokens(app_context.database, app_context.contracts)
    steps: list[Callable[[], int]] = [
        lambda: fund.request("ines", 10_000),
        lambda: activity.set_price("RWAC", 13 * WAD // 10),
        lambda: activity.controller(ADMIN, "collectFees"),
        lambda: activity.buy("MMFA", 10_000),
    ]
    for step in steps:
        step()
        taken = await snapshot_now(app_context, fund)
        await observe_tokens(app_context.database, app_context.contracts)
        answers[taken.at.number] = [await data_of(api_client, path) for path in LISTS]
    for block, answer in answers.items():
        assert [await data_of(api_client, path, block=block) for path in LISTS] == answer
    first, second, *_ = answers
    assert [await data_of(api_client, path, block=second - 1) for path in LISTS] == answers[first], "the snapshot before it"


async def test_unrecorded_block_is_refused_with_the_recorded_range(
    app_context: AppContext, fund: TestFund, api_client: ApiClient
) -> None:
    for path in [*LISTS, "/fund/holders", "/chain/transactions"]:
        assert (await error_of(api_client, path))[:2] == (503, "SERVICE_UNAVAILABLE"), "nothing is recorded yet"
    await record_all(app_context, fund)
    first = (await snapshot_now(app_context, fund)).at.number
    start = fund.start_block
    for path in [*LISTS, "/fund/overview", "/fund/holders", "/chain/transactions"]:
        for block in (0, start - 1, first + 1, 2**62):
            message = f"block {block} is not recorded; blocks {start} to {first} are"
            assert await error_of(api_client, path, block=block) == (400, "VALIDATION_ERROR", message)
        for wrong in (-1, 2**63, "latest"):
            assert (await error_of(api_client, path, block=wrong))[:2] == (400, "VALIDATION_ERROR")
    for path in [*LISTS, "/fund/overview"]:
        status, code, message = await error_of(api_client, path, block=start)
        assert (status, code) == (404, "NOT_FOUND")
        assert message.endswith(f"the first is of block {first}")
