"""Limits of requests that all replicas count together in Redis, and what becomes of requests while Redis does not count."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import product
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from tests.support.api_client import ApiClient, api_client_for, running_app, seed_users
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.redis import INTEGRITY_KEY, redis_settings

from paimon.domain.operations.rate_limit import RateLimit
from paimon.infrastructure.cache.shared_limits import PORTIONS, SharedLimits, SharedLimitsUnavailable
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings
from paimon_devkit.stack.embedded_redis import EmbeddedRedis
from paimon_devkit.stack.ports import free_port

pytestmark = pytest.mark.fault

CHALLENGE = {"address": "0x" + "11" * 20}


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A server that the test may stop."""
    with EmbeddedRedis(tmp_path / "own-redis", append_only=False) as server:
        yield server


@asynccontextmanager
async def open_limits(url: str) -> AsyncIterator[SharedLimits]:
    limits = SharedLimits(Redis.from_url(url), INTEGRITY_KEY)
    try:
        yield limits
    finally:
        await limits.aclose()


async def served(limits: SharedLimits, limit: RateLimit, key: str, requests: int) -> int:
    """Send requests at once; return how many were allowed."""
    waits = await asyncio.gather(*(limits.wait_seconds("test", limit, key) for _ in range(requests)))
    return waits.count(0)


