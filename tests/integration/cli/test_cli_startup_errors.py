"""What an operator reads when a process does not start, and how each one ends when it is told to."""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliProcess, CliRunner
from tests.support.signing import make_policy

from paimon.infrastructure.database import migrate
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres
from paimon_devkit.stack.ports import free_port

pytestmark = pytest.mark.integration

Environment = dict[str, str]


@pytest.fixture(scope="module")
def cli() -> Iterator[CliRunner]:
    with CliRunner() as opened:
        yield opened


@pytest.fixture
def env(fund: TestFund, app_url: str, owner_url: str, redis_url: str, tmp_path: Path) -> Environment:
    """Everything right; each test spoils one thing."""
    return {
        "PAIMON_DATABASE__URL": app_url,
        "PAIMON_DATABASE__OWNER_URL": owner_url,
        "PAIMON_REDIS__URL": redis_url,
        "PAIMON_CHAIN__CHAIN_ID": "31337",
        "PAIMON_CHAIN__RPC_URL": fund.rpc_url,
        "PAIMON_CHAIN__ATTEMPTS_MAX": "2",
        "PAIMON_FUND__VAULT": fund.deployment.vault,
        "PAIMON_FUND__REDEMPTION_MANAGER": fund.deployment.redemption_manager,
        "PAIMON_FUND__ASSET_CONTROLLER": fund.deployment.asset_controller,
        "PAIMON_FUND__START_BLOCK": str(fund.start_block),
        "PAIMON_SENDING__KEEPER": fund.accounts.address("keeper"),
        "PAIMON_SENDING__APPROVER": fund.accounts.address("approver"),
        "PAIMON_SIGNER__SOCKET": str(tmp_path / "signer.sock"),
        "PAIMON_AUTH__TOKEN_SECRET": "a secret for tests only, 32 bytes+",
        "PAIMON_API__PORT": str(free_port()),
    }


def refusal(program: CliProcess) -> str:
    """What it said last: one message, exit code 2, and never a traceback."""
    assert program.wait() == 2, program.output_text
    assert "Traceback" not in program.output_text
    message = program.output_text.rpartition("paimon: ")[2]
    assert message != program.output_text, f"no message: {program.output_text}"
    return message


@pytest.mark.parametrize("process", ["api", "listener", "worker", "scheduler"])
def test_a_node_of_another_chain_is_refused_with_both_ids(cli: CliRunner, env: Environment, process: str) -> None:
    said = refusal(cli.start(process, env=env | {"PAIMON_CHAIN__CHAIN_ID": "97"}))
    assert "serves chain 31337, but PAIMON_CHAIN__CHAIN_ID is 97" in said


@pytest.mark.parametrize("process", ["api", "listener", "worker", "scheduler", "status", "reconcile"])
def test_a_database_of_other_migrations_is_refused_with_what_to_do(
    cli: CliRunner, env: Environment, postgres: EmbeddedPostgres, process: str
) -> None:
    """Behind, as one that never had any; and made by the chain before this one."""
    name = f"other_{process}"
    postgres.create_database(name)
    try:
        other = env | {"PAIMON_DATABASE__URL": postgres.url("paimon_app", name)}
        assert "the database is at migration none" in (said := refusal(cli.start(process, env=other)))
        assert "run `paimon db upgrade`" in said
        migrate.upgrade(owner_url := postgres.url("paimon_owner", name), app_role="paimon_app")
        with psycopg.connect(owner_url.replace("+psycopg", "")) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0023'")
        assert "the database is at migration 0023 of a chain from before" in (said := refusal(cli.start(process, env=other)))
        assert "take an empty database" in said
    finally:
        postgres.drop_database(name)


@pytest.mark.parametrize("command", [("listener",), ("users", "list"), ("db", "check")])
def test_an_empty_database_is_refused_the_same_way_and_the_command_helps(
    cli: CliRunner, env: Environment, postgres: EmbeddedPostgres, command: tuple[str, ...]
) -> None:
    name = f"empty_{command[0]}"
    postgres.create_database(name)
    try:
        empty = env | {
            "PAIMON_DATABASE__URL": postgres.url("paimon_app", name),
            "PAIMON_DATABASE__OWNER_URL": postgres.url("paimon_owner", name),
        }
        assert "the database is at migration none" in (said := refusal(cli.start(*command, env=empty)))
        assert "run `paimon db upgrade`" in said
        upgraded = cli.start("db", "upgrade", env=empty)
        assert upgraded.wait() == 0, upgraded.output_text
        checked = cli.start("db", "check", env=empty)
        assert checked.wait() == 0, checked.output_text
    finally:
        postgres.drop_database(name)


def test_contracts_that_are_not_there(cli: CliRunner, env: Environment) -> None:
    nowhere = "0x00000000000000000000000000000000000000A1"
    said = refusal(cli.start("listener", env=env | {"PAIMON_FUND__VAULT": nowhere}))
    assert "no contract at block" in said
    assert nowhere in said
    assert "PAIMON_FUND__" in said


def test_the_addresses_of_two_funds(cli: CliRunner, env: Environment, fund: TestFund) -> None:
    with fund.chain() as chain:
        owner = fund.accounts.account("ada")
        vault = chain.deploy(owner, "Vault", fund.deployment.usdt, owner.address)
        manager = chain.deploy(owner, "RedemptionManager", vault, owner.address)
        chain.confirm()
    fund.wait_until_final()
    said = refusal(cli.start("listener", env=env | {"PAIMON_FUND__REDEMPTION_MANAGER": manager}))
    assert f"RedemptionManager.vault() is {vault}, the settings say {fund.deployment.vault}" in said
    assert "mixes two funds" in said


