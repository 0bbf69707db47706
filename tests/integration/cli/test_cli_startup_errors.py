"""The message of a process that cannot start, and the clean end of one that is asked to stop."""

import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliProcess, CliRunner
from tests.support.signing import DAY_LIMIT, PLAN_LIMIT, make_policy

from paimon.domain.kernel.chain import checksum
from paimon.infrastructure.database import migrate
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres
from paimon_devkit.stack.ports import free_port

pytestmark = pytest.mark.integration

Environment = dict[str, str]


@pytest.fixture
def env(fund: TestFund, app_url: str, owner_url: str, redis_url: str, tmp_path: Path) -> Environment:
    """Return complete settings; each test breaks one of them."""
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
        "PAIMON_AUTH__PERSONAL_DATA_SECRET": "another secret for tests only: 32+",
        "PAIMON_AUTH__DOMAIN": "localhost",
        "PAIMON_AUTH__URI": "http://localhost",
        "PAIMON_REDIS__INTEGRITY_KEY": "a key of its own, of 32 bytes or more",
        "PAIMON_API__PORT": str(free_port()),
    }


def error_message(process: CliProcess) -> str:
    """Return the process's message, which ends it with exit code 2 and without a traceback."""
    assert process.wait() == 2, process.output_text
    assert "Traceback" not in process.output_text
    message = process.output_text.rpartition("paimon: ")[2]
    assert message != process.output_text, f"no message: {process.output_text}"
    return message


@pytest.mark.parametrize("command", ["api", "listener", "worker", "scheduler"])
def test_process_names_both_chain_ids_when_the_node_serves_another_chain(
    cli: CliRunner, env: Environment, command: str
) -> None:
    message = error_message(cli.start(command, env=env | {"PAIMON_CHAIN__CHAIN_ID": "97"}))
    assert "serves chain 31337, but PAIMON_CHAIN__CHAIN_ID is 97" in message


@pytest.mark.parametrize("command", ["api", "listener", "worker", "scheduler", "auditor", "status", "reconcile"])
def test_command_names_the_fix_when_the_database_has_other_migrations(
    cli: CliRunner, env: Environment, postgres: EmbeddedPostgres, command: str
) -> None:
    """A database without migrations, and one of an earlier chain of migrations."""
    name = f"other_{command}"
    postgres.create_database(name)
    try:
        other = env | {"PAIMON_DATABASE__URL": postgres.url("paimon_app", name)}
        assert "the database is at migration none" in (message := error_message(cli.start(command, env=other)))
        assert "run `paimon db upgrade`" in message
        migrate.upgrade(owner_url := postgres.url("paimon_owner", name))
        with psycopg.connect(owner_url.replace("+psycopg", "")) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0023'")
        assert "the database is at migration 0023 of a chain from before" in (
            message := error_message(cli.start(command, env=other))
        )
        assert "take an empty database" in message
    finally:
        postgres.drop_database(name)


@pytest.mark.parametrize("command", [("listener",), ("users", "list"), ("db", "check")])
def test_db_upgrade_makes_an_empty_database_usable(
    cli: CliRunner, env: Environment, postgres: EmbeddedPostgres, command: tuple[str, ...]
) -> None:
    name = f"empty_{command[0]}"
    postgres.create_database(name)
    try:
        empty = env | {
            "PAIMON_DATABASE__URL": postgres.url("paimon_app", name),
            "PAIMON_DATABASE__OWNER_URL": postgres.url("paimon_owner", name),
        }
        assert "the database is at migration none" in (message := error_message(cli.start(*command, env=empty)))
        assert "run `paimon db upgrade`" in message
        upgraded = cli.start("db", "upgrade", env=empty)
        assert upgraded.wait() == 0, upgraded.output_text
        checked = cli.start("db", "check", env=empty)
        assert checked.wait() == 0, checked.output_text
    finally:
        postgres.drop_database(name)


def test_listener_names_the_address_without_a_contract(cli: CliRunner, env: Environment) -> None:
    nowhere = checksum(b"\xa1" * 20)
    message = error_message(cli.start("listener", env=env | {"PAIMON_FUND__VAULT": nowhere}))
    assert "no contract at block" in message
    assert nowhere in message
    assert "PAIMON_FUND__" in message


