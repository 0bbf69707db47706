"""`paimon users …` and `paimon db …` about rights, as an administrator uses them."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from tests.integration.cli.test_cli_tx import output_of
from tests.support.api_client import seed_sessions, seed_users, session_id_of
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner, environment_at_a_terminal, environment_of, keystore_options

from paimon.application.identity.api_keys import NewApiKey, create_key
from paimon.domain.kernel.chain import parse_address
from paimon.domain.user.roles import Permission, User, UserRole
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration


def test_users_are_changed_by_grants_that_a_super_admin_signs(
    cli: CliRunner, settings: Settings, fund: TestFund, owner_url: str, tmp_path: Path
) -> None:
    env = environment_of(settings) | {"PAIMON_DATABASE__OWNER_URL": owner_url}
    ada, willa, ines = (fund.accounts.address(name) for name in ("ada", "willa", "ines"))
    keys = {name: keystore_options(fund.accounts, name, tmp_path) for name in ("ada", "willa")}

    def users(*arguments: str, code: int = 0) -> str:
        return output_of(cli.start("users", *arguments, env=env), code)

    assert "is not a user" in users("add", willa, "viewer", *keys["ada"], code=2)
    assert users("init", ada, "--name", "Ada") == f"{ada} is the first super_admin\n"
    assert "with --replace another is named" in users("init", ines, code=2)
    assert users("add", willa, "viewer", "--name", "Willa", *keys["ada"]) == f"{willa} may sign in as viewer\n"
    assert "needs the role super_admin" in users("add", ines, "admin", *keys["willa"], code=2)
    assert "is the first super_admin" in users("remove", ada, *keys["ada"], code=2)
    assert users("list").splitlines() == [f"{ada}  super_admin  Ada", f"{willa}  viewer       Willa"]
    assert "comes with the role" in users("add", ines, "viewer", "--grant", "manage_users", *keys["ada"], code=2)
    users("add", willa, "viewer", "--name", "Willa", "--grant", "settle", "--deny", "handle_risk", *keys["ada"])
    assert users("list").splitlines()[1] == f"{willa}  viewer       Willa  +settle  -handle_risk"
    assert users("remove", willa, *keys["ada"]) == f"{willa} may no longer sign in\n"
    users("init", ines, "--replace")
    assert users("list").split()[:2] == [ines, "super_admin"]


def test_users_are_changed_as_the_role_of_a_person_at_a_terminal(
    cli: CliRunner,
    settings: Settings,
    fund: TestFund,
    postgres: EmbeddedPostgres,
    database_name: str,
    owner_url: str,
    tmp_path: Path,
) -> None:
    env = environment_of(settings) | {
        "PAIMON_DATABASE__OWNER_URL": owner_url,
        "PAIMON_DATABASE__URL": postgres.url("paimon_cli", database_name),
    }
    ada, willa = (fund.accounts.address(name) for name in ("ada", "willa"))
    output_of(cli.start("db", "grant-roles", env=env), 0)
    output_of(cli.start("users", "init", ada, env=env), 0)
    output_of(cli.start("users", "add", willa, "viewer", *keystore_options(fund.accounts, "ada", tmp_path), env=env), 0)


async def test_personal_data_is_erased_and_its_keys_are_rewrapped(
    cli: CliRunner,
    settings: Settings,
    fund: TestFund,
    database: Database,
    postgres: EmbeddedPostgres,
    database_name: str,
    owner_url: str,
    tmp_path: Path,
) -> None:
    await seed_users(database, fund)
    env = environment_of(settings) | {
        "PAIMON_DATABASE__OWNER_URL": owner_url,
        "PAIMON_DATABASE__URL": postgres.url("paimon_cli", database_name),
    }
    otto = fund.accounts.address("otto")
    ada = keystore_options(fund.accounts, "ada", tmp_path)

    def users(*arguments: str, code: int = 0) -> str:
        return output_of(cli.start("users", *arguments, env=env), code)

    erase = ("erase", otto, *ada, "--reason", "left the fund")
    users(*erase, code=1)  # without an answer to its question it erases nothing
    assert "remove the user first" in users(*erase, "--yes", code=2)
    users("remove", otto, *ada)
    assert users(*erase, "--yes") == f"the personal data of {otto} is erased\n"
    assert "erased already" in users(*erase, "--yes", code=2)
    env |= {
        "PAIMON_AUTH__PERSONAL_DATA_SECRET": "a new secret for tests only, 32 bytes+",
        "PAIMON_AUTH__OTHER_PERSONAL_DATA_SECRETS": settings.auth.personal_data_secret.get_secret_value(),
    }
    assert not users("rewrap").startswith("0 keys")
    assert users("rewrap").startswith("0 keys")


def test_signers_are_shown_with_what_they_lack(cli: CliRunner, settings: Settings, fund: TestFund, owner_url: str) -> None:
    env = environment_of(settings) | {"PAIMON_DATABASE__OWNER_URL": owner_url}
    ada = fund.accounts.address("ada")
    output_of(cli.start("users", "init", ada, "--name", "Ada", env=env), 0)
    heading, line, *_ = output_of(cli.start("signers", env=env), 0).splitlines()
    assert heading.startswith("SHORT  voters 1 of vip_approver: 1 needed, 0 may sign, 0 seen lately (")
    assert line.split("  ")[1:3] == [ada, "Ada"]
    assert line.endswith(
        "never seen  this needs VIP_APPROVER_ROLE on the RedemptionManager, which the person does not hold at the last"
        " recorded block"
    )
    assert '"readiness": "SHORT"' in output_of(cli.start("signers", "--json", env=env), 0)


def test_rights_are_compared_and_granted(cli: CliRunner, settings: Settings, owner_url: str) -> None:
    env = environment_of(settings) | {"PAIMON_DATABASE__OWNER_URL": owner_url}

    def database(*arguments: str, code: int = 0) -> str:
        return output_of(cli.start("db", *arguments, env=env), code)

    assert "not in the rights table: paimon_app: DELETE on ops.leases" in database("check", code=2)
    assert database("grant-roles", "--revoke-from", "paimon_app") == "9 roles have their rights\n"
    assert database("check").endswith("every role has exactly its rights\n")
    env["PAIMON_DATABASE__ROLE_PREFIX"] = "other_"
    assert 'CREATE ROLE "other_api" LOGIN' in database("grant-roles")


async def test_sessions_of_a_person_are_listed_and_ended(
    cli: CliRunner, settings: Settings, fund: TestFund, database: Database
) -> None:
    await seed_sessions(database, fund.accounts)
    env, vera = environment_at_a_terminal(settings), fund.accounts.address("vera")

    def sessions(*arguments: str, code: int = 0) -> str:
        return output_of(cli.start("sessions", *arguments, env=env), code)

    assert [line.split()[:2] for line in sessions("list", vera).splitlines()[1:]] == [[str(session_id_of("vera")), "ACTIVE"]]
    assert sessions("end", str(session_id_of("vera"))) == f"session {session_id_of('vera')} has ended\n"
    assert "there is no open session" in sessions("end", str(session_id_of("vera")), code=2)
    assert '"endReason": "REVOKED"' in sessions("list", vera, "--json")
    assert sessions("end-all", vera) == f"0 sessions of {vera} have ended\n"
    assert sessions("end-all", fund.accounts.address("otto")).startswith("1 sessions of")


async def test_api_keys_of_a_person_are_listed_and_revoked(
    cli: CliRunner, settings: Settings, fund: TestFund, database: Database
) -> None:
    otto = fund.accounts.address("otto")
    maker = User(parse_address(otto), UserRole.OPERATOR, "Otto")
    wanted = NewApiKey("Nightly report", frozenset({Permission.READ}), (ip_network("10.0.0.0/8"),), 30)
    key, text = await create_key(wanted, maker, database=database)
    env = environment_at_a_terminal(settings)

    def api_keys(*arguments: str, code: int = 0) -> str:
        return output_of(cli.start("api-keys", *arguments, env=env), code)

    _heading, line = api_keys("list", otto).splitlines()
    assert line.split()[:2] == [str(key.id), "ACTIVE"]
    assert line.endswith("read    10.0.0.0/8  Nightly report")
    assert api_keys("revoke", str(key.id)) == f"API key {key.id} is revoked\n"
    assert "there is no API key" in api_keys("revoke", str(key.id), code=2)
    assert "REVOKED" in api_keys("list", otto)
    assert text not in api_keys("list", otto, "--json")
