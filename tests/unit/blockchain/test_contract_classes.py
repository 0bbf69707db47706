"""The typed contract classes: each read names a function of its ABI and converts every result of that function."""

import inspect
from collections.abc import Callable
from typing import Any, Final

import pytest
from eth_abi.abi import encode
from tests.support.factories.strategies import address

from paimon.domain.kernel.chain import ContractName, Hash32, hex0x
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.safe_transaction import SafeOperation, SafeTransaction
from paimon.infrastructure.blockchain.abi.contract_abi import Parameter, load_abi
from paimon.infrastructure.blockchain.contracts.asset_controller import AssetController
from paimon.infrastructure.blockchain.contracts.asset_scheduler import AssetScheduler
from paimon.infrastructure.blockchain.contracts.contract import Contract
from paimon.infrastructure.blockchain.contracts.erc20 import Erc20
from paimon.infrastructure.blockchain.contracts.oracle_adapter import OracleAdapter
from paimon.infrastructure.blockchain.contracts.otc_manager import OtcManager
from paimon.infrastructure.blockchain.contracts.reads import ContractRead, FailedRead
from paimon.infrastructure.blockchain.contracts.redemption_manager import RedemptionManager
from paimon.infrastructure.blockchain.contracts.safe import Safe
from paimon.infrastructure.blockchain.contracts.vault import Vault

pytestmark = pytest.mark.unit

HERE: Final = address(0xC0)
CONTRACTS: Final[tuple[Contract, ...]] = (
    Vault(HERE, load_abi(ContractName.VAULT.value)),
    RedemptionManager(HERE, load_abi(ContractName.REDEMPTION_MANAGER.value)),
    AssetController(HERE, load_abi(ContractName.ASSET_CONTROLLER.value)),
    OtcManager(HERE, load_abi(ContractName.OTC_MANAGER.value)),
    AssetScheduler(HERE),
    OracleAdapter(HERE),
    Erc20(HERE),
    Safe(HERE),
)
ARGUMENTS: Final[dict[str, Any]] = {
    "role": Hash32(bytes(32)),
    "account": address(1),
    "holder": address(1),
    "token": address(2),
    "request_id": 1,
    "order_id": 1,
    "window_id": 1,
    "transaction": SafeTransaction(Call(address(3), b"\x01", RawAmount(0)), SafeOperation.CALL, 4),
    "transaction_hash": Hash32(bytes(32)),
    "preimage": b"\x02",
    "signatures": bytes(65),
    "required": 1,
}


def builders(contract: Contract) -> list[Callable[..., ContractRead[Any]]]:
    methods = inspect.getmembers(contract, inspect.ismethod)
    return [method for name, method in methods if not name.startswith("_")]


def sample(parameter: Parameter) -> Any:
    """Return a value of the type, as eth_abi encodes it."""
    if parameter.type.endswith("[]"):
        element = Parameter(parameter.name, parameter.type.removesuffix("[]"), components=parameter.components)
        return [sample(element), sample(element)]
    if parameter.components:
        return tuple(sample(component) for component in parameter.components)
    return {"address": hex0x(address(7)), "bool": True, "string": "1.4.1", "bytes32": bytes(32)}.get(parameter.type, 5)


@pytest.mark.parametrize(
    "build", [build for contract in CONTRACTS for build in builders(contract)], ids=lambda build: build.__qualname__
)
def test_read_converts_a_result_of_its_function(build: Callable[..., ContractRead[Any]]) -> None:
    read = build(**{name: ARGUMENTS[name] for name in inspect.signature(build).parameters})
    function = read.abi.functions[read.function]
    assert read.build_request(Hash32(bytes(32)))[0] == "eth_call"
    answer = encode([output.type for output in function.outputs], [sample(output) for output in function.outputs])
    assert not isinstance(read.decode(hex0x(answer)), FailedRead)
