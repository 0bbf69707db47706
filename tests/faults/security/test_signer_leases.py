"""One signer for a key, also on several machines: a lease that only the role of signers may write, beside the chain's nonce.

What holds when the lease is given twice is in test_signer_chain.py: the chain's nonce ends the second signer.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from pydantic import SecretStr
from tests.faults.security.test_signer_chain import buy, count
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliProcess, CliRunner
from tests.support.signing import make_policy, refusal_code, sign_request, signer_client, transaction

from paimon.domain.kernel.chain import checksum, parse_address
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.signing import SignRequest
from paimon.gateway.signer.policy_tables import LeasesTable
from paimon.gateway.signer.process import running_signer
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.rights.table import TABLES
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.client import SigningRefused
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.fault

NOWHERE = "postgresql+psycopg://paimon_signer:none@127.0.0.1:9/paimon"


def policy_with_lease(fund: TestFund, folder: Path, url: str, *, ttl_seconds: float = 4) -> Path:
    """Write the policy of a signer with a ledger of its own, as on a machine of its own."""
    folder.mkdir()
    leases = LeasesTable(database_url=SecretStr(url), ttl_seconds=ttl_seconds, renew_seconds=1)
    paths = {name: folder / name for name in ("ledger", "counter", "socket")}
    return make_policy(fund, folder, names=("hot",), leases=leases, **paths)


def uses_up(fund: TestFund, nonce: int) -> SignRequest:
    """Return a self-send, which moves nothing."""
    wallet = parse_address(fund.accounts.address("hot"))
    return sign_request(fund, "hot", transaction(fund, "settleRedemption", 1, call=Call(wallet, b""), nonce=nonce))


def start(cli: CliRunner, policy: Path, *options: str) -> CliProcess:
    process = cli.start("signer", "--policy", str(policy), *options, env={})
    process.wait_for_output("signer.started")
    return process


@pytest.fixture
def url(postgres: EmbeddedPostgres, database: Database, database_name: str) -> str:
    """Return the URL of the signers' role in a migrated database."""
    return postgres.url("paimon_signer", database_name)


async def is_signed(policy: Path, request: SignRequest) -> bool:
    try:
        await signer_client(policy).sign(request)
    except SigningRefused as refused:
        if refused.code != "LEASE_NOT_HELD":
            raise
        return False
    return True


async def test_second_signer_waits_for_the_lease_and_takes_over_from_a_killed_one(
    fund: TestFund, tmp_path: Path, url: str, cli: CliRunner, eventually: Callable[..., Any]
) -> None:
    first, second = (policy_with_lease(fund, tmp_path / name, url) for name in ("first", "second"))
    nonce = count(fund)
    process = start(cli, first, "--new-ledger")
    process.wait_for_output("lease.acquired")
    start(cli, second, "--new-ledger").wait_for_output("lease.standby")
    with pytest.raises(SigningRefused, match=f"the signer .*:{process.pid}:.* holds it") as refused:
        await signer_client(second).sign(buy(fund, 9_999, nonce=nonce))
    assert refused.value.code == "LEASE_NOT_HELD"
    await signer_client(second).sign(uses_up(fund, nonce))
    await signer_client(first).sign(buy(fund, 9_999, nonce=nonce))
    os.kill(process.pid, signal.SIGKILL)
    await eventually(lambda: is_signed(second, buy(fund, 9_999, nonce=nonce)))


async def test_signer_that_lost_its_lease_or_its_database_signs_no_movement(
    fund: TestFund, tmp_path: Path, url: str, postgres: EmbeddedPostgres, database_name: str, eventually: Callable[..., Any]
) -> None:
    policy, nonce = policy_with_lease(fund, tmp_path / "first", url), count(fund)
    async with running_signer(policy, new_ledger=True):
        await eventually(lambda: is_signed(policy, buy(fund, 100, nonce=nonce)))
        owner = postgres.url("paimon_owner", database_name).replace("+psycopg", "")
        with psycopg.connect(owner, autocommit=True) as session:
            session.execute("UPDATE ops.signer_leases SET owner = 'another', epoch = epoch + 1")
        # At once, and not only when it notices by itself: the lease is renewed before each movement.
        assert await refusal_code(signer_client(policy), buy(fund, 100, nonce=nonce)) == "LEASE_NOT_HELD"
        await signer_client(policy).sign(uses_up(fund, nonce))
    away = policy_with_lease(fund, tmp_path / "away", NOWHERE)
    async with running_signer(away, new_ledger=True):
        assert await refusal_code(signer_client(away), buy(fund, 100, nonce=nonce)) == "LEASE_NOT_HELD"
        await signer_client(away).sign(uses_up(fund, nonce))


async def test_signer_that_stops_leaves_its_lease_at_once(
    fund: TestFund, tmp_path: Path, url: str, eventually: Callable[..., Any]
) -> None:
    """The lease lasts so long that one which is not released is not taken within the test."""
    policy = policy_with_lease(fund, tmp_path / "first", url, ttl_seconds=3_600)
    for is_first in (True, False):
        async with running_signer(policy, new_ledger=is_first):
            await eventually(lambda: is_signed(policy, buy(fund, 100, nonce=count(fund))))


def test_signers_role_writes_its_leases_and_reads_nothing_else(
    postgres: EmbeddedPostgres, url: str, database_name: str, fund: TestFund
) -> None:
    name = f"signer of {checksum(parse_address(fund.accounts.address('hot')))}"
    take = f"INSERT INTO ops.signer_leases VALUES ('{name}', 'me', 1, now() + interval '1 hour')"
    for role in DatabaseRole:
        with psycopg.connect(postgres.url(role.server_name("paimon_"), database_name).replace("+psycopg", "")) as session:
            if role is DatabaseRole.SIGNER:
                session.execute(take)
            else:
                with pytest.raises(InsufficientPrivilege):
                    session.execute(take)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as session:
        for table in TABLES.keys() - {"ops.signer_leases"}:
            with pytest.raises(InsufficientPrivilege):
                session.execute(f"SELECT * FROM {table}")


@pytest.mark.parametrize("role", ["paimon_api", "paimon_worker"])
def test_signer_refuses_a_database_role_that_is_not_its_own(
    fund: TestFund,
    tmp_path: Path,
    postgres: EmbeddedPostgres,
    database: Database,
    database_name: str,
    cli: CliRunner,
    role: str,
) -> None:
    policy = policy_with_lease(fund, tmp_path / "signer", postgres.url(role, database_name))
    process = cli.start("signer", "--policy", str(policy), "--new-ledger", env={})
    assert process.wait() == 2
    assert f"the database role {role} is not fit for the role signer: it lacks " in process.output_text
    assert "database_url of [leases]" in process.output_text
