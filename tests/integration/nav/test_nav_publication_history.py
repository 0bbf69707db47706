"""Official NAV: published after a clean reconciliation, withheld while a material break is open, released by the next."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from tests.support.api_client import ApiClient, api_client_for, require_example, running_app, seed_users
from tests.support.chain.altered_contracts import make_proxy, proxy_code, set_code
from tests.support.chain.fund import WAD, TestFund
from tests.support.scenarios.fund_activity import FundActivity, snapshot_now

from paimon.application.deployment.examine import examine_contracts
from paimon.application.nav.publication import publish_nav
from paimon.application.reconciliation.reconcile import reconcile
from paimon.composition import AppContext
from paimon.domain.kernel.chain import Address
from paimon.domain.risk.nav_publication import NavStatus
from paimon.gateway.fund_documents import FundDocuments
from paimon.infrastructure.cache.live import messages
from paimon.infrastructure.database.models.ops.nav import NavPointRow
from paimon.settings import Settings

pytestmark = pytest.mark.integration


async def reconcile_and_publish(app_context: AppContext) -> None:
    await reconcile(app_context.database, app_context.contracts)
    await publish_nav(app_context.database, FundDocuments(app_context.database, app_context.redis))


async def point_statuses(app_context: AppContext) -> dict[int, NavStatus]:
    async with app_context.database.read() as session:
        return {row.block_number: row.status for row in await session.scalars(select(NavPointRow))}


_ADD_SHARES = text("""
    UPDATE derived.share_balances SET shares = shares + :by WHERE holder = (SELECT min(holder) FROM derived.share_balances)
