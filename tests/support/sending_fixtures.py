"""Fixtures of sending: a running signer, a driver's harness, the Safes, and databases of every edition of TimescaleDB."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner
from tests.support.database_roles import acting_as
from tests.support.editions import EditionDatabase, EditionServers
from tests.support.scenarios.multisig import FundSafes, SafeHarness, multisig_by_roles, safe_policy
from tests.support.scenarios.plans import PlanHarness, appoint_operator, appoint_owners, plan_harness_for
from tests.support.scenarios.sending import SendingHarness
from tests.support.signing import LARGE, make_policy, signer_client

from paimon.domain.kernel.chain import parse_address
from paimon.gateway.signer.process import running_signer
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.client import SignerClient
from paimon.infrastructure.timeseries.apply import Edition
from paimon.settings import SendingSettings
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres


@pytest.fixture
async def signer(fund: TestFund, tmp_path: Path) -> AsyncIterator[SignerClient]:
    policy = make_policy(fund, tmp_path)
    async with running_signer(policy, new_ledger=True):
        yield signer_client(policy)


@pytest.fixture
def pending_request_id(fund: TestFund) -> int:
    """A final request that awaits approval; its owner and receiver is Ines."""
    request_id = fund.request("ines", LARGE)
    fund.wait_until_final()
    return request_id


@pytest.fixture
async def worker_database(database: Database) -> AsyncIterator[Database]:
    """Open the database with the rights of the worker."""
    async with acting_as(DatabaseRole.WORKER, database) as opened:
        yield opened


@pytest.fixture
async def harness(
    fund: TestFund, database: Database, worker_database: Database, signer: SignerClient
) -> AsyncIterator[SendingHarness]:
    """The harness of the keeper's and the approver's drivers."""
    keeper, approver = (parse_address(fund.accounts.address(name)) for name in ("keeper", "approver"))
    async with Rpc(fund.rpc_url, timeout_seconds=10, attempts_max=2) as rpc:
        options = SendingSettings(keeper=keeper, approver=approver)
        yield SendingHarness(fund, database, worker_database, FundContracts(rpc, fund.addresses), signer, options)


@pytest.fixture(scope="session")
def cli_runner() -> Iterator[CliRunner]:
    """The one process that imports every command, for all tests."""
    with CliRunner() as runner:
        yield runner


@pytest.fixture
def cli(cli_runner: CliRunner) -> Iterator[CliRunner]:
    """Start `paimon …` as processes. Those that still run at the test's end are killed."""
    yield cli_runner
    cli_runner.kill_all()


@pytest.fixture(scope="session")
def editions(postgres: EmbeddedPostgres, data_folder: Path) -> Iterator[EditionServers]:
    with ExitStack() as stack:
        yield EditionServers(postgres, data_folder, stack)


@pytest.fixture(params=list(Edition), ids=lambda edition: edition.name.lower())
def edition_database(editions: EditionServers, request: pytest.FixtureRequest) -> Iterator[EditionDatabase]:
    """An empty database; the test runs once for each edition."""
    with editions.store(request.param) as opened:
        yield opened


@pytest.fixture
def fund_safes(fund: TestFund) -> FundSafes:
    """The warm and the cold Safe, as Safe 1.4.1 deploys them."""
    return FundSafes.deploy(fund)


@pytest.fixture
async def safe_harness(fund_safes: FundSafes, database: Database, fund: TestFund) -> AsyncIterator[SafeHarness]:
    """The harness of the Safes' use cases."""
    async with (
        Rpc(fund.rpc_url, timeout_seconds=10, attempts_max=2) as rpc,
        multisig_by_roles(fund_safes, database, rpc) as harness,
    ):
        yield harness


@pytest.fixture
async def plan_harness(
    safe_harness: SafeHarness, worker_database: Database, fund: TestFund, tmp_path: Path
) -> AsyncIterator[PlanHarness]:
    """The harness of plans for the three wallets."""
    path = safe_policy(fund, safe_harness.safes, tmp_path)
    addresses = {name: parse_address(fund.accounts.address(name)) for name in ("keeper", "approver")}
    context = safe_harness.context
    async with running_signer(path, new_ledger=True):
        options = SendingSettings(**addresses)
        harness = SendingHarness(fund, safe_harness.database, worker_database, context.contracts, signer_client(path), options)
        await appoint_owners(safe_harness.database, fund)
        await appoint_operator(safe_harness.database, fund)
        yield plan_harness_for(harness, safe_harness)