def test_listener_refuses_contract_addresses_of_two_funds(cli: CliRunner, env: Environment, fund: TestFund) -> None:
    with fund.chain() as chain:
        owner = fund.accounts.account("ada")
        vault = chain.deploy(owner, "Vault", fund.deployment.usdt, owner.address)
        manager = chain.deploy(owner, "RedemptionManager", vault, owner.address)
        chain.confirm()
    fund.wait_until_final()
    message = error_message(cli.start("listener", env=env | {"PAIMON_FUND__REDEMPTION_MANAGER": manager}))
    assert f"RedemptionManager.vault() is {vault}, the settings say {fund.deployment.vault}" in message
    assert "mixes two funds" in message


@pytest.mark.parametrize(
    ("command", "variable", "url", "expected"),
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
def test_unreachable_service_is_named_with_its_variable_but_not_its_secret(
    cli: CliRunner, env: Environment, command: tuple[str, ...], variable: str, url: str, expected: str
) -> None:
    port = free_port()
    process = cli.start(*command, env=env | {variable: url.format(port=port)})
    message = error_message(process)
    assert expected.format(port=port) in message
    assert variable in message
    assert "secret" not in process.output_text


def test_api_names_the_port_when_it_is_in_use(cli: CliRunner, env: Environment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = error_message(cli.start("api", env=env | {"PAIMON_API__PORT": str(port)}))
    assert f"cannot listen on 127.0.0.1:{port}" in message
    assert "PAIMON_API__PORT" in message


def test_process_names_every_missing_or_invalid_setting(cli: CliRunner, env: Environment) -> None:
    incomplete = {name: value for name, value in env.items() if name != "PAIMON_REDIS__URL"} | {"PAIMON_FUND__VAULT": "0x12"}
    message = error_message(cli.start("scheduler", env=incomplete))
    assert "PAIMON_REDIS__URL: Field required" in message
    assert "PAIMON_FUND__VAULT" in message
    odd = {"PAIMON_DATABASE__URL": "a secret, but no URL", "PAIMON_REDIS__URL": "x", "PAIMON_CHAIN__RPC_URL": "ws://x"}
    message = error_message(cli.start("listener", env=env | odd))
    assert [line.split(":")[0].strip() for line in message.splitlines()[1:]] == list(odd)
    assert "must be a URL that starts with redis://" in message
    assert "secret" not in message


def test_process_names_the_settings_file_that_does_not_exist(cli: CliRunner) -> None:
    message = error_message(cli.start("--env-file", "/no/such.env", "api", env={}))
    assert "settings file /no/such.env does not exist" in message


def test_worker_refuses_an_unknown_queue(cli: CliRunner, env: Environment) -> None:
    message = error_message(cli.start("worker", "--queues", "urgent,high", env=env))
    assert "no queue is called urgent; there are critical, high, normal" in message


def test_signer_refuses_another_chain_and_a_missing_policy(cli: CliRunner, fund: TestFund, tmp_path: Path) -> None:
    policy = make_policy(fund, tmp_path, chain_id=97)
    message = error_message(cli.start("signer", "--policy", str(policy), "--new-ledger", env={}))
    assert "serves chain 31337, the signer's policy is for 97" in message
    assert "/no/policy.toml" in error_message(cli.start("signer", "--policy", "/no/policy.toml", env={}))


def test_config_check_accepts_settings_and_a_policy_that_agree(
    cli: CliRunner, env: Environment, fund: TestFund, tmp_path: Path
) -> None:
    policy = make_policy(fund, tmp_path)
    process = cli.start("config", "check", "--policy", str(policy), "--connect", env=env)
    assert process.wait() == 0, process.output_text
    assert [line.split()[0] for line in process.output_text.splitlines()] == ["settings", "policy", "services"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"PAIMON_CHAIN__CHAIN_ID": "97"}, "PAIMON_CHAIN__CHAIN_ID is 97, the policy's chain_id 31337"),
        (
            {"PAIMON_APPROVAL__REDEMPTION_DEADLINE_SECONDS_MAX": "90000"},
            "DEADLINE_SECONDS_MAX is 90000, the policy's approvals.deadline_hours_max is 24",
        ),
        (
            {"PAIMON_APPROVAL__VOTE_TTL_SECONDS_MAX": "3601"},
            "VOTE_TTL_SECONDS_MAX is 3601, the signer takes signatures that expire at most 3600 seconds ahead",
        ),
        ({"PAIMON_FUND__VAULT": "0x" + "22" * 20}, f"PAIMON_FUND__VAULT is 0x{'22' * 20}, the policy has 0x"),
        ({"PAIMON_SENDING__MULTI_SEND": "0x" + "22" * 20}, f"PAIMON_SENDING__MULTI_SEND is 0x{'22' * 20}, the policy has 0x"),
        ({"PAIMON_SENDING__KEEPER": "0x" + "22" * 20}, f"PAIMON_SENDING__KEEPER is 0x{'22' * 20}, and the policy has no key"),
        ({"PAIMON_SENDING__WARM": "0x" + "22" * 20}, f"PAIMON_SENDING__WARM is 0x{'22' * 20}, and the policy has no Safe"),
        ({"PAIMON_SIGNER__SOCKET": "/run/other.sock"}, "PAIMON_SIGNER__SOCKET is /run/other.sock, the policy's socket /"),
    ],
)
def test_config_check_names_each_difference_from_the_policy(
    cli: CliRunner, env: Environment, fund: TestFund, tmp_path: Path, changes: Environment, expected: str
) -> None:
    policy = make_policy(fund, tmp_path)
    message = error_message(cli.start("config", "check", "--policy", str(policy), env=env | changes))
    (difference,) = message.splitlines()[1:]
    assert expected in difference