@pytest.mark.parametrize("burst", [7, PORTIONS * 4])
async def test_replicas_share_one_count_and_give_each_key_its_own(redis_url: str, burst: int) -> None:
    """Both of a limit that is counted one by one, and of one that is drawn in portions."""
    limit = RateLimit(burst / 3600, burst)
    async with open_limits(redis_url) as one, open_limits(redis_url) as other:
        together = await asyncio.gather(served(one, limit, "caller", burst), served(other, limit, "caller", burst))
        left_over = 2 * (burst // PORTIONS)  # a part of a portion in the hand of each
        assert burst - left_over <= sum(together) <= burst
        assert await one.wait_seconds("test", limit, "caller") > 60
        assert await other.wait_seconds("test", limit, "another caller") == 0


async def test_redis_learns_neither_addresses_nor_persons(redis_url: str) -> None:
    async with open_limits(redis_url) as limits, Redis.from_url(redis_url, decode_responses=True) as redis:
        await limits.wait_seconds("address", RateLimit(1, 5), "192.0.2.7")
        keys = [str(key) for key in await redis.keys("*")]
        assert len(keys) == 1
        assert keys[0].startswith("paimon:limit:")
        assert "192.0.2.7" not in keys[0]
        assert 0 < await redis.ttl(keys[0]) <= 10, "it forgets a caller who has gone"


HUGE_COUNTS: Final = ("999999999", str(2**63 - 1), str(2**70), "1e300", "inf")
OTHER_COUNTS: Final = ("-999999999", "nan", "", "garbage", "\xff\x00")


@pytest.mark.parametrize("kind", ["text", "list"])
async def test_foreign_count_refuses_its_caller_for_a_window_at_most_and_no_one_else(redis_url: str, kind: str) -> None:
    """Counts carry no code of ours. What is no count is counted anew."""
    window_seconds = 60
    limit = RateLimit(5 / window_seconds, 5)
    async with open_limits(redis_url) as first, Redis.from_url(redis_url, decode_responses=True) as redis:
        await first.wait_seconds("test", limit, "caller")
        (name,) = [str(key) for key in await redis.keys("*")]
        for count, place in product((*HUGE_COUNTS, *OTHER_COUNTS), (name, f"{name}/-1")):
            await redis.delete(name, f"{name}/-1")
            await (redis.set(place, count) if kind == "text" else redis.rpush(place, count))  # it never expires
            async with open_limits(redis_url) as replica:
                waits = [await replica.wait_seconds("test", limit, "caller") for _ in range(8)]
                assert all(0 <= wait <= window_seconds for wait in waits), (count, place, waits)
                if kind == "list" or count not in HUGE_COUNTS:
                    assert waits[:5] == [0] * 5, (count, place, waits)
                assert await replica.wait_seconds("test", limit, f"another caller beside {count} at {place}") == 0


async def test_limits_hold_again_once_redis_is_back(own_redis: EmbeddedRedis) -> None:
    now = 1_000.0
    limits = SharedLimits(Redis.from_url(own_redis.url), INTEGRITY_KEY, clock=lambda: now)
    own_redis.stop()
    with pytest.raises(SharedLimitsUnavailable, match="ConnectionError"):
        await limits.wait_seconds("test", RateLimit(0.01, 2), "caller")
    own_redis.start()
    with pytest.raises(SharedLimitsUnavailable):  # not asked again at once: requests do not wait for it
        await limits.wait_seconds("test", RateLimit(0.01, 2), "caller")
    now += 1.5
    waits = [await limits.wait_seconds("test", RateLimit(0.01, 2), "caller") for _ in range(3)]
    assert waits[:2] == [0, 0]
    assert waits[2] > 0
    await limits.aclose()


async def test_two_processes_count_sign_ins_together(
    settings: Settings, own_redis: EmbeddedRedis, eventually: Callable[..., Any]
) -> None:
    own = settings.model_copy(update={"redis": redis_settings(own_redis.url)})
    ports = [free_port(), free_port()]
    limits = {"PAIMON_API__SIGN_INS_PER_MINUTE_PER_ADDRESS": "1", "PAIMON_API__SIGN_INS_BURST_PER_ADDRESS": "6"}
    with CliRunner() as cli:
        for port in ports:
            cli.start("api", env=environment_of(own) | limits | {"PAIMON_API__PORT": str(port)})
        async with httpx.AsyncClient(timeout=20) as client:

            async def both_serve() -> bool:
                with suppress(httpx.TransportError):
                    return all([(await client.get(f"http://127.0.0.1:{port}/health/live")).is_success for port in ports])
                return False

            await eventually(both_serve, seconds_max=60)
            answers = [
                await client.post(f"http://127.0.0.1:{port}/api/v1/auth/challenge", json=CHALLENGE)
                for _ in range(5)
                for port in ports
            ]
    assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 4
    for refused in answers[6:]:
        assert refused.json()["error"]["code"] == "RATE_LIMITED"
        assert 1 <= int(refused.headers["Retry-After"]) <= 360


def uncounted(limit: str, effect: str) -> float:
    return REGISTRY.get_sample_value("paimon_requests_not_counted_total", {"limit": limit, "effect": effect}) or 0.0


@pytest.fixture
def client_with(settings: Settings, fund: TestFund, database: Database, own_redis: EmbeddedRedis) -> Callable[..., Any]:
    """Return a context manager of a client of an application whose Redis has just gone."""

    @asynccontextmanager
    async def running(**options: Any) -> AsyncIterator[ApiClient]:
        await seed_users(database, fund)
        api = settings.api.model_validate(settings.api.model_dump() | options)
        own = settings.model_copy(update={"redis": redis_settings(own_redis.url), "api": api})
        async with running_app(own) as app, api_client_for(app, own, fund.accounts) as client:
            own_redis.stop()
            yield client

    return running


async def test_each_replica_counts_for_itself_while_redis_is_away(client_with: Callable[..., Any]) -> None:
    before = uncounted("sign_in", "serve")
    async with client_with(sign_ins_per_minute_per_address=1, sign_ins_burst_per_address=3) as client:
        answers = [(await client.post("/auth/challenge", CHALLENGE)).status_code for _ in range(5)]
        assert answers == [200] * 3 + [429] * 2
        assert uncounted("sign_in", "serve") == before + 3
        component = await limits_component(client)
    assert component["status"] == "DEGRADED"
    assert component["summary"] == (
        "Redis did not count: address counted by each replica for itself; sign_in counted by each replica for itself"
    )


@pytest.mark.parametrize(
    ("option", "limit", "refused"),
    [
        ("address_limit_without_redis", "address", {"/redemptions", "/auth/challenge"}),
        ("person_limit_without_redis", "person", {"/redemptions"}),
        ("sign_in_limit_without_redis", "sign_in", {"/auth/challenge"}),
    ],
)
async def test_requests_of_a_closed_group_are_refused_while_redis_is_away(
    client_with: Callable[..., Any], option: str, limit: str, refused: set[str]
) -> None:
    """Probes and the health report answer all the same: they are what one asks then."""
    async with client_with(**{option: "refuse"}) as client:
        answers = {
            "/redemptions": await client.get("/redemptions"),
            "/auth/challenge": await client.post("/auth/challenge", CHALLENGE),
            "/health/live": await client.get("/health/live", by=None),
        }
        closed = {path for path, answer in answers.items() if answer.status_code == 503}
        component = await limits_component(client)
    assert closed == refused
    for path in refused:
        assert answers[path].json()["error"]["code"] == "SERVICE_UNAVAILABLE"
        assert "cannot be counted while Redis does not answer" in answers[path].json()["error"]["message"]
        assert answers[path].headers["Retry-After"] == "5"
    assert f"{limit} refused" in component["summary"]
    assert all(entry["secondsAgo"] >= 0 for entry in component["details"].values())


async def limits_component(client: ApiClient) -> dict[str, Any]:
    report = await client.get("/system/health")
    assert report.status_code == 200
    (found,) = [part for part in report.json()["data"]["components"] if part["name"] == "request_limits"]
    return dict(found)
