"""`paimon stand-ins …`: a person names a stand-in with their own key, and ends it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.integration.cli.test_cli_tx import output_of
from tests.support.api_client import seed_users
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner, environment_of, keystore_options

from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration


async def test_stand_in_is_named_listed_and_ended_as_the_role_of_a_person_at_a_terminal(
    cli: CliRunner,
    settings: Settings,
    fund: TestFund,
    database: Database,
    postgres: EmbeddedPostgres,
    database_name: str,
    tmp_path: Path,
) -> None:
    await seed_users(database, fund)
    env = environment_of(settings) | {"PAIMON_DATABASE__URL": postgres.url("paimon_cli", database_name)}
    vera, otto = (fund.accounts.address(name) for name in ("vera", "otto"))
    key = (*keystore_options(fund.accounts, "vera", tmp_path), "--reason", "on leave")

    def stand_ins(*arguments: str, code: int = 0) -> str:
        return output_of(cli.start("stand-ins", *arguments, env=env), code)

    assert stand_ins("list").startswith("no stand-ins yet")
    assert "for themselves" in stand_ins("name", vera, *key, "--days", "7", code=2)
    today = datetime.now(UTC).date()
    assert "is past" in stand_ins("name", otto, *key, "--days", "7", "--from", str(today - timedelta(days=3)), code=2)
    assert stand_ins("name", otto, *key, "--days", "7", "--from", str(today)).endswith(
        f"{otto} decides approvals in your place for 7 days\n"
    )
    _heading, line = stand_ins("list").splitlines()
    assert line.split()[1:3] == ["IN", "FORCE"]
    assert line.split()[-4:] == [otto, vera, "on", "leave"]
    number = line.split()[0]
    assert stand_ins("end", number, *key) == f"stand-in {number} has ended\n"
    assert "over already" in stand_ins("end", number, *key, code=2)
    assert '"isOver": true' in stand_ins("list", "--json")
