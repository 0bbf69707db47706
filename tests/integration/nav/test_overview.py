"""The fund's overview: our figures at one block beside the contract's, served from the cache or without it."""

import asyncio
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy import func, select
from tests.support.api_client import ApiClient
from tests.support.chain.fund import TestFund
from tests.support.chain.recording import record_all
from tests.support.prices import ANY_PRICE
from tests.support.redis import authenticated

from paimon.application.common.formatting import display
from paimon.application.nav.snapshots import take_snapshot
from paimon.composition import AppContext
from paimon.domain.kernel.chain import BlockStamp
from paimon.gateway.fund_documents import OVERVIEW, FundDocuments
from paimon.infrastructure.cache import live
from paimon.infrastructure.cache.authenticated_redis import AuthenticatedRedis
from paimon.infrastructure.database.models.derived import ObservationRow

pytestmark = pytest.mark.integration


@pytest.fixture
def no_redis() -> AuthenticatedRedis:
    """A client of a Redis that does not answer."""
    return authenticated(Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0)))


async def take_scheduled(app_context: AppContext, redis: AuthenticatedRedis | None = None) -> BlockStamp | None:
    nav = app_context.settings.nav
    documents = FundDocuments(app_context.database, redis or app_context.redis)
    taken = await take_snapshot(
        app_context.database, app_context.contracts, documents, material_threshold=nav.material_threshold_bps, prices=ANY_PRICE
    )
    return taken.snapshot.at if taken else None


async def overview_now(app_context: AppContext, fund: TestFund) -> dict[str, Any]:
    """Record what is final, take a snapshot, and return the overview."""
    await record_all(app_context, fund)
    assert await take_scheduled(app_context) is not None
    encoded = await FundDocuments(app_context.database, app_context.redis).read_overview()
    assert encoded is not None
    overview: dict[str, Any] = orjson.loads(encoded)
    return overview


async def test_overview_equals_the_contracts_when_nothing_is_cached(app_context: AppContext, fund: TestFund) -> None:
    fund.request("ines", 10_000)
    fund.mine(1)
    overview = await overview_now(app_context, fund)
    vault = fund.read("Vault", "getVaultState")
    assert overview["totalAssets"] == str(vault["totalAssets"])
    assert overview["sharePrice"] == str(vault["sharePrice"])
    assert overview["totalSupply"] == str(vault["totalSupply"])
    assert overview["layer1Liquidity"] == str(vault["layer1Liquidity"])
    assert overview["layer2Liquidity"] == str(vault["layer2Liquidity"])
    assert overview["layer3Value"] == str(vault["layer3Value"])
    assert overview["totalRedemptionLiability"] == str(vault["totalRedemptionLiability"]) != "0"
    assert overview["totalLockedShares"] == str(vault["totalLockedShares"]) != "0"
    assert overview["emergencyMode"] is vault["emergencyMode"]
    assert overview["contract"] == {
        "totalAssets": overview["totalAssets"],
        "sharePrice": overview["sharePrice"],
        "staleCache": False,
    }
    assert overview["aum"] == display(int(str(overview["totalAssets"])), 18)


async def test_overview_shows_the_cached_contract_value_beside_the_fresh_one(app_context: AppContext, fund: TestFund) -> None:
    """Deployed behaviour 3: the contract keeps its figure for five minutes after `refreshCache`, although prices change."""
    before = await overview_now(app_context, fund)
    fund.send("ines", "AssetController", "refreshCache")
    rwac = next(asset for asset in fund.deployment.assets if asset.symbol == "RWAC")
    fund.send("ada", "OracleAdapter", "setPrice", rwac.address, 2_500_000_000_000_000_000)
    after = await overview_now(app_context, fund)
    assert after["contract"] == {**before["contract"], "staleCache": True}
    doubled = int(str(before["layer3Value"])) * 1_450 // 5_800
    assert int(str(after["totalAssets"])) - int(str(before["totalAssets"])) == pytest.approx(doubled, rel=1e-3)
    assert int(str(after["sharePrice"])) > int(str(before["sharePrice"]))


