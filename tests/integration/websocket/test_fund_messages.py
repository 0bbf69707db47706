"""`fund:overview` and `fund:nav` as a client hears them: a real server, Redis, database and chain, and real reactions."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import select
from tests.support.api_client import seed_users
from tests.support.api_server import ApiServer, receive_message, running_api_server
from tests.support.chain.fund import WAD, TestFund
from tests.support.chain.recording import record_all
from tests.support.scenarios.fund_activity import FundActivity, snapshot_now

from paimon.gateway.fund_documents import FundDocuments
from paimon.application.common.topics import FUND
from paimon.application.nav.publication import publish_nav
from paimon.application.reconciliation.reconcile import reconcile
from paimon.application.scheduler.jobs import jobs
from paimon.composition import AppContext
from paimon.gateway.rest.views.fund import OverviewView
from paimon.gateway.tasks.handlers import handlers
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.queue.handler import handle
from paimon.settings import ScheduleSettings, Settings

pytestmark = pytest.mark.integration

BOTH = ["fund:nav", "fund:overview"]
RWAC = 125 * WAD // 100


@pytest.fixture
async def api_server(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> AsyncIterator[ApiServer]:
    await seed_users(database, fund.accounts)
    async with running_api_server(settings, fund, eventually) as opened:
        yield opened


async def test_each_snapshot_is_heard_as_the_overview_rest_gives_then(
    app_context: AppContext, fund: TestFund, api_server: ApiServer
) -> None:
    """A snapshot of a fund in which nothing happened is told as well: that is the one each minute."""
    async with api_server.client(channels=["fund:overview"]) as client:
        for _ in range(2):
            taken = await snapshot_now(app_context, fund, keep=False)
            heard = await receive_message(client)
            assert (heard["type"], heard["channel"]) == ("message", "fund:overview")
            assert heard["data"] == (await api_server.api_client.get("/fund/overview")).json()["data"]
            assert heard["data"]["block"]["number"] == taken.at.number
            OverviewView.model_validate(heard["data"])


def test_a_snapshot_is_due_each_minute() -> None:
    (job,) = [each for each in jobs(ScheduleSettings()) if each.task == "paimon.take_snapshot"]
    assert job.every_seconds == 60


async def test_an_event_is_heard_by_its_reaction(app_context: AppContext, fund: TestFund, api_server: ApiServer) -> None:
    """Recorded, reacted to, read, told: without waiting for the minute."""
    await snapshot_now(app_context, fund)
    await app_context.redis.delete("paimon:snapshot:pause")
    async with api_server.client(channels=BOTH) as client:
        FundActivity(fund).deposit("isla", 60_000)
        await record_all(app_context, fund)
        await react(app_context)
        heard = await receive_message(client)
        assert heard["channel"] == "fund:overview"
        assert heard["data"]["totalSupply"] == str(fund.read("Vault", "totalSupply"))


async def react(app_context: AppContext) -> None:
    """Every waiting reaction to the fund's events, as a worker does it."""
    async with app_context.database.read() as session:
        waiting = (await session.scalars(select(OutboxMessageRow.id).where(OutboxMessageRow.kind == FUND))).all()
    assert waiting
    for row in waiting:
        await handle(app_context.database, handlers(app_context), row, attempts_max=1, backoff_seconds_max=1)


async def test_nav_is_heard_whenever_it_is_another_than_was_shown(
    app_context: AppContext, fund: TestFund, api_server: ApiServer
) -> None:
    """There and back: snapshots that are not kept are shown all the same, so their NAV is what is to be compared with."""
    activity = FundActivity(fund)
    first = await snapshot_now(app_context, fund)
    async with api_server.client(channels=["fund:nav"]) as client:
        heard: list[str] = []
        for price, is_told in ((RWAC + 10**6, True), (RWAC + 10**6, False), (RWAC, True)):  # far below a basis point
            activity.set_price("RWAC", price)
            await snapshot_now(app_context, fund, keep=False)
            if is_told:
                message = await receive_message(client)
                assert message["channel"] == "fund:nav"
                heard.append(message["data"]["sharePrice"])
        assert heard[1] == str(first.nav_per_share) != heard[0]


async def test_nav_that_was_published_is_heard_with_the_figure_of_now(
    app_context: AppContext, fund: TestFund, api_server: ApiServer
) -> None:
    taken = await snapshot_now(app_context, fund)
    async with api_server.client(channels=["fund:nav"]) as client:
        await reconcile(app_context.database, app_context.contracts)
        await publish_nav(app_context.database, FundDocuments(app_context.database, app_context.redis))
        message = await receive_message(client)
        assert message["data"].keys() == {"sharePrice", "nav", "totalAssets", "aum", "official", "block", "lastUpdated"}
        assert message["data"]["official"]["status"] == "PUBLISHED"
        assert message["data"]["official"]["blockNumber"] == taken.at.number
        assert int(message["data"]["sharePrice"]) > WAD // 2
