"""Chain transactions over the API: every transaction with logs of the fund, and its logs."""

from typing import Any

import pytest
from sqlalchemy import func, select
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.fund import DAY, WAD, TestFund
from tests.support.chain.recording import record_all
from tests.support.scenarios.fund_activity import FundActivity

from paimon.composition import AppContext
from paimon.domain.kernel.chain import hex0x
from paimon.infrastructure.database.models.derived import RawLogRow

pytestmark = pytest.mark.integration


async def data_of(api_client: ApiClient, **params: Any) -> dict[str, Any]:
    answer = await api_client.get("/chain/transactions", **params)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def test_transaction_shows_its_logs_and_purposes(app_context: AppContext, fund: TestFund, api_client: ApiClient) -> None:
    activity = FundActivity(fund)
    activity.buy("MMFA", 10_000)
    request_id = fund.request("ines", 10_000)
    await record_all(app_context, fund)
    answer = await api_client.get("/chain/transactions", pageSize=2)
    require_example(answer, "chain_transactions")
    requested, bought = answer.json()["data"]["items"]
    assert {"PurchaseRouted", "AssetPurchased"} <= {*bought["events"]}
    purposes = [log["purpose"] for log in bought["logs"] if log["contract"] == "ERC20"]
    assert purposes == ["PURCHASE"] * len(purposes) != []
    log = next(log for log in requested["logs"] if log["event"] == "RedemptionRequested")
    assert (log["args"]["requestId"], log["args"]["shares"]) == (str(request_id), str(10_000 * WAD))
    assert (log["contract"], log["status"], log["purpose"]) == ("RedemptionManager", "APPLIED", None)
    assert requested["logCount"] == len(requested["logs"])


async def test_transactions_contain_every_recorded_log_once(
    app_context: AppContext, fund: TestFund, api_client: ApiClient
) -> None:
    await record_all(app_context, fund)
    listed: list[dict[str, Any]] = []
    page = 1
    while items := (data := await data_of(api_client, page=page, pageSize=7))["items"]:
        listed += items
        page += 1
    assert len(listed) == data["pagination"]["total"]
    positions = [(transaction["blockNumber"], transaction["index"]) for transaction in listed]
    assert positions == sorted(positions, reverse=True)
    async with app_context.database.read() as session:
        transactions = {hex0x(tx_hash) for tx_hash in await session.scalars(select(RawLogRow.tx_hash).distinct())}
        logs = await session.scalar(select(func.count()).select_from(RawLogRow))
    assert {transaction["hash"] for transaction in listed} == transactions
    assert sum(transaction["logCount"] for transaction in listed) == logs


async def test_transactions_are_filtered_by_contract_event_day_and_block(
    app_context: AppContext, fund: TestFund, api_client: ApiClient
) -> None:
    await record_all(app_context, fund)
    before = await data_of(api_client, pageSize=100)
    fund.warp(3 * DAY)
    FundActivity(fund).pay_otc_order("RWAP", 100_000, 100 * 10**6)
    await record_all(app_context, fund)
    now = await data_of(api_client)
    assert now["pagination"]["total"] == before["pagination"]["total"] + 2
    assert await data_of(api_client, block=before["asOf"]["number"], pageSize=100) == before
    ordered = await data_of(api_client, contract="OTCManager")
    paid, created, *deployed = ordered["items"]
    assert [paid, created] == now["items"][:2]
    assert (paid["events"][-1], created["events"]) == ("OrderPaid", ["OrderCreated"])
    assert {"OTCManager"} == {name for transaction in deployed for name in transaction["contracts"]}
    assert [transaction["hash"] for transaction in (await data_of(api_client, event="OrderPaid"))["items"]] == [paid["hash"]]
    assert (await data_of(api_client, event="NeverHeardOf"))["items"] == []
    day = paid["time"][:10]
    assert (await data_of(api_client, startDate=day))["items"] == [paid, created]
    assert (await data_of(api_client, endDate=day, pageSize=100))["pagination"]["total"] == now["pagination"]["total"]
    assert (await data_of(api_client, startDate="9999-12-30"))["items"] == []
    always = await data_of(api_client, startDate="0001-01-01", endDate="9999-12-31")
    assert always["pagination"]["total"] == now["pagination"]["total"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"contract": "Uniswap"}, "contract"),
        ({"event": "'; --"}, "event"),
        ({"startDate": "2026-03-03", "endDate": "2026-03-02"}, "endDate"),
        ({"endDate": "soon"}, "endDate"),
        ({"pageSize": 101}, "pageSize"),
        ({"format": "xml"}, "format"),
    ],
)
async def test_transactions_name_the_invalid_field(api_client: ApiClient, query: dict[str, Any], field: str) -> None:
    answer = await api_client.get("/chain/transactions", **query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [field]
