"""Tests of the channels `fund:overview` and `fund:nav` with a real server, Redis, database, chain and handlers."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import select
from tests.support.api_client import seed_users
from tests.support.api_server import ApiServer, receive_message, running_api_server
from tests.support.chain.fund import WAD, TestFund
from tests.support.chain.recording import record_all
from tests.support.database_roles import context_of
from tests.support.scenarios.fund_activity import FundActivity, snapshot_now

from paimon.application.common.topics import FUND
from paimon.application.nav.publication import publish_nav
from paimon.application.reconciliation.reconcile import reconcile
from paimon.application.scheduler.jobs import jobs
from paimon.composition import AppContext
from paimon.gateway.fund_documents import FundDocuments
from paimon.gateway.rest.views.fund import OverviewView
from paimon.gateway.tasks.handlers import handlers
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.rights.roles import DatabaseRole
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
    await seed_users(database, fund)
    async with running_api_server(settings, fund, eventually) as opened:
        yield opened


async def test_each_snapshot_is_published_as_rest_returns_the_overview(
    app_context: AppContext, fund: TestFund, api_server: ApiServer
) -> None:
    """A snapshot without a change is published too: the scheduled one of each minute."""
    async with api_server.client(channels=["fund:overview"]) as client:
        for _ in range(2):
            taken = await snapshot_now(app_context, fund, keep=False)
            message = await receive_message(client)
            assert (message["type"], message["channel"]) == ("message", "fund:overview")
            assert message["data"] == (await api_server.api_client.get("/fund/overview")).json()["data"]
            assert message["data"]["block"]["number"] == taken.at.number
            OverviewView.model_validate(message["data"])


def test_snapshot_job_runs_every_minute() -> None:
    (job,) = [job for job in jobs(ScheduleSettings()) if job.task == "paimon.take_snapshot"]
    assert job.every_seconds == 60


async def test_event_publishes_the_overview_before_the_next_scheduled_snapshot(
    app_context: AppContext, fund: TestFund, api_server: ApiServer
) -> None:
    """The event is recorded, its message handled, the fund read and the overview published."""
    await snapshot_now(app_context, fund)
    await app_context.redis.client.delete("paimon:snapshot:pause")
    async with api_server.client(channels=BOTH) as client:
        FundActivity(fund).deposit("isla", 60_000)
        await record_all(app_context, fund)
        await handle_fund_messages(app_context)
        message = await receive_message(client)
        assert message["channel"] == "fund:overview"
        assert message["data"]["totalSupply"] == str(fund.read("Vault", "totalSupply"))


async def handle_fund_messages(app_context: AppContext) -> None:
    """Handle every message about the fund's events, as a worker does."""
    async with app_context.database.read() as session:
        message_ids = (await session.scalars(select(OutboxMessageRow.id).where(OutboxMessageRow.kind == FUND))).all()
    assert message_ids
    async with context_of(DatabaseRole.WORKER, app_context) as worker:
        for message_id in message_ids:
            await handle(worker.database, handlers(worker), message_id, attempts_max=1, backoff_seconds_max=1)


async def test_nav_is_published_when_it_differs_from_the_last_published_one(
    app_context: AppContext, fund: TestFund, api_server: ApiServer
) -> None:
    """The price changes and changes back. Snapshots that are not kept are shown too, so their NAV is compared."""
    activity = FundActivity(fund)
    first = await snapshot_now(app_context, fund)
    async with api_server.client(channels=["fund:nav"]) as client:
        share_prices: list[str] = []
        for price, is_published in ((RWAC + 10**6, True), (RWAC + 10**6, False), (RWAC, True)):  # far below a basis point
            activity.set_price("RWAC", price)
            await snapshot_now(app_context, fund, keep=False)
            if is_published:
                message = await receive_message(client)
                assert message["channel"] == "fund:nav"
                share_prices.append(message["data"]["sharePrice"])
        assert share_prices[1] == str(first.nav_per_share) != share_prices[0]


async def test_published_nav_point_is_sent_with_the_present_nav(
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