async def test_snapshot_is_dated_by_its_recorded_block(app_context: AppContext, fund: TestFund) -> None:
    await record_all(app_context, fund)
    at = await take_scheduled(app_context)
    fund.send("ada", "Vault", "setEmergencyMode", True)
    again = await take_scheduled(app_context)
    assert at == again
    encoded = await FundDocuments(app_context.database, app_context.redis).read_overview()
    assert encoded is not None
    overview = orjson.loads(encoded)
    assert (overview["block"]["number"], overview["emergencyMode"]) == (at.number if at else None, False)
    async with app_context.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(ObservationRow)) == 1


async def test_overview_is_absent_when_nothing_is_recorded(app_context: AppContext) -> None:
    assert await take_scheduled(app_context) is None
    assert await FundDocuments(app_context.database, app_context.redis).read_overview() is None


async def test_overview_is_served_from_the_cache_else_from_the_database(app_context: AppContext, fund: TestFund) -> None:
    overview = await overview_now(app_context, fund)
    await app_context.redis.store("paimon:overview", b"as cached", ttl_seconds=60)
    assert await FundDocuments(app_context.database, app_context.redis).read_overview() == b"as cached"
    await app_context.redis.client.flushall()
    encoded = await FundDocuments(app_context.database, app_context.redis).read_overview()
    assert encoded is not None
    assert orjson.loads(encoded) == overview
    assert await app_context.redis.load("paimon:overview", age_seconds_max=60) == encoded
    assert 0 < await app_context.redis.client.ttl("paimon:overview") <= 60


async def test_snapshots_and_overview_work_without_redis(
    app_context: AppContext, fund: TestFund, no_redis: AuthenticatedRedis
) -> None:
    await record_all(app_context, fund)
    at = await take_scheduled(app_context, no_redis)
    assert at is not None
    encoded = await FundDocuments(app_context.database, no_redis).read_overview()
    assert encoded is not None
    assert orjson.loads(encoded)["block"]["number"] == at.number


async def test_snapshot_is_published_live(app_context: AppContext, fund: TestFund) -> None:
    await record_all(app_context, fund)
    subscribed = asyncio.Event()

    async def first_message() -> tuple[str, dict[str, object]]:
        async for message in live.messages(app_context.redis, on_subscribed=subscribed.set):
            return message
        raise AssertionError("the subscription ended")

    listening = asyncio.create_task(first_message())
    await subscribed.wait()
    await take_scheduled(app_context)
    channel, data = await listening
    encoded = await FundDocuments(app_context.database, app_context.redis).read_overview()
    assert encoded is not None
    assert (channel, data) == (OVERVIEW, orjson.loads(encoded))


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [
        (0, 18, "0.000000000000000000"),
        (1, 6, "0.000001"),
        (1_234_567, 6, "1.234567"),
        (10**40 + 1, 18, f"{10**22}.{'0' * 17}1"),
        (5, 0, "5"),
    ],
)
def test_display_shows_an_amount_exactly(amount: int, decimals: int, text: str) -> None:
    assert display(amount, decimals) == text


async def test_overview_as_of_a_block_is_the_last_kept_snapshot(
    api_client: ApiClient, app_context: AppContext, fund: TestFund
) -> None:
    first = await overview_now(app_context, fund)
    fund.request("ines", 10_000)
    second = await overview_now(app_context, fund)
    numbers = first["block"]["number"], second["block"]["number"]
    assert (await api_client.get("/fund/overview", block=numbers[1] - 1)).json()["data"] == first
    assert (await api_client.get("/fund/overview", block=numbers[1])).json()["data"] == second
    assert (await api_client.get("/fund/overview", block=numbers[0] - 1)).status_code == 404
    assert (await api_client.get("/fund/overview", block=-1)).status_code == 400
