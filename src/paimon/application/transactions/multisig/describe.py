"""Describe the calls of a Safe transaction from its bytes, with the fund's own names as far as they are known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paimon.domain.kernel.chain import Address, ContractName, checksum, hex0x
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.multi_send import MalformedBatch, UntrustedDelegatecall, read_safe_calls
from paimon.domain.transaction.safe_transaction import SafeTransaction
from paimon.infrastructure.blockchain.abi.contract_abi import UnknownCall, load_abi, to_json_value
from paimon.infrastructure.blockchain.contracts.fund import FundContracts


@dataclass(frozen=True, slots=True)
class DescribedCall:
    """One inner call. `contract` and `function` are None where they are not known."""

    call: Call
    contract: ContractName | None
    function: str | None
    arguments: Mapping[str, Any]
    description: str


def describe_transaction(
    transaction: SafeTransaction, safe: Address, contracts: FundContracts, *, multi_send: Address
) -> list[DescribedCall]:
    """Describe every call that the Safe would make, in order. A call that cannot be read is reported, never left out."""
    try:
        calls = read_safe_calls(transaction.call, transaction.operation, multi_send=multi_send)
    except (UntrustedDelegatecall, MalformedBatch) as error:
        return [DescribedCall(transaction.call, None, None, {}, f"DO NOT SIGN: {error}")]
    return [_describe_call(call, safe, transaction.nonce, contracts) for call in calls]


def _describe_call(call: Call, safe: Address, nonce: int, contracts: FundContracts) -> DescribedCall:
    if call == Call(safe, b""):
        return DescribedCall(call, None, None, {}, f"nothing, but uses up nonce {nonce}: rejects every other proposal for it")
    value = f" with {call.value_wei} wei" if call.value_wei else ""
    contract = contracts.addresses.names().get(call.to)
    abi = load_abi("Safe") if call.to == safe else None if contract is None else contracts.abis[contract]
    where = "the Safe itself" if call.to == safe else contract or f"unknown contract {checksum(call.to)}"
    if abi is None:
        return DescribedCall(call, None, None, {}, f"{where}: {len(call.data)} bytes {hex0x(call.data[:4])}…{value}")
    try:
        function, arguments = abi.decode_call(call.data)
    except UnknownCall as error:
        return DescribedCall(call, contract, None, {}, f"{where}: {error}{value}")
    plain_arguments = to_json_value(arguments)
    description = f"{describe_call(where, function, plain_arguments)}{value}"
    return DescribedCall(call, contract, function, plain_arguments, description)


def describe_call(where: str, function: str, arguments: Mapping[str, Any]) -> str:
    """`AssetController.allocateToLayer(tier=1, amount=5)`"""
    return f"{where}.{function}({', '.join(f'{name}={value}' for name, value in arguments.items())})"