@pytest.mark.parametrize(
    ("command", "variable", "url", "said"),
    [
        (
            ("listener",),
            "PAIMON_DATABASE__URL",
            "postgresql+psycopg://me:secret@127.0.0.1:{port}/paimon",
            "PostgreSQL does not",
        ),
        (("api",), "PAIMON_REDIS__URL", "redis://:secret@127.0.0.1:{port}/0", "Redis does not answer at 127.0.0.1:{port}"),
        (("worker",), "PAIMON_CHAIN__RPC_URL", "http://127.0.0.1:{port}/v1/secret", "node 127.0.0.1:{port} gave no usable"),
        (("users", "list"), "PAIMON_DATABASE__URL", "postgresql+psycopg://me:secret@127.0.0.1:{port}/x", "PostgreSQL does not"),
        (
            ("db", "upgrade"),
            "PAIMON_DATABASE__OWNER_URL",
            "postgresql+psycopg://me:secret@127.0.0.1:{port}/paimon",
            "PostgreSQL does not",
        ),
    ],
)
def test_a_service_that_does_not_answer_is_named_with_its_variable_and_without_its_secret(
    cli: CliRunner, env: Environment, command: tuple[str, ...], variable: str, url: str, said: str
) -> None:
    port = free_port()
    program = cli.start(*command, env=env | {variable: url.format(port=port)})
    message = refusal(program)
    assert said.format(port=port) in message
    assert variable in message
    assert "secret" not in program.output_text


def test_a_port_in_use(cli: CliRunner, env: Environment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refusal(cli.start("api", env=env | {"PAIMON_API__PORT": str(port)}))
    assert f"cannot listen on 127.0.0.1:{port}" in said
    assert "PAIMON_API__PORT" in said


def test_missing_and_wrong_settings_are_named(cli: CliRunner, env: Environment) -> None:
    incomplete = {name: value for name, value in env.items() if name != "PAIMON_REDIS__URL"} | {"PAIMON_FUND__VAULT": "0x12"}
    said = refusal(cli.start("scheduler", env=incomplete))
    assert "PAIMON_REDIS__URL: Field required" in said
    assert "PAIMON_FUND__VAULT" in said
    odd = {"PAIMON_DATABASE__URL": "a secret, but no URL", "PAIMON_REDIS__URL": "x", "PAIMON_CHAIN__RPC_URL": "ws://x"}
    said = refusal(cli.start("listener", env=env | odd))
    assert [line.split(":")[0].strip() for line in said.splitlines()[1:]] == list(odd)
    assert "must be a URL that starts with redis://" in said
    assert "secret" not in said


def test_a_settings_file_that_does_not_exist(cli: CliRunner) -> None:
    said = refusal(cli.start("--env-file", "/no/such.env", "api", env={}))
    assert "settings file /no/such.env does not exist" in said


def test_a_queue_nobody_has_heard_of(cli: CliRunner, env: Environment) -> None:
    said = refusal(cli.start("worker", "--queues", "urgent,high", env=env))
    assert "no queue is called urgent; there are critical, high, normal" in said


def test_a_signer_refuses_another_chain_and_a_missing_policy(cli: CliRunner, fund: TestFund, tmp_path: Path) -> None:
    policy = make_policy(fund, tmp_path, chain_id=97)
    said = refusal(cli.start("signer", "--policy", str(policy), env={}))
    assert "serves chain 31337, the signer's policy is for 97" in said
    assert "/no/policy.toml" in refusal(cli.start("signer", "--policy", "/no/policy.toml", env={}))


def test_every_process_ends_cleanly_when_told_to_and_gives_its_lease_back(
    cli: CliRunner, env: Environment, fund: TestFund, tmp_path: Path
) -> None:
    policy = make_policy(fund, tmp_path)
    works = {"signer": "signer.started", "listener": "listener.started", "scheduler": "scheduler.started"}
    commands = {"signer": ("signer", "--policy", str(policy))}
    started = {name: cli.start(*commands.get(name, (name,)), env=env) for name in (*works, "worker", "api")}
    for name, event in works.items():
        started[name].wait_for_output(event)
    _until(lambda: _relays(env))
    _until(lambda: _listens(int(env["PAIMON_API__PORT"])))
    assert _held_leases(env) == {"listener", "scheduler"}

    for program in started.values():
        program.terminate()
    codes = {name: program.wait() for name, program in started.items()}
    assert codes == dict.fromkeys(started, 0), {name: program.output_text for name, program in started.items()}
    assert _held_leases(env) == set(), "a successor would have to wait"
    for name, program in started.items():
        for trouble in ("Traceback", "never awaited", "never retrieved", "Task was destroyed"):
            assert trouble not in program.output_text, f"{name}: {program.output_text}"


def _rows(env: Mapping[str, str], query: LiteralString) -> list[tuple[object, ...]]:
    with psycopg.connect(env["PAIMON_DATABASE__URL"].replace("+psycopg", "")) as connection:
        return connection.execute(query).fetchall()


def _held_leases(env: Mapping[str, str]) -> set[object]:
    return {name for (name,) in _rows(env, "SELECT name FROM ops.leases WHERE expires_at > now()")}


def _relays(env: Mapping[str, str]) -> bool:
    return bool(_rows(env, "SELECT 1 FROM pg_stat_activity WHERE query = 'LISTEN paimon_outbox'"))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _until(holds: Callable[[], bool], seconds_max: float = 60) -> None:
    deadline = time.monotonic() + seconds_max
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
