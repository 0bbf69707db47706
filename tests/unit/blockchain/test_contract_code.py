"""What code shows without running it: exactly the functions of its ABI, for contracts of several compilers and settings."""

import json
from pathlib import Path
from typing import Final

import pytest
import safe_eth.eth.contracts
from eth_utils.crypto import keccak
from tests.support.paths import CONTRACTS

from paimon.domain.kernel.chain import Address
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi
from paimon.infrastructure.blockchain.contracts.contract_code import dispatched_selectors, has_error, minimal_proxy_target

pytestmark = pytest.mark.unit

_SAFE_ABIS: Final = Path(safe_eth.eth.contracts.__file__).parent / "abis"
ARTIFACTS: Final = [
    *sorted((CONTRACTS / "artifacts").glob("*.json")),  # a new compiler, by way of Yul, with the optimiser
    *sorted(_SAFE_ABIS.glob("*Safe_V1_*.json")),  # older compilers, without either
]


@pytest.mark.parametrize("artifact", ARTIFACTS, ids=lambda path: path.stem)
def test_dispatched_selectors_are_exactly_the_functions_of_the_abi(artifact: Path) -> None:
    content = json.loads(artifact.read_text())
    code = bytes.fromhex(content["bytecode"].removeprefix("0x"))
    assert dispatched_selectors(code) == set(ContractAbi(content["abi"]).functions_by_selector)


def test_selector_that_is_only_called_is_no_function_of_the_caller() -> None:
    controller = bytes.fromhex(json.loads((CONTRACTS / "artifacts/AssetController.json").read_text())["bytecode"][2:])
    called = bytes(keccak(text="getPrice(address)")[:4])
    assert called in controller
    assert called not in dispatched_selectors(controller)


def test_errors_that_the_code_builds_are_found_and_others_are_not() -> None:
    content = json.loads((CONTRACTS / "artifacts/RedemptionManager.json").read_text())
    code = bytes.fromhex(content["bytecode"][2:])
    own = [bytes(keccak(text=text)[:4]) for text in ("RequestNotFound(uint256)", "NotPendingApproval(uint256)")]
    assert all(has_error(code, error) for error in own)
    assert not has_error(code, bytes(keccak(text="CancellationDisabled()")[:4]))


def test_error_is_found_however_the_compiler_writes_its_word() -> None:
    error = bytes.fromhex("7981b69e")
    for code in ("7f7981b69e" + "00" * 28, "637981b69e60e01b", "633cc0db4f60e11b"):
        assert has_error(bytes.fromhex(code), error), code
    assert not has_error(bytes.fromhex("637981b69d60e01b"), error)


def test_code_of_a_minimal_proxy_names_its_implementation() -> None:
    target = Address(bytes(range(20)))
    code = bytes.fromhex("363d3d373d3d3d363d73") + target + bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
    assert minimal_proxy_target(code) == target
    assert minimal_proxy_target(code[:-1]) is None
    assert minimal_proxy_target(b"") is None
    assert minimal_proxy_target(target) is None
