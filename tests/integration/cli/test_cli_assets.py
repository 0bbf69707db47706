"""`paimon assets …`: an administrator sets an asset's profile with their own key."""

from pathlib import Path

import pytest
from tests.integration.cli.test_cli_tx import output_of
from tests.support.api_client import seed_users
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner, environment_of, keystore_options
from tests.support.factories.rows import insert_row

from paimon.domain.kernel.chain import parse_address
from paimon.infrastructure.database.models.derived import AssetConfigRow
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration


async def test_profile_is_set_and_listed_as_the_role_of_a_person_at_a_terminal(
    cli: CliRunner,
    settings: Settings,
    fund: TestFund,
    database: Database,
    postgres: EmbeddedPostgres,
    database_name: str,
    tmp_path: Path,
) -> None:
    await seed_users(database, fund)
    token = fund.asset("MMFA").address
    async with database.write() as session:
        await insert_row(session, AssetConfigRow, token=parse_address(token))
    env = environment_of(settings) | {"PAIMON_DATABASE__URL": postgres.url("paimon_cli", database_name)}

    def assets(*arguments: str, code: int = 0) -> str:
        return output_of(cli.start("assets", *arguments, env=env), code)

    keys = {who: keystore_options(fund.accounts, who, tmp_path) for who in ("vera", "otto")}

    def set_by(who: str, *arguments: str, code: int = 0) -> str:
        profile = ("--reason", "the prospectus", "--counterparty", "North Bank", "--cost-bps", "30", *arguments)
        return assets("set", token, *keys[who], *profile, code=code)

    assert "default of its tier" in assets("list")
    assert assets("history", token).startswith("no profile yet")
    assert "needs the role admin" in set_by("otto", "--days", "2", code=2)
    assert set_by("vera", "--days", "2") == f"profile 1 of asset {token} is set\n"
    assert "has this profile already" in set_by("vera", "--days", "2", code=2)
    assert set_by("vera", "--days", "3") == f"profile 2 of asset {token} is set\n"
    assert assets("list").splitlines()[1].split() == [token, "3", "30", "North", "Bank"]
    assert [line.split()[0] for line in assets("history", token).splitlines()] == ["VERSION", "2", "1"]
    assert "never had this asset" in assets("history", fund.accounts.address("ines"), code=2)
