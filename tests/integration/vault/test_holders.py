"""The holder register: equal to the contracts, and exact at any past block."""

from typing import Any

import pytest
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.fund import DAY, WAD, TestFund
from tests.support.chain.recording import record_all
from tests.support.factories.synthetic_logs import TRACKED, ranges, write_cursor
from tests.support.scenarios.fund_activity import FundActivity, snapshot_now

from paimon.application.event_listener.fetch.decode import decode_log
from paimon.application.event_listener.record.record import record
from paimon.application.vault.holders import HolderList
from paimon.application.vault.queries import list_holders
from paimon.composition import AppContext
from paimon.domain.kernel.chain import ContractName
from paimon.domain.kernel.units import RawAmount
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration

ALL = PageRequest(1, 10_000)


@pytest.fixture
def activity(fund: TestFund) -> FundActivity:
    return FundActivity(fund)


async def data_of(api_client: ApiClient, **params: Any) -> dict[str, Any]:
    answer = await api_client.get("/fund/holders", **params)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def by_name(api_client: ApiClient, data: dict[str, Any], name: str) -> dict[str, Any]:
    address = api_client.accounts.address(name)
    return next(item for item in data["items"] if item["holder"] == address)


async def test_holders_equal_the_contracts(
    app_context: AppContext, fund: TestFund, activity: FundActivity, api_client: ApiClient
) -> None:
    fund.request("ines", 50_000)
    fund.request("ines", 10_000)
    fund.request("ivan", 20_000)
    fund.send("isla", "Vault", "transfer", fund.deployment.vault, 7 * WAD)  # by mistake: these shares cannot be redeemed
    taken = await snapshot_now(app_context, fund)
    answer = await api_client.get("/fund/holders")
    require_example(answer, "holders")
    data = answer.json()["data"]
    assert (data["asOf"]["number"], data["valuation"]["block"]["number"]) == (taken.at.number, taken.at.number)
    for item in data["items"]:
        if item["holder"] == fund.deployment.vault:
            assert (item["shares"], item["lockedShares"]) == (str(7 * WAD), "0")
        else:
            assert item["shares"] == str(fund.read("Vault", "balanceOf", item["holder"]))
            assert item["lockedShares"] == str(fund.read("Vault", "lockedSharesOf", item["holder"]))
    total_shares = [int(item["shares"]) + int(item["lockedShares"]) for item in data["items"]]
    assert total_shares == sorted(total_shares, reverse=True)
    assert sum(total_shares) == int(data["totalSupply"]) == taken.total_supply
    assert sum(int(item["claim"]) for item in data["items"]) == taken.redemption_liability
    value = sum(int(item["value"]) for item in data["items"])
    assert 0 <= taken.net_assets - value <= 2 * len(total_shares) + taken.total_supply // WAD, "rounding keeps the rest"
    ines = by_name(api_client, data, "ines")
    assert int(ines["redeemableShares"]) == int(ines["shares"]) - 60_000 * WAD


