"""`fund:overview` and `fund:nav` as a client hears them: a real server, Redis, database and chain, and real reactions."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import select
from tests.support.api_client import seed_back_office
from tests.support.api_server import Served, hear, serve
from tests.support.chain.fund import WAD, TestFund
from tests.support.chain.recording import record_all
from tests.support.scenarios.fund_activity import FundLife, snapshot_now

from paimon.application.common.topics import FUND
from paimon.application.nav.publication import publish_nav
from paimon.application.reconciliation.reconcile import reconcile
from paimon.application.scheduler.jobs import jobs
from paimon.composition import House
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
async def served(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> AsyncIterator[Served]:
    await seed_back_office(database, fund.people)
    async with serve(settings, fund, eventually) as opened:
        yield opened


async def test_each_snapshot_is_heard_as_the_overview_rest_gives_then(house: House, fund: TestFund, served: Served) -> None:
    """A snapshot of a fund in which nothing happened is told as well: that is the one each minute."""
    async with served.client(channels=["fund:overview"]) as client:
        for _ in range(2):
            taken = await snapshot_now(house, fund, keep=False)
            heard = await hear(client)
            assert (heard["type"], heard["channel"]) == ("message", "fund:overview")
            assert heard["data"] == (await served.desk.get("/fund/overview")).json()["data"]
            assert heard["data"]["block"]["number"] == taken.at.number
            OverviewView.model_validate(heard["data"])


def test_a_snapshot_is_due_each_minute() -> None:
    (job,) = [each for each in jobs(ScheduleSettings()) if each.task == "paimon.take_snapshot"]
    assert job.every_seconds == 60


async def test_an_event_is_heard_by_its_reaction(house: House, fund: TestFund, served: Served) -> None:
    """Recorded, reacted to, read, told: without waiting for the minute."""
    await snapshot_now(house, fund)
    await house.redis.delete("paimon:snapshot:pause")
    async with served.client(channels=BOTH) as client:
        FundLife(fund).deposit("isla", 60_000)
        await record_all(house, fund)
        await react(house)
        heard = await hear(client)
        assert heard["channel"] == "fund:overview"
        assert heard["data"]["totalSupply"] == str(fund.read("Vault", "totalSupply"))


async def react(house: House) -> None:
    """Every waiting reaction to the fund's events, as a worker does it."""
    async with house.database.read() as session:
        waiting = (await session.scalars(select(OutboxMessageRow.id).where(OutboxMessageRow.kind == FUND))).all()
    assert waiting
    for row in waiting:
        await handle(house.database, handlers(house), row, attempts_max=1, backoff_seconds_max=1)


async def test_nav_is_heard_whenever_it_is_another_than_was_shown(house: House, fund: TestFund, served: Served) -> None:
    """There and back: snapshots that are not kept are shown all the same, so their NAV is what is to be compared with."""
    life = FundLife(fund)
    first = await snapshot_now(house, fund)
    async with served.client(channels=["fund:nav"]) as client:
        heard: list[str] = []
        for price, is_told in ((RWAC + 10**6, True), (RWAC + 10**6, False), (RWAC, True)):  # far below a basis point
            life.set_price("RWAC", price)
            await snapshot_now(house, fund, keep=False)
            if is_told:
                message = await hear(client)
                assert message["channel"] == "fund:nav"
                heard.append(message["data"]["sharePrice"])
        assert heard[1] == str(first.nav_per_share) != heard[0]


async def test_nav_that_was_published_is_heard_with_the_figure_of_now(house: House, fund: TestFund, served: Served) -> None:
    taken = await snapshot_now(house, fund)
    async with served.client(channels=["fund:nav"]) as client:
        await reconcile(house.database, house.contracts)
        await publish_nav(house.database, house.redis)
        message = await hear(client)
        assert message["data"].keys() == {"sharePrice", "nav", "totalAssets", "aum", "official", "block", "lastUpdated"}
        assert message["data"]["official"]["status"] == "PUBLISHED"
        assert message["data"]["official"]["blockNumber"] == taken.at.number
        assert int(message["data"]["sharePrice"]) > WAD // 2