@pytest.mark.parametrize(("name", "limit"), [("PLAN", PLAN_LIMIT), ("DAY", DAY_LIMIT)])
def test_config_check_names_a_limit_of_the_hot_key_above_the_settings(
    cli: CliRunner, env: Environment, fund: TestFund, tmp_path: Path, name: str, limit: int
) -> None:
    """Below its own limits the signer asks for no approval: the approval policy was checked for what the settings say."""
    policy = make_policy(fund, tmp_path, names=("keeper", "approver", "hot"))
    limits = {"PLAN": PLAN_LIMIT, "DAY": DAY_LIMIT}
    changes = {f"PAIMON_SENDING__HOT_LIMITS__{key}": str(value - (key == name)) for key, value in limits.items()}
    changes["PAIMON_SENDING__HOT"] = fund.accounts.address("hot")
    message = error_message(cli.start("config", "check", "--policy", str(policy), env=env | changes))
    (difference,) = message.splitlines()[1:]
    assert (
        f"PAIMON_SENDING__HOT_LIMITS__{name} is {limit - 1}, the {name.lower()}_limit of the policy's key hot is {limit}"
        in difference
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"HOT_LIMITS__PLAN": PLAN_LIMIT + 1}, f"HOT_LIMITS__PLAN is {PLAN_LIMIT + 1}, the plan_limit of the policy's key hot"),
        ({"HOT_LIMITS__DAY": DAY_LIMIT + 1}, f"HOT_LIMITS__DAY is {DAY_LIMIT + 1}, the day_limit of the policy's key hot"),
        ({"PLANNER": "keeper", "LIMITS__PLAN": PLAN_LIMIT}, "no plan signer of this address"),
        ({"PLANNER": "otto", "LIMITS__DAY": DAY_LIMIT}, None),
        ({"PLANNER": "otto", "LIMITS__DAY": DAY_LIMIT + 1}, "the day_limit of the policy's plan signer otto is 25000"),
        ({"PLANNER": "otto", "LIMITS__PLAN": PLAN_LIMIT + 1}, "the plan_limit of the policy's plan signer otto is 10000"),
    ],
)
def test_config_check_names_a_limit_above_the_signers(
    cli: CliRunner, env: Environment, fund: TestFund, tmp_path: Path, changes: dict[str, Any], expected: str | None
) -> None:
    """The signer would refuse plans that the preview lets through."""
    policy = make_policy(fund, tmp_path, names=("keeper", "approver", "hot"))
    limits = {"PLAN": PLAN_LIMIT, "DAY": DAY_LIMIT}
    equal = {f"{group}__{name}": limit for group in ("HOT_LIMITS", "LIMITS") for name, limit in limits.items()}
    changed = equal | changes | {"HOT": fund.accounts.address("hot")}
    if name := changed.get("PLANNER"):
        changed["PLANNER"] = fund.accounts.address(name)
    group = {key: "PLANNER" if key.startswith("LIMITS") else "SENDING" for key in changed}
    variables = {f"PAIMON_{group[key]}__{key}": str(value) for key, value in changed.items()}
    process = cli.start("config", "check", "--policy", str(policy), env=env | variables)
    if expected is None:
        assert process.wait() == 0, process.output_text
        return
    (difference,) = error_message(process).splitlines()[1:]
    assert expected in difference


