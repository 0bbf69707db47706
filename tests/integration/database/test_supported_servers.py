"""The oldest supported PostgreSQL runs the migrations and a replay; an older one is refused by every command that connects."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest
from pydantic import SecretStr
from tests.support.chain.fund import TestFund
from tests.support.chain.recording import record_all
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.debian_programs import POSTGRES_15, postgres_server
from tests.support.editions import EditionServers

from paimon.application.reconciliation.reconcile import reconcile
from paimon.application.replay.replay import check_replay, replay
from paimon.composition import open_app_context
from paimon.gateway.cli.command_table import all_commands
from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.sessions import create_engine
from paimon.infrastructure.database.version import SUPPORTED_MAJORS
from paimon.settings import Settings
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres
from paimon_devkit.stack.ports import free_port

pytestmark = pytest.mark.integration

NOT_CONNECTING: Final = {"signer", "clear-signing", "demo", "smoke", "market"}
"""The signer never reads the database, descriptors come from settings and chain, and the tools run commands of the others."""

CONNECTING: Final = (
    "api",
    "listener",
    "worker",
    "scheduler",
    "planner",
    "auditor",
    "config check --connect",
    "db upgrade",
    "db check",
    "db grant-roles",
    "users init 0x00000000000000000000000000000000000000A1",
    "users list",
    "users rewrap",
    "signers",
    "stand-ins list",
    "emergency list",
    "assets list",
    "api-keys list 0x00000000000000000000000000000000000000A1",
    "sessions list 0x00000000000000000000000000000000000000A1",
    "status",
    "contracts",
    "redemptions",
    "approvals",
    "policy show",
    "holders",
    "transactions",
    "risk-events",
    "risk status",
    "report list",
    "rebalance preview",
    "rebalance history",
    "rebalance replay 00000000-0000-4000-8000-000000000000",
    "prices list",
    "notify list",
    "stress",
    "forecast",
    "tx",
    "outbox",
    "quarantine",
    "reconcile",
    "replay --check",
    "audit list",
    "audit-chain 5 9 --endpoint http://127.0.0.1:9",
    "recover --endpoint http://127.0.0.1:9",
    "snapshot",
    "nav explain --from 2026-01-01",
)


async def test_oldest_supported_server_runs_migrations_recording_and_replay(
    editions: EditionServers, settings: Settings, fund: TestFund
) -> None:
    with editions.oldest_store() as store:
        store.upgrade()
        with psycopg.connect(store.owner_url.replace("+psycopg", "")) as connection:
            assert connection.info.server_version // 10_000 == SUPPORTED_MAJORS[0]
        assert migrate.drift(store.owner_url) == []

        own = settings.model_copy(update={"database": settings.database.model_copy(update={"url": SecretStr(store.app_url)})})
        async with open_app_context(own, process="test") as app_context:
            large, rejected = fund.request("ivan", 120_000), fund.request("isla", 150_000)
            await record_all(app_context, fund)
            fund.approve_on_chain(large)
            fund.send("vera", "RedemptionManager", "rejectRedemption", rejected, "source of funds unclear")
            await record_all(app_context, fund)
            owner = create_engine(store.owner_url, pool_size=1, connect_timeout_seconds=5, application_name="tests")
            try:
                assert (await check_replay(owner, app_context.contracts)).comparison.examples == ()
                assert (await replay(owner, app_context.contracts)).rows_changed == {}
            finally:
                await owner.dispose()
            assert (await reconcile(app_context.database, app_context.contracts)).discrepancies == ()


@pytest.fixture(scope="module")
def older_server(data_folder: Path) -> Iterator[EmbeddedPostgres]:
    """Debian 12's own PostgreSQL 15, with the roles of ours."""
    folder = data_folder / "older-server"
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("paimon_devkit.stack.postgres_programs.SUPPORTED_MAJORS", (15,))
        server = postgres_server(POSTGRES_15, folder)
    with server:
        yield server
    shutil.rmtree(folder, ignore_errors=True)


def test_older_server_is_refused_by_every_command_that_connects(
    older_server: EmbeddedPostgres, settings: Settings, cli: CliRunner
) -> None:
    environment = environment_of(settings) | {
        "PAIMON_DATABASE__URL": older_server.app_url,
        "PAIMON_DATABASE__OWNER_URL": older_server.owner_url,
        "PAIMON_API__PORT": str(free_port()),
    }
    started = {command: cli.start(*command.split(), env=environment) for command in CONNECTING}
    for command, process in started.items():
        assert process.wait() == 2, f"{command}: {process.output_text}"
        (line,) = [line for line in process.output_text.splitlines() if line.startswith("paimon: ")]
        assert line.startswith("paimon: the server is PostgreSQL 15."), f"{command}: {process.output_text}"
        assert line.endswith("which is too old; versions 16, 17 and 18 are supported"), command
        assert "Traceback" not in process.output_text, command


def test_every_command_is_known_to_connect_or_not() -> None:
    commands = {entry.name for entry in all_commands()}
    assert commands == NOT_CONNECTING | {command.split()[0] for command in CONNECTING}
