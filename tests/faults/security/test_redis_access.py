"""A user of Redis for each process with the least rights, and TLS. The users are those of `deploy/redis/users.acl`."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError
from redis.exceptions import ConnectionError as RedisConnectionError
from tests.support.api_client import seed_users
from tests.support.api_server import receive_message, running_api_server
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.debian_programs import REDIS_7, with_own_libraries
from tests.support.redis import INTEGRITY_KEY, redis_settings
from tests.support.scenarios.fund_activity import snapshot_now
from tests.support.tls_proxy import CertificateFiles, make_certificate, tls_proxy

from paimon.application.monitoring.store import list_retention_runs
from paimon.composition import AppContext, open_app_context, open_redis
from paimon.gateway.fund_documents import FundDocuments
from paimon.gateway.tasks.app import create_celery
from paimon.infrastructure.cache import live
from paimon.infrastructure.cache.endpoints import store_endpoint_states
from paimon.infrastructure.database.sessions import Database
from paimon.settings import RedisSettings, Settings
from paimon_devkit.stack.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.fault

USERS = Path(__file__).parents[3] / "deploy" / "redis" / "users.acl"


class RedisWithUsers(EmbeddedRedis):
    """A server with the users of the example file, besides the demo's own."""

    def _write_configuration(self) -> None:
        super()._write_configuration()
        lines = [line for line in USERS.read_text().splitlines() if not line.startswith("user default")]
        with (self._home / "valkey.conf").open("a") as configuration:
            configuration.write("\n".join(lines) + "\n")

    def url_of(self, process: str, *, scheme: str = "redis", host: str = "127.0.0.1", port: int | None = None) -> str:
        return f"{scheme}://paimon-{process}:change-me-{process}@{host}:{port or self.port}/0"


@pytest.fixture(scope="module")
def redis_with_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisWithUsers]:
    with RedisWithUsers(tmp_path_factory.mktemp("redis-with-users"), append_only=False) as server:
        yield server


@pytest.fixture
async def empty_redis(redis_with_users: RedisWithUsers) -> RedisWithUsers:
    async with Redis.from_url(redis_with_users.url) as redis:
        await redis.flushall()
    return redis_with_users


def as_user(settings: Settings, redis: RedisWithUsers, process: str) -> Settings:
    return settings.model_copy(update={"redis": redis_settings(redis.url_of(process))})


async def test_password_of_a_user_is_replaced_while_it_works(empty_redis: RedisWithUsers) -> None:
    """An open connection goes on, both passwords work while processes restart, and the old one is refused after."""
    old_url = empty_redis.url_of("worker")
    new_url = old_url.replace("change-me-worker", "the-next-one")

    async def works(url: str) -> bool:
        async with Redis.from_url(url) as redis:
            try:
                return bool(await redis.ping())
            except AuthenticationError:
                return False

    async with Redis.from_url(empty_redis.url) as admin, Redis.from_url(old_url) as running:
        await running.ping()
        assert (await works(old_url), await works(new_url)) == (True, False)
        await admin.acl_setuser("paimon-worker", enabled=True, passwords=["+the-next-one"])
        try:
            assert (await works(old_url), await works(new_url)) == (True, True)
            await admin.acl_setuser("paimon-worker", enabled=True, passwords=["-change-me-worker"])
            assert (await works(old_url), await works(new_url)) == (False, True)
            assert await running.ping(), "an interrupted connection could not be opened again with the old password"
        finally:
            await admin.acl_setuser("paimon-worker", enabled=True, passwords=["+change-me-worker"])
            await admin.acl_setuser("paimon-worker", enabled=True, passwords=["-the-next-one"])


async def test_each_process_works_with_its_own_user(
    settings: Settings,
    fund: TestFund,
    database: Database,
    app_context: AppContext,
    empty_redis: RedisWithUsers,
    eventually: Callable[..., Any],
) -> None:
    """API, listener, operator, scheduler and worker do in Redis what they do in operation."""
    await seed_users(database, fund)
    await snapshot_now(app_context, fund)
    async with (
        open_app_context(as_user(settings, empty_redis, "listener"), process="test") as listener,
        open_app_context(as_user(settings, empty_redis, "operator"), process="test") as operator,
        running_api_server(as_user(settings, empty_redis, "api"), fund, eventually, publisher_url=empty_redis.url) as api,
        api.client(channels=["fund:overview", "fund:nav"]) as client,
    ):
        await store_endpoint_states(listener.redis, listener.rpc.endpoints())
        await live.publish(listener.redis, "fund:nav", {"sharePrice": "1"})
        assert (await receive_message(client))["channel"] == "fund:nav"
        await FundDocuments(operator.database, operator.redis).publish_nav()
        assert (await receive_message(client))["channel"] == "fund:overview"
        for path in ("/fund/overview", "/fund/nav/history?interval=day", "/health/ready"):
            assert (await api.api_client.get(path)).status_code == 200, path
        health = (await api.api_client.get("/system/health")).json()["data"]["components"]
        states = {component["name"]: component["status"] for component in health}
        assert (states["redis"], states["endpoints"], states["live_messages"]) == ("OK", "OK", "OK")

    async def retention_ran() -> bool:
        async with database.read() as session:
            return bool(await list_retention_runs(session))

    environment = environment_of(as_user(settings, empty_redis, "worker"))
    with CliRunner() as cli:
        worker = cli.start("worker", env=environment | {"PAIMON_QUEUE__WORKER_CONCURRENCY": "1"})
        scheduler = create_celery(as_user(settings, empty_redis, "scheduler"))
        await asyncio.to_thread(scheduler.send_task, "paimon.apply_retention", queue="normal")
        await eventually(retention_ran, seconds_max=60)
        scheduler.send_task("paimon.take_snapshot", queue="normal")
        worker.wait_for_output("fund.snapshot_taken")
        scheduler.send_task("paimon.assess_risk", queue="high")
        worker.wait_for_output("risk.assessed")
        worker.terminate()
        assert worker.wait() == 0
        assert "NoPermission" not in worker.output_text
        assert "health.component_unavailable" not in worker.output_text, "the worker judges the system's health, too"
        assert "unreachable" not in worker.output_text, "the worker may not publish the overview"