def test_config_check_names_a_rule_that_a_raised_limit_of_the_hot_key_makes_faulty(
    cli: CliRunner, env: Environment, fund: TestFund
) -> None:
    limits = {"PAIMON_SENDING__HOT_LIMITS__PLAN": "60000", "PAIMON_SENDING__HOT_LIMITS__DAY": "1000000"}
    changes = limits | {"PAIMON_SENDING__HOT": fund.accounts.address("hot")}
    message = error_message(cli.start("config", "check", "--connect", env=env | changes))
    assert "KEY: policy 1: rule manual_operation wants approvals for" in message


def test_config_check_names_a_function_that_a_key_may_not_call(
    cli: CliRunner, env: Environment, fund: TestFund, tmp_path: Path
) -> None:
    policy = make_policy(fund, tmp_path)
    swapped = {
        "PAIMON_SENDING__KEEPER": env["PAIMON_SENDING__APPROVER"],
        "PAIMON_SENDING__APPROVER": env["PAIMON_SENDING__KEEPER"],
    }
    message = error_message(cli.start("config", "check", "--policy", str(policy), env=env | swapped))
    assert "may not call settleRedemption, settleScheduledRedemption" in message
    assert "may not call approveRedemption, rejectRedemption" in message


def test_config_check_refuses_wrong_settings_an_unreadable_policy_and_a_missing_service(
    cli: CliRunner, env: Environment
) -> None:
    assert "PAIMON_API__PORT" in error_message(cli.start("config", "check", env=env | {"PAIMON_API__PORT": "many"}))
    assert "/no/policy.toml" in error_message(cli.start("config", "check", "--policy", "/no/policy.toml", env=env))
    away = env | {"PAIMON_REDIS__URL": f"redis://127.0.0.1:{free_port()}"}
    assert "Redis does not answer" in error_message(cli.start("config", "check", "--connect", env=away))


def test_process_exits_cleanly_on_sigterm_and_releases_its_lease(
    cli: CliRunner, env: Environment, fund: TestFund, tmp_path: Path
) -> None:
    policy = make_policy(fund, tmp_path)
    started_events = {
        "signer": "signer.started",
        "listener": "listener.started",
        "scheduler": "scheduler.started",
        "auditor": "auditor.started",
    }
    commands = {"signer": ("signer", "--policy", str(policy), "--new-ledger")}
    started = {name: cli.start(*commands.get(name, (name,)), env=env) for name in (*started_events, "worker", "api")}
    for name, event in started_events.items():
        started[name].wait_for_output(event)
    _wait_until(lambda: _relays(env))
    _wait_until(lambda: _listens(int(env["PAIMON_API__PORT"])))
    assert _held_leases(env) == {"listener", "scheduler", "auditor"}

    for process in started.values():
        process.terminate()
    codes = {name: process.wait() for name, process in started.items()}
    assert codes == dict.fromkeys(started, 0), {name: process.output_text for name, process in started.items()}
    assert _held_leases(env) == set(), "a successor would have to wait"
    for name, process in started.items():
        for symptom in ("Traceback", "never awaited", "never retrieved", "Task was destroyed"):
            assert symptom not in process.output_text, f"{name}: {process.output_text}"


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


def _wait_until(holds: Callable[[], bool], seconds_max: float = 60) -> None:
    deadline = time.monotonic() + seconds_max
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
