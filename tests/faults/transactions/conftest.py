"""Chains for these tests alone: they make and undo thousands of blocks, and anvil forgets the state of old blocks.

Each chain has the fund's Safes, and the signer executes for them.
"""

import os
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Literal

import pytest
from eth_utils.crypto import keccak
from tests.support.chain.fund import TestFund, start_fund
from tests.support.paths import CONTRACTS
from tests.support.scenarios.multisig import FundSafes, safe_policy
from tests.support.signing import signer_client

from paimon.gateway.signer.process import running_signer
from paimon.infrastructure.keys.client import SignerClient
from paimon_devkit.stack.embedded_chain import find_anvil

_numbers = count(1)


def _chain_scope(fixture_name: str, config: pytest.Config) -> Literal["function", "module"]:
    """Share a chain among the tests of a module in the short form."""
    return "function" if os.environ.get("PAIMON_LONG_FAULTS") == "1" else "module"


@pytest.fixture(scope=_chain_scope)
def deployed_fund(data_folder: Path) -> Iterator[TestFund]:
    fund = start_fund(data_folder / f"chain-{next(_numbers)}", anvil=find_anvil(CONTRACTS))
    yield fund
    fund.node.stop()


@pytest.fixture(scope=_chain_scope)
def fund_safes(deployed_fund: TestFund) -> FundSafes:
    safes = FundSafes.deploy(deployed_fund)
    safes.safe_factory.grant(safes.warm, keccak(text="REBALANCER_ROLE"))
    return safes


@pytest.fixture
async def signer(fund: TestFund, fund_safes: FundSafes, tmp_path: Path) -> AsyncIterator[SignerClient]:
    policy = safe_policy(fund, fund_safes, tmp_path)
    async with running_signer(policy, new_ledger=True):
        yield signer_client(policy)


@pytest.fixture
def fund(deployed_fund: TestFund, fund_safes: FundSafes) -> Iterator[TestFund]:
    """The fund with a final block whose state anvil still has."""
    snapshot = deployed_fund.snapshot()
    deployed_fund.wait_until_final()
    yield deployed_fund
    deployed_fund.revert(snapshot)
