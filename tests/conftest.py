"""Shared fixtures: one PostgreSQL, one Redis-protocol server and one chain per session, fresh state per test."""

import asyncio
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr
from redis.asyncio import Redis
from tests.support.api_client import AUTH, ApiClient, api_client_for, grant_roles, running_app, seed_sessions
from tests.support.chain.fund import FundFactory, TestFund
from tests.support.database_roles import let_app_role_write_everything, let_tests_change_evidence
from tests.support.prices import ANY_PRICE_SETTINGS
from tests.support.redis import INTEGRITY_KEY

from paimon.composition import AppContext, open_app_context
from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon.settings import Settings
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres
from paimon_devkit.stack.embedded_redis import EmbeddedRedis

pytest_plugins = ["tests.support.sending_fixtures"]

TEMPLATE = "paimon_template"
_numbers = itertools.count(1)
_FIGURES = "figures"
_MEMORY_BYTES_MIN = 6 * 1024**3

# How long an example takes decides no test: several test processes share a machine with other programs. The
# profile `ci`, which .ci/run names, is hypothesis' own: the same, and the same examples every time.
hypothesis_settings.register_profile("paimon", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("paimon")


def pytest_configure(config: pytest.Config) -> None:
    _reset_inherited_signals(config)
    _log_plain_tracebacks()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each test process begin with its share of the long tests, longest first: one that begins late keeps all waiting.

    xdist hands each process an equal part of the list, in its order, and moves tests from the ends of the parts later.
    """
    parts = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    seconds = {item: marker.args[0] for item in items if (marker := item.get_closest_marker("long")) is not None}
    long: list[list[pytest.Item]] = [[] for _ in range(parts)]
    for item in sorted(seconds, key=lambda item: -seconds[item]):
        min(long, key=lambda part: sum(seconds[each] for each in part)).append(item)
    others = [item for item in items if item not in seconds]
    ends = [len(items) * part // parts for part in range(parts + 1)]
    items.clear()
    for part, (start, end) in enumerate(itertools.pairwise(ends)):
        others_here = max(0, end - start - len(long[part]))
        items += long[part] + others[:others_here]
        del others[:others_here]
    items += others


def _log_plain_tracebacks() -> None:
    """Log tracebacks as Python prints them.

    By default structlog renders every variable of every frame. With an AppContext among them one exception takes 26 s.
    """
    *processors, _ = structlog.get_config()["processors"]
    console = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*processors, console])


def _reset_inherited_signals(config: pytest.Config) -> None:
    """Let every process that a test starts begin with the usual signal handling.

    A shell's background job ignores SIGINT, and `nohup` ignores SIGHUP. A started program inherits an ignored signal, but not a
    handler. So a handler that does nothing restores the signal's usual effect in the started program, and the tests themselves
    go on as before. Test workers get one for SIGHUP too: they end when the process that started them ends.
    """
    is_worker = hasattr(config, "workerinput")
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN or (is_worker and number == signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: None)


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Print a line below the results: what a test went through, and its seed. It works from every test worker."""
    return partial(record_property, _FIGURES)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the lines of `figures`."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    called = [report for report in reports if report.when == "call"]
    lines = [str(line) for report in called for name, line in report.user_properties if name == _FIGURES]
    if lines:
        terminalreporter.section("figures of the random tests")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def data_folder() -> Iterator[Path]:
    """Return a folder that PostgreSQL's unprivileged user can reach. Root's pytest folder is closed to that user.

    It is in memory where there is room: a test's database is 800 files, whose copies on a disk took a quarter of all CPU time.
    """
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and shutil.disk_usage(memory).free >= _MEMORY_BYTES_MIN
    place = memory if has_room else Path("/var/tmp")
    with tempfile.TemporaryDirectory(prefix="paimon-test-", dir=place, ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres(data_folder: Path) -> Iterator[EmbeddedPostgres]:
    """Start a server with a migrated template database."""
    with EmbeddedPostgres(data_folder, durable=False, with_app_role=True) as server:
        server.create_database(TEMPLATE)
        migrate.upgrade(server.url("paimon_owner", TEMPLATE))
        let_app_role_write_everything(server.url("paimon_owner", TEMPLATE))
        let_tests_change_evidence(server)
        yield server


@pytest.fixture(scope="session")
def redis_server(data_folder: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(data_folder, append_only=False) as server:
        yield server


@pytest.fixture
async def redis_url(redis_server: EmbeddedRedis) -> str:
    """Return the URL of an empty Redis."""
    async with Redis.from_url(redis_server.url) as client:
        await client.flushall()
    return redis_server.url


@pytest.fixture(scope="session")
def template_with_users(postgres: EmbeddedPostgres, fund_factory: FundFactory) -> str:
    """Return a template database in which the demo's people are users: five grants of each test's own would cost a second."""
    name = f"{TEMPLATE}_with_users"
    _copy_database(postgres, name, TEMPLATE)
    fund = fund_factory.fund()

    async def grant() -> None:
        async with open_database(postgres.url("paimon_app", name)) as database:
            await grant_roles(database, fund)

    with ThreadPoolExecutor(1) as thread:  # the tests have an event loop of their own here
        thread.submit(asyncio.run, grant()).result()
    return name


@pytest.fixture
def database_name(postgres: EmbeddedPostgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """Create a fresh migrated database, with users for a test that calls the API, and drop it afterwards."""
    name = f"paimon_test_{next(_numbers)}"
    _copy_database(
        postgres, name, request.getfixturevalue("template_with_users") if "api_client" in request.fixturenames else TEMPLATE
    )
    yield name
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _copy_database(postgres: EmbeddedPostgres, name: str, template: str) -> None:
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy OWNER paimon_owner")


@pytest.fixture
def app_url(postgres: EmbeddedPostgres, database_name: str) -> str:
    """Return the SQLAlchemy URL of the fresh database as the application's role."""
    return postgres.url("paimon_app", database_name)


@pytest.fixture
def owner_url(postgres: EmbeddedPostgres, database_name: str) -> str:
    return postgres.url("paimon_owner", database_name)


@pytest.fixture
async def database(app_url: str) -> AsyncIterator[Database]:
    async with open_database(app_url) as opened:
        yield opened


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    opened = Database(create_engine(url, pool_size=10, connect_timeout_seconds=5, application_name="tests"))
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def fund_factory(data_folder: Path) -> Iterator[FundFactory]:
    factory = FundFactory(data_folder)
    yield factory
    factory.stop()


@pytest.fixture
def fund(fund_factory: FundFactory) -> Iterator[TestFund]:
    """Return the fund as it was right after its deployment. What the test does to the chain is undone afterwards."""
    deployed = fund_factory.fund()
    deployed.ensure_final_state()
    snapshot = deployed.snapshot()
    yield deployed
    deployed.revert(snapshot)


@pytest.fixture
def settings(fund: TestFund, app_url: str, redis_url: str, tmp_path: Path) -> Settings:
    """Return settings on this test's own services. Build others with `settings.model_copy(update=…)`."""
    return make_settings(fund, app_url=app_url, redis_url=redis_url, folder=tmp_path)


def make_settings(fund: TestFund, *, app_url: str, redis_url: str, folder: Path, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "database": {"url": app_url, "retention_url": app_url},
        "redis": {"url": redis_url, "integrity_key": INTEGRITY_KEY},
        "chain": {"chain_id": 31337, "rpc_url": fund.node.http_url, "ws_url": fund.node.ws_url, "poll_seconds": 0.2},
        "fund": {
            "vault": fund.deployment.vault,
            "redemption_manager": fund.deployment.redemption_manager,
            "asset_controller": fund.deployment.asset_controller,
            "start_block": fund.start_block,
        },
        "sending": {"keeper": fund.accounts.address("keeper"), "approver": fund.accounts.address("approver")},
        "prices": ANY_PRICE_SETTINGS,
        "signer": {"socket": folder / "signer.sock"},
        "storage": {"url": f"file://{folder}/objects"},
        "reports": {"storage_url": f"file://{folder}/reports"},
        "auth": AUTH,
    }
    return Settings(**(values | changes))


@pytest.fixture
async def app_context(settings: Settings) -> AsyncIterator[AppContext]:
    async with open_app_context(settings, process="test") as opened:
        yield opened


@pytest.fixture
async def api_client(
    settings: Settings, database: Database, fund: TestFund, postgres: EmbeddedPostgres, database_name: str
) -> AsyncIterator[ApiClient]:
    """Serve the API, as its own database role, with its users: ada, vera, viktor, otto and willa may sign in."""
    await seed_sessions(database, fund.accounts)
    as_api = settings.database.model_copy(update={"url": SecretStr(postgres.url("paimon_api", database_name))})
    api_settings = settings.model_copy(update={"database": as_api})
    async with running_app(api_settings) as app, api_client_for(app, settings, fund.accounts) as opened:
        yield opened


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Return a function that waits until an async question has a true answer, and returns the answer."""

    async def wait(condition: Callable[[], Any], *, seconds_max: float = 15.0) -> Any:
        async with asyncio.timeout(seconds_max):
            while not (answer := await condition()):  # noqa: ASYNC110 — the question goes to another process
                await asyncio.sleep(0.05)
        return answer

    return wait
