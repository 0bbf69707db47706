"""`paimon emergency …`: people drill the protocol, decline a step and stand an emergency down, each with their own key."""

from pathlib import Path

import pytest
from tests.integration.cli.test_cli_tx import output_of
from tests.support.api_client import seed_users
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner, environment_of, keystore_options
from tests.support.database_roles import context_of
from tests.support.factories.emergencies import COLD_SAFE, record_cold_safe, record_level

from paimon.application.emergency.advance import advance_emergency
from paimon.composition import AppContext
from paimon.domain.kernel.chain import checksum, parse_address
from paimon.domain.risk.risk_policy import RiskLevel
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Name a cold Safe in the settings."""
    return settings.model_copy(update={"sending": settings.sending.model_copy(update={"cold": COLD_SAFE})})


async def test_people_drill_decline_and_stand_down_as_the_role_of_a_person_at_a_terminal(
    cli: CliRunner,
    settings: Settings,
    fund: TestFund,
    database: Database,
    app_context: AppContext,
    postgres: EmbeddedPostgres,
    database_name: str,
    tmp_path: Path,
) -> None:
    await seed_users(database, fund)
    env = environment_of(settings) | {
        "PAIMON_DATABASE__URL": postgres.url("paimon_cli", database_name),
        "PAIMON_SENDING__COLD": checksum(COLD_SAFE),
    }
    key = {name: (*keystore_options(fund.accounts, name, tmp_path), "--reason", "a test") for name in ("vera", "otto")}

    def emergency(*arguments: str, code: int = 0) -> str:
        return output_of(cli.start("emergency", *arguments, env=env), code)

    async def look() -> None:
        async with context_of(DatabaseRole.WORKER, app_context) as worker:
            await advance_emergency(worker.emergency_context)

    assert emergency("list").startswith("no emergencies and no drills yet")
    await record_cold_safe(database, parse_address(fund.accounts.address("otto")), threshold=1)
    await record_level(database, RiskLevel.NORMAL, 0)
    assert "needs the role admin" in emergency("drill", *key["otto"], code=2)
    assert emergency("drill", *key["vera"]).startswith("drill 1 has started")
    await look()
    assert "owners: paimon emergency sign" in emergency("show")
    refused = emergency("submit", "1", "PAUSE_VAULT", *key["vera"][:4], "--yes", code=2)
    assert "drill 1 is a drill" in refused
    assert "paimon emergency sign 1 PAUSE_VAULT" in refused
    assert "Only the owners of the cold Safe" in emergency("sign", "1", "PAUSE_VAULT", *key["vera"], code=2)
    assert emergency("sign", "1", "PAUSE_VAULT", *key["otto"]) == "signed step PAUSE_VAULT of drill 1\n"
    assert "is DONE" in emergency("sign", "1", "PAUSE_VAULT", *key["otto"], code=2)

    await record_level(database, RiskLevel.CRITICAL, 3_600)
    await look()
    shown = emergency("show")
    assert shown.startswith("EMERGENCY 2: CONTAINING")
    assert "a person to submit it" in shown
    assert "was not proposed" in emergency("submit", "2", "CLOSE_EXIT", *key["vera"][:4], "--yes", code=2)
    assert emergency("decline", "2", "PAUSE_REDEMPTIONS", *key["vera"]).startswith("declined: stop new standard")
    assert emergency("stand-down", "2", *key["vera"]) == "number 2 is stood down\n"
    first, second = (line.split() for line in emergency("list").splitlines()[1:])
    assert (first[:3], second[:3]) == (["2", "emergency", "STOOD_DOWN"], ["1", "drill", "STOOD_DOWN"])