async def test_redeemable_shares_are_what_the_contract_accepts(
    app_context: AppContext, fund: TestFund, api_client: ApiClient
) -> None:
    """Deployed behaviour 9: after redeeming half, one more share reverts."""
    await record_all(app_context, fund)
    whole = int(by_name(api_client, await data_of(api_client), "ines")["shares"])
    fund.send("ines", "RedemptionManager", "requestRedemption", whole // 4, fund.accounts.address("ines"))
    await record_all(app_context, fund)
    left = int(by_name(api_client, await data_of(api_client), "ines")["redeemableShares"])
    assert left == whole - 2 * (whole // 4)
    with pytest.raises(Exception, match="InsufficientShares"):
        fund.send("ines", "RedemptionManager", "requestRedemption", left + 1, fund.accounts.address("ines"))


async def test_holders_as_of_a_block_are_those_of_that_time(
    app_context: AppContext, fund: TestFund, activity: FundActivity, api_client: ApiClient
) -> None:
    """Deposits, requests and all their ends: the register as of a block equals the live answer at that block."""
    requests: list[int] = []
    answers: dict[int, dict[str, Any]] = {}
    for step in (
        lambda: requests.extend(fund.request(name, 20_000) for name in ("ines", "ivan", "ilja")),
        lambda: activity.deposit("isla", 60_000),
        lambda: fund.send("ivan", "RedemptionManager", "cancelRedemption", requests[1]),
        lambda: fund.send("isla", "Vault", "transfer", fund.accounts.address("viktor"), 5 * WAD),
        lambda: fund.request("ilja", 5_000),
        lambda: fund.warp(8 * DAY),
        lambda: fund.send("ada", "RedemptionManager", "settleRedemption", requests[0]),
    ):
        step()
        taken = await snapshot_now(app_context, fund)
        answers[taken.at.number] = await data_of(api_client)
    assert len(answers) == 7
    for block, answer in answers.items():
        assert await data_of(api_client, block=block) == answer
    start = await data_of(api_client, block=fund.start_block)
    assert (start["items"], start["totalSupply"], start["valuation"]) == ([], "0", None), "no holder right after the deployment"
    first = min(answers)
    between = await data_of(api_client, block=first + 1)
    assert (between["asOf"]["number"], between["valuation"]["block"]["number"]) == (first + 1, first)


async def test_holders_are_filtered_and_paged(app_context: AppContext, fund: TestFund, api_client: ApiClient) -> None:
    await record_all(app_context, fund)
    all_holders = await data_of(api_client)
    assert all_holders["valuation"] is None
    assert {item["value"] for item in all_holders["items"]} == {None}
    ines = await data_of(api_client, holder=api_client.accounts.address("ines"))
    assert [item["holder"] for item in ines["items"]] == [api_client.accounts.address("ines")]
    assert ines["totalSupply"] == all_holders["totalSupply"], "the supply is that of the whole fund"
    assert (await data_of(api_client, holder="0x" + "99" * 20))["items"] == []
    total = all_holders["pagination"]["total"]
    second = await data_of(api_client, page=2, pageSize=2)
    assert (second["items"], second["pagination"]["total"]) == (all_holders["items"][2:4], total)
    for page in (total, 10**30):
        past = await data_of(api_client, page=page, pageSize=2)
        assert (past["items"], past["pagination"]["total"]) == ([], total)


async def test_holders_are_exact_at_any_block_of_a_long_history(database: Database, owner_url: str) -> None:
    """Compare the live register after each range of thousands of logs with the register as of each range's last block."""
    write_cursor(owner_url.replace("+psycopg", ""), 0)
    names, abis = TRACKED.names(), {name: load_abi(name.value) for name in ContractName}
    live: list[HolderList] = []
    for fetched in ranges(6_000, blocks_each=150):
        logs = [decode_log(log, names, abis) for log in fetched.logs]
        await record(database, fetched, logs, tracked=TRACKED, epoch=0)
        live.append(await register(database, None))
    assert len(live) > 5
    for holders in live:
        assert await register(database, holders.at.number) == holders
    last = live[-1].page.items
    assert [holder.total_shares for holder in last] == sorted((holder.total_shares for holder in last), reverse=True)
    assert live[-1].supply == RawAmount(sum(holder.total_shares for holder in last))


async def test_a_walk_by_cursor_shows_the_block_of_its_first_page(database: Database, owner_url: str) -> None:
    """Balances change between the pages, and with them the order: the pages are still those of one block."""
    write_cursor(owner_url.replace("+psycopg", ""), 0)
    names, abis = TRACKED.names(), {name: load_abi(name.value) for name in ContractName}
    walked: list[HolderList] = []
    for fetched in ranges(6_000, blocks_each=150):
        logs = [decode_log(log, names, abis) for log in fetched.logs]
        await record(database, fetched, logs, tracked=TRACKED, epoch=0)
        after = walked[-1].page.next if walked else None
        async with database.read() as session:
            walked.append(await list_holders(session, PageRequest(1, 3, after=after), block=None, holder=None))
    first, *_, last = walked
    assert len(walked) > 5
    async with database.read() as session:
        assert (await list_holders(session, PageRequest(1, 3), block=None, holder=None)).page.items != first.page.items
    whole = await register(database, first.at.number)
    assert [holder for part in walked for holder in part.page.items] == whole.page.items[: 3 * len(walked)]
    assert {(part.at, part.supply) for part in walked} == {(whole.at, whole.supply)}
    assert last.page.items


async def register(database: Database, block: int | None) -> HolderList:
    async with database.read() as session:
        return await list_holders(session, ALL, block=block, holder=None)