async def test_oldest_supported_server_starts_with_the_users(tmp_path: Path, eventually: Callable[..., Any]) -> None:
    """Redis refuses to start with a user who may use a command that it does not know."""
    socket = tmp_path / "redis.sock"
    server = await asyncio.create_subprocess_exec(
        *with_own_libraries(REDIS_7.require(), "redis-server"),
        *("--port", "0", "--unixsocket", str(socket), "--save", "", "--aclfile", str(USERS)),
        stdout=asyncio.subprocess.PIPE,
    )

    async def has_answered_or_ended() -> bool:
        return socket.exists() or server.returncode is not None

    try:
        await eventually(has_answered_or_ended)
        assert server.returncode is None, (await server.communicate())[0].decode()
        async with Redis(unix_socket_path=str(socket), username="paimon-api", password="change-me-api") as redis:
            assert await redis.ping()
            info = await redis.execute_command("HELLO")  # type: ignore[no-untyped-call]
        assert "7.0" in str(info)
    finally:
        with suppress(ProcessLookupError):
            server.kill()
        await server.wait()


@pytest.mark.parametrize(
    ("process", "command"),
    [
        ("api", ("LPUSH", "paimon:queue:normal", "x")),
        ("api", ("BRPOP", "paimon:queue:normal", "1")),
        ("api", ("PUBLISH", "paimon:live", "x")),
        ("listener", ("SET", "paimon:overview", "x")),
        ("listener", ("GET", "paimon:endpoints")),
        ("listener", ("LPUSH", "paimon:queue:normal", "x")),
        ("scheduler", ("BRPOP", "paimon:queue:normal", "1")),
        ("scheduler", ("GET", "paimon:overview")),
        ("scheduler", ("PUBLISH", "paimon:live", "x")),
        ("worker", ("SET", "paimon:endpoints", "x")),
        ("worker", ("SUBSCRIBE", "paimon:live:other")),
        *((process, ("FLUSHALL",)) for process in ("api", "listener", "worker", "scheduler", "operator")),
        *((process, ("CONFIG", "GET", "*")) for process in ("api", "listener", "worker", "scheduler", "operator")),
        *((process, ("KEYS", "*")) for process in ("api", "listener", "worker", "scheduler", "operator")),
        *((process, ("ACL", "LIST")) for process in ("api", "listener", "worker", "scheduler", "operator")),
    ],
)
async def test_user_may_do_nothing_else(empty_redis: RedisWithUsers, process: str, command: tuple[str, ...]) -> None:
    async with Redis.from_url(empty_redis.url_of(process)) as redis:
        with pytest.raises(NoPermissionError):
            await redis.execute_command(*command)  # type: ignore[no-untyped-call]


@pytest.fixture
def certificate(tmp_path: Path) -> CertificateFiles:
    return make_certificate(tmp_path / "tls", host="localhost")


async def test_cache_and_queue_work_over_tls_with_the_own_authority(
    settings: Settings, empty_redis: RedisWithUsers, certificate: CertificateFiles
) -> None:
    async with tls_proxy(certificate, to_port=empty_redis.port) as port:
        secured = RedisSettings(
            url=empty_redis.url_of("worker", scheme="rediss", host="localhost", port=port),
            integrity_key=INTEGRITY_KEY,
            tls_ca_file=certificate.authority,
        )
        options = settings.model_copy(update={"redis": secured})
        redis = open_redis(options)
        await redis.store("paimon:overview", b"over TLS", ttl_seconds=60)
        assert await redis.load("paimon:overview", age_seconds_max=60) == b"over TLS"
        app = create_celery(options)
        await asyncio.to_thread(app.send_task, "paimon.reconcile", queue="normal")
        await asyncio.to_thread(app.pool.force_close_all)
        assert await redis.client.llen("paimon:queue:normal") == 1
        await redis.aclose()


@pytest.mark.parametrize("wrong", ["another authority", "another host"])
async def test_server_with_a_wrong_certificate_is_refused(
    settings: Settings, empty_redis: RedisWithUsers, certificate: CertificateFiles, tmp_path: Path, wrong: str
) -> None:
    """Someone between a process and Redis has a certificate of another authority, or of another host."""
    other = make_certificate(tmp_path / "other", host="localhost" if wrong == "another authority" else "redis.example")
    authority = certificate.authority if wrong == "another authority" else other.authority
    async with tls_proxy(other, to_port=empty_redis.port) as port:
        secured = RedisSettings(
            url=empty_redis.url_of("worker", scheme="rediss", host="localhost", port=port),
            integrity_key=INTEGRITY_KEY,
            tls_ca_file=authority,
        )
        options = settings.model_copy(update={"redis": secured})
        redis = open_redis(options)
        with pytest.raises(RedisConnectionError, match="certificate"):
            await redis.client.ping()
        await redis.aclose()
        app = create_celery(options)
        with app.connection_for_write() as connection, pytest.raises((RedisConnectionError, OSError), match="certificate"):
            await asyncio.to_thread(connection.connect)
