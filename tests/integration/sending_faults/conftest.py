"""A chain of these tests' own. They make and undo thousands of blocks, and a chain forgets its oldest states for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.testfund import CONTRACTS, TestFund, start_fund

from paimon.gateway.cli.demo.anvil import find_anvil


@pytest.fixture(scope="module")
def deployed_fund(data_folder: Path, request: pytest.FixtureRequest) -> Iterator[TestFund]:
    fund = start_fund(data_folder / request.module.__name__.rpartition(".")[2], anvil=find_anvil(CONTRACTS))
    yield fund
    fund.node.stop()


@pytest.fixture
def fund(deployed_fund: TestFund) -> Iterator[TestFund]:
    """As anywhere, and with a final block whose state is not forgotten yet."""
    snapshot = deployed_fund.node.rpc.call("evm_snapshot")
    deployed_fund.wait_final()
    yield deployed_fund
    deployed_fund.node.rpc.call("evm_revert", snapshot)
