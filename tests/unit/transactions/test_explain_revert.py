"""A revert is explained whichever contract it comes from: the fund's contracts pass on the errors of those that they call."""

from importlib.resources import files
from typing import Final, cast

import pytest
from eth_abi.abi import encode

from paimon.application.transactions.driver.node_queries import explain_revert
from paimon.domain.kernel.chain import Address
from paimon.infrastructure.blockchain.abi.contract_abi import AbiEntry, load_abi
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses, FundContracts
from paimon.infrastructure.blockchain.rpc.pool import Rpc

SHIPPED: Final = sorted(
    file.name.removesuffix(".json")
    for file in files("paimon.infrastructure.blockchain.abi").iterdir()
    if file.name.endswith(".json")
)
ZERO: Final = {"address": "0x" + "00" * 20, "bytes32": b"\x00" * 32, "string": "", "bytes": b"", "bool": False}


@pytest.fixture
def contracts() -> FundContracts:
    """The fund's contracts without a node: nothing is read."""
    return FundContracts(cast(Rpc, None), FundAddresses(*(Address(bytes([number]) * 20) for number in (1, 2, 3))))


def data_of(error: AbiEntry) -> bytes:
    kinds = [parameter.type for parameter in error.inputs]
    return error.selector + encode(kinds, [ZERO.get(kind, 0) for kind in kinds])


@pytest.mark.parametrize("name", SHIPPED)
def test_every_error_of_every_contract_is_explained_by_its_name(contracts: FundContracts, name: str) -> None:
    for error in load_abi(name).errors_by_selector.values():
        found = explain_revert(contracts, data_of(error))
        assert found.error_name == error.name
        assert f"{error.name}(" in str(found)


def test_swap_that_would_bring_too_little_is_named_with_its_figures(contracts: FundContracts) -> None:
    data = bytes.fromhex("2c19b8b8") + encode(["uint256", "uint256"], [94, 95])
    assert str(explain_revert(contracts, data)) == "InsufficientOutput(amountOut=94, minimum=95)"
