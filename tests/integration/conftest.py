"""A running signer, and a driver with everything it needs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.sending import Office
from tests.support.signing import LARGE, client_of, make_policy
from tests.support.testfund import TestFund

from paimon.domain.chain import parse_address
from paimon.gateway.signer.process import running_signer
from paimon.infrastructure.blockchain.contracts import FundContracts
from paimon.infrastructure.blockchain.rpc import Rpc
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.client import SignerClient
from paimon.settings import SendingSettings


@pytest.fixture
async def signer(fund: TestFund, tmp_path: Path) -> AsyncIterator[SignerClient]:
    policy = make_policy(fund, tmp_path)
    async with running_signer(policy):
        yield client_of(policy)


@pytest.fixture
def awaiting(fund: TestFund) -> int:
    """A final request that awaits approval; its owner and receiver is Ines."""
    request_id = fund.request("ines", LARGE)
    fund.wait_final()
    return request_id


@pytest.fixture
async def office(fund: TestFund, database: Database, signer: SignerClient) -> AsyncIterator[Office]:
    """The keeper's and the approver's driver."""
    keeper, approver = (parse_address(fund.people.address(name)) for name in ("keeper", "approver"))
    async with Rpc(fund.rpc_url, timeout_seconds=10, attempts_max=2) as rpc:
        options = SendingSettings(keeper=keeper, approver=approver)
        yield Office(fund, database, FundContracts(rpc, fund.addresses), signer, options)