""")


@asynccontextmanager
async def corrupted_holding(app_context: AppContext, by: int) -> AsyncIterator[None]:
    """Keep one recorded holding wrong by a number of shares."""

    async def add(shares: int) -> None:
        async with app_context.database.write() as session:
            await session.execute(_ADD_SHARES, {"by": shares})

    await add(by)
    yield
    await add(-by)


async def test_nav_point_waits_for_a_clean_reconciliation_at_or_after_its_block(
    app_context: AppContext, fund: TestFund
) -> None:
    first = await snapshot_now(app_context, fund)
    await publish_nav(app_context.database, FundDocuments(app_context.database, app_context.redis))
    assert await point_statuses(app_context) == {}
    await reconcile_and_publish(app_context)
    assert await point_statuses(app_context) == {first.at.number: NavStatus.PUBLISHED}
    fund.send("ada", "Vault", "updateNav")
    later = await snapshot_now(app_context, fund)
    await publish_nav(app_context.database, FundDocuments(app_context.database, app_context.redis))
    assert later.at.number not in await point_statuses(app_context)


async def test_nav_without_the_value_of_delayed_settlements_is_never_official(
    app_context: AppContext, fund: TestFund, api_client: ApiClient
) -> None:
    """The value is read before the contracts were examined and after, and no later reconciliation releases the points."""
    controller, implementation = fund.addresses.asset_controller, Address(bytes.fromhex("e1" * 20))
    value = 5 * WAD
    make_proxy(fund, controller, implementation, answers={"totalPendingValue()": value})
    first = await snapshot_now(app_context, fund)
    assert await examine_contracts(app_context.database, app_context.contracts) is not None
    fund.send("ada", "Vault", "updateNav")
    second = await snapshot_now(app_context, fund)
    assert (first.pending_value, second.pending_value) == (value, value)
    await reconcile_and_publish(app_context)
    official = (await api_client.get("/fund/overview")).json()["data"]["official"]
    reason = f"{value} in delayed settlements (totalPendingValue) is not counted at this block"
    assert (official["status"], official["withheldReason"]) == ("WITHHELD", reason)

    set_code(fund, controller, proxy_code(implementation, answers={"totalPendingValue()": 0}))
    fund.send("ada", "Vault", "updateNav")
    third = await snapshot_now(app_context, fund)
    await reconcile_and_publish(app_context)
    assert await point_statuses(app_context) == {
        first.at.number: NavStatus.WITHHELD,
        second.at.number: NavStatus.WITHHELD,
        third.at.number: NavStatus.PUBLISHED,
    }


async def test_nav_is_withheld_by_a_material_break_and_released_by_its_repair(
    app_context: AppContext, fund: TestFund, api_client: ApiClient
) -> None:
    first = await snapshot_now(app_context, fund)
    await reconcile_and_publish(app_context)
    fund.send("ada", "Vault", "updateNav")
    second = await snapshot_now(app_context, fund)
    async with corrupted_holding(app_context, 10_000 * WAD):
        await reconcile_and_publish(app_context)
        assert await point_statuses(app_context) == {first.at.number: NavStatus.PUBLISHED, second.at.number: NavStatus.WITHHELD}
        data = (await api_client.get("/fund/nav/history", interval="hourly")).json()["data"]
        assert [point["blockNumber"] for point in data["points"]] == [first.at.number]
        assert data["withheld"]["count"] == 1
        assert data["withheld"]["reason"].startswith("material discrepancy: ")
        overview = (await api_client.get("/fund/overview")).json()["data"]
        assert (overview["official"]["status"], overview["official"]["sharePrice"]) == ("WITHHELD", None)
        assert overview["official"]["withheldReason"] == data["withheld"]["reason"]
    await reconcile_and_publish(app_context)
    assert set((await point_statuses(app_context)).values()) == {NavStatus.PUBLISHED}
    data = (await api_client.get("/fund/nav/history", interval="hourly")).json()["data"]
    assert (data["points"][-1]["blockNumber"], data["withheld"]) == (second.at.number, None)


async def test_nav_is_published_when_a_break_is_below_one_basis_point(app_context: AppContext, fund: TestFund) -> None:
    taken = await snapshot_now(app_context, fund)
    async with corrupted_holding(app_context, 1_000 * WAD):  # of 24 million, and once more in the supply
        await reconcile_and_publish(app_context)
    assert await point_statuses(app_context) == {taken.at.number: NavStatus.PUBLISHED}


async def test_history_shows_the_last_point_of_each_bucket(
    app_context: AppContext, fund: TestFund, api_client: ApiClient
) -> None:
    activity, taken = FundActivity(fund), []
    fund.warp(86_400 - fund.node.rpc.head().timestamp % 86_400)  # to the start of a day
    for price, pause in ((126, 60), (127, 3_600), (128, 86_400), (129, 0)):
        activity.set_price("RWAC", price * WAD // 100)
        taken.append(await snapshot_now(app_context, fund))
        fund.warp(pause) if pause else None
    await reconcile_and_publish(app_context)
    hourly = await api_client.get("/fund/nav/history", interval="hourly")
    require_example(hourly, "nav_history")
    found = [point["blockNumber"] for point in hourly.json()["data"]["points"]]
    assert found == [taken[1].at.number, taken[2].at.number, taken[3].at.number]
    daily = (await api_client.get("/fund/nav/history")).json()["data"]["points"]
    assert [point["blockNumber"] for point in daily] == [taken[2].at.number, taken[3].at.number]
    assert daily[-1]["sharePrice"] == str(taken[3].nav_per_share)
    assert daily[-1]["contract"] == {
        "sharePrice": str(taken[3].contract.share_price),
        "totalAssets": str(taken[3].contract.total_assets),
    }
    first_day = taken[0].at.timestamp.date()
    one_day = await api_client.get("/fund/nav/history", startDate=str(first_day), endDate=str(first_day))
    assert [point["blockNumber"] for point in one_day.json()["data"]["points"]] == [taken[2].at.number]
    for range_without_points in (
        {"endDate": "2020-01-01"},
        {"endDate": "0001-01-02"},
        {"startDate": "9999-12-31"},
        {"startDate": "0001-01-01", "endDate": "0001-01-01"},
    ):
        answer = await api_client.get("/fund/nav/history", **range_without_points)
        assert (answer.status_code, answer.json()["data"]["points"]) == (200, [])
    whole_range = await api_client.get("/fund/nav/history", startDate="0001-01-01", endDate="9999-12-31", interval="weekly")
    assert whole_range.json()["data"]["points"][-1]["blockNumber"] == taken[3].at.number


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"interval": "yearly"}, "interval"),
        ({"startDate": "soon"}, "startDate"),
        ({"startDate": "2026-03-03", "endDate": "2026-03-02"}, "endDate"),
    ],
)
async def test_history_names_the_invalid_field(api_client: ApiClient, query: dict[str, Any], field: str) -> None:
    answer = await api_client.get("/fund/nav/history", **query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [field]


async def test_history_is_empty_before_the_first_publication(api_client: ApiClient) -> None:
    answer = await api_client.get("/fund/nav/history")
    assert answer.json()["data"] == {"interval": "daily", "points": [], "withheld": None}
    for query in ({"from": 1}, {"startDate": "2026-01-01"}):
        answer = await api_client.get("/fund/nav/explain", **query)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_history_is_refused_when_it_exceeds_one_answer(
    app_context: AppContext, fund: TestFund, settings: Settings
) -> None:
    activity = FundActivity(fund)
    for price in (126, 127):
        activity.set_price("RWAC", price * WAD // 100)
        await snapshot_now(app_context, fund)
        fund.warp(3_600)
    await reconcile_and_publish(app_context)
    short = settings.model_copy(update={"nav": settings.nav.model_copy(update={"history_points_max": 1})})
    await seed_users(app_context.database, fund)
    async with running_app(short) as app, api_client_for(app, short, fund.accounts) as api_client:
        answer = await api_client.get("/fund/nav/history", interval="hourly")
        assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, "interval")
        assert "more than 1 hourly points" in answer.json()["error"]["message"]
        day = str(datetime.fromtimestamp(fund.node.rpc.head().timestamp, UTC).date() + timedelta(days=1))
        assert (await api_client.get("/fund/nav/history", interval="hourly", startDate=day)).status_code == 200


async def test_nav_is_published_live_only_when_it_changes(app_context: AppContext, fund: TestFund) -> None:
    received: list[tuple[str, str]] = []
    subscribed = asyncio.Event()

    async def listen() -> None:
        async for channel, data in messages(app_context.redis, on_subscribed=subscribed.set):
            received.append((channel, data["sharePrice"]))

    listening = asyncio.create_task(listen())
    await subscribed.wait()
    first = await snapshot_now(app_context, fund, keep=False)
    await snapshot_now(app_context, fund, keep=False)
    FundActivity(fund).set_price("RWAC", 126 * WAD // 100)
    second = await snapshot_now(app_context, fund, keep=False)
    await asyncio.sleep(0.2)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    overview = [price for channel, price in received if channel == "fund:overview"]
    nav = [price for channel, price in received if channel == "fund:nav"]
    assert overview == [str(first.nav_per_share)] * 2 + [str(second.nav_per_share)]
    assert nav == [str(first.nav_per_share), str(second.nav_per_share)]
