"""What someone who can write to Redis can do: delete and delay, but make nothing that a process believes or ends over."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis
from tests.faults.security.conftest import refused_content
from tests.support.api_server import ApiServer, receive_message, send_message
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.redis import INTEGRITY_KEY
from tests.support.scenarios.fund_activity import snapshot_now

from paimon.application.monitoring import health
from paimon.application.monitoring.store import list_retention_runs
from paimon.composition import AppContext
from paimon.domain.operations.refusals import ContentUse
from paimon.gateway.tasks.app import create_celery
from paimon.gateway.tasks.broker import QUEUE_PREFIX, UNACKED, UNACKED_INDEX
from paimon.infrastructure.cache.authenticity import Authenticator
from paimon.infrastructure.cache.endpoints import load_endpoint_states
from paimon.infrastructure.cache.live import TOPIC
from paimon.settings import Settings

pytestmark = pytest.mark.fault

HUGE_NUMBER = b"9" * 5_000
UNREADABLE = (
    b"", b"[]", b"null", b"{", b"7", b"\xff\xfe\x00", b'{"channel":"fund:nav"}', b'{"channel":["fund:nav"],"data":7}',
    HUGE_NUMBER, b"[" * 10_000, b'{"sharePrice":"1"}', b'[{"name":"evil"}]',
)  # fmt: skip
GARBAGE = (*UNREADABLE, b'{"channel":"fund:nav","data":{"sharePrice":"1"}}')


def wrapped(content: bytes, place: str, use: ContentUse, *, seconds_ago: float = 0.0) -> bytes:
    return Authenticator(INTEGRITY_KEY, use, clock=lambda: time.time() - seconds_ago).wrap(content, place)


def forgeries(content: bytes, place: str, use: ContentUse) -> tuple[bytes, ...]:
    """Return content that was not written for this use and place, or not now, or was changed afterwards."""
    good = wrapped(content, place, use)
    other_use = next(other for other in ContentUse if other is not use)
    return (
        *GARBAGE,
        content,
        bytes(32) + good[32:],
        good[:-1] + bytes([good[-1] ^ 1]),
        good[:32] + bytes(8) + good[40:],
        good + b" ",
        wrapped(content, place, other_use),
        wrapped(content, place + "x", use),
        wrapped(content, place, use, seconds_ago=24 * 3_600),
    )


async def test_feed_skips_messages_that_no_process_of_ours_published(api_server: ApiServer) -> None:
    """A forged NAV reaches no client, garbage ends nothing, and the health report says that someone writes to Redis."""
    before = refused_content("live_message")
    forged = forgeries(orjson.dumps({"channel": "fund:nav", "data": {"sharePrice": "666"}}), TOPIC, ContentUse.LIVE_MESSAGE)
    unreadable = [wrapped(content, TOPIC, ContentUse.LIVE_MESSAGE) for content in UNREADABLE]
    unknown = wrapped(b'{"channel":"fund:unknown","data":{}}', TOPIC, ContentUse.LIVE_MESSAGE)
    async with api_server.client(channels=["fund:nav", "fund:overview"]) as client:
        for message in (*forged, *unreadable, unknown):
            await api_server.redis.publish(TOPIC, message)
        await api_server.publish("fund:nav", sharePrice="1")
        assert (await receive_message(client))["data"] == {"sharePrice": "1"}
        await send_message(client, type="ping")
        assert await receive_message(client) == {"type": "pong"}
    assert refused_content("live_message") - before == len(forged) + len(unreadable) + 1
    components = await health_components(api_server)
    assert components["live_messages"]["status"] == "OK"
    assert components["redis_content"]["status"] == "DEGRADED"
    assert "live_message" in components["redis_content"]["summary"]


async def health_components(api_server: ApiServer) -> dict[str, Any]:
    answer = await api_server.api_client.get("/system/health")
    assert answer.status_code == 200
    return {component["name"]: component for component in answer.json()["data"]["components"]}


async def test_feed_begins_again_after_a_defect_of_ours(
    api_server: ApiServer, eventually: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a defect")

    with monkeypatch.context() as defect:
        defect.setattr(api_server.hub, "publish", broken)
        await api_server.publish("fund:nav", sharePrice="1")

        async def end_shows() -> bool:
            return (await health_components(api_server))["live_messages"]["status"] in ("DEGRADED", "DOWN")

        await eventually(end_shows)
    async with api_server.client(channels=["fund:nav"]) as client:

        async def message_arrives() -> bool:
            await api_server.publish("fund:nav", sharePrice="2")
            return (await receive_message(client)).get("data") == {"sharePrice": "2"}

        await eventually(message_arrives)


async def test_overview_and_history_of_others_are_not_served(
    api_server: ApiServer, app_context: AppContext, fund: TestFund
) -> None:
    await snapshot_now(app_context, fund)
    today = datetime.now(UTC).date().isoformat()
    paths = ("/fund/overview", f"/fund/nav/history?interval=day&from={today}")
    right = {path: (await api_server.api_client.get(path)).json()["data"] for path in paths}
    keys = [key.decode() async for key in api_server.redis.scan_iter("paimon:*")]
    cached = [key for key in keys if key.startswith(("paimon:overview", "paimon:nav"))]
    assert len(cached) == 2, keys
    cached.append("paimon:nav:generation")
    before = refused_content("cache")
    fake = b'{"sharePrice":"1","nav":"1.00"}'
    for number, content in enumerate(forgeries(fake, "paimon:overview", ContentUse.CACHE)):
        for key in cached:
            await api_server.redis.set(key, content)
        for path in paths:
            answer = await api_server.api_client.get(path)
            assert (answer.status_code, answer.json()["data"]) == (200, right[path]), (number, path)
    for key in cached:
        await api_server.redis.delete(key)
        await api_server.redis.rpush(key, "of another type")
    for path in paths:
        assert (await api_server.api_client.get(path)).json()["data"] == right[path]
    assert refused_content("cache") > before


async def test_health_report_answers_over_garbage_in_redis(api_server: ApiServer) -> None:
    key, before = "paimon:endpoints", refused_content("cache")
    redis = api_server.app.state.context.redis
    contents = (*GARBAGE, *(wrapped(content, key, ContentUse.CACHE) for content in GARBAGE if content != b"[]"))
    for content in contents:
        await api_server.redis.set(key, content)
        assert await load_endpoint_states(redis) == []
    await api_server.redis.delete(key)
    await api_server.redis.hset(key, "of another", "type")
    assert await load_endpoint_states(redis) == []
    assert refused_content("cache") - before == len(contents) + 1
    components = await health_components(api_server)
    assert components["redis"]["status"] == "OK"
    assert components["endpoints"]["status"] == "DEGRADED"
    assert components["redis_content"]["status"] == "DEGRADED"


async def test_health_report_names_a_component_with_an_unexpected_answer(
    api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unexpected(*_: object) -> None:
        raise ValueError("a defect, or an answer of no known shape")

    monkeypatch.setattr(health, "read_chain_heads", unexpected)
    components = await health_components(api_server)
    assert components["node"]["status"] == "DOWN"
    assert "cannot be read" in components["node"]["summary"]
    assert components["database"]["status"] == "OK"


def celery_item(task: str) -> bytes:
    """Return an item as any Celery client of the same broker would write it."""
    body = orjson.dumps([[], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    headers = {"lang": "py", "task": task, "id": "forged", "root_id": "forged", "parent_id": None, "group": None, "retries": 0}
    properties = {
        "correlation_id": "forged", "delivery_tag": "forged", "delivery_mode": 2, "priority": 0,
        "delivery_info": {"exchange": "", "routing_key": "normal"},
    }  # fmt: skip
    item = {"body": body.decode(), "content-encoding": "utf-8", "content-type": "application/json"}
    return orjson.dumps(item | {"headers": headers, "properties": properties})


async def test_worker_drops_items_of_others_and_goes_on(
    settings: Settings, app_context: AppContext, redis_url: str, eventually: Callable[..., Any]
) -> None:
    """Garbage in a queue, a task that anyone named, keys of another type and a broadcast `shutdown` neither run nor end it."""
    retention = "paimon.apply_retention"
    queue = QUEUE_PREFIX + "normal"
    own = wrapped(celery_item(retention), queue + "x", ContentUse.QUEUE)
    environment = environment_of(settings) | {"PAIMON_QUEUE__WORKER_CONCURRENCY": "1"}

    async def is_taken() -> bool:
        return not await redis.exists(queue)

    async def retention_ran() -> bool:
        async with app_context.database.read() as session:
            return bool(await list_retention_runs(session))

    with CliRunner() as cli:
        async with Redis.from_url(redis_url) as redis:
            await redis.set(QUEUE_PREFIX + "critical", "a key of another type, before the worker starts")
            worker = cli.start("worker", env=environment)
            await eventually(lambda: _answers(redis, QUEUE_PREFIX + "critical"), seconds_max=60)
            await redis.publish("/0.celery.pidbox", orjson.dumps({"body": '{"method":"shutdown"}', "headers": {}}))
            await redis.set(UNACKED, "of another type")
            await redis.zadd(UNACKED_INDEX, {"garbage": 1.0})
            await redis.sadd("_kombu.binding.normal", "garbage")
            await redis.lpush(queue, *GARBAGE, celery_item(retention), own)
            await eventually(is_taken)
            await redis.set(queue, "of another type")
            await eventually(is_taken)
            assert not await retention_ran()
            create_celery(settings).send_task(retention, queue="normal")
            await eventually(retention_ran, seconds_max=60)
            worker.terminate()
            assert worker.wait() == 0
            assert "redis.content_refused" in worker.output_text
            assert "Traceback" not in worker.output_text


async def _answers(redis: Redis, key: str) -> bool:
    return not await redis.exists(key)
