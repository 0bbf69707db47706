"""Examine the fund's contracts at one block: proxies, code, and which functions they have and answer.

    1. code and proxy slots of each contract                                one request
    2. the implementation that a beacon names; the implementations' code    one request each, where there are proxies
    3. every expected function that reads without arguments, asked          one request

What the code shows and what the contract answers are put together (`_function_state`). The code says that a function exists,
also one that cannot be asked without effect. The answer says that it works, and with which shape. The first two steps alone say
what program each contract is (`read_programs`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from eth_utils.crypto import keccak

from paimon.domain.deployment.capability import DISABLED_BY_ERROR, expected_functions
from paimon.domain.deployment.contract_facts import ContractFacts, Deployment, FunctionState
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, Hash32, checksum, hex0x
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi
from paimon.infrastructure.blockchain.contracts.contract_code import (
    SELECTOR_BYTES,
    dispatched_selectors,
    has_error,
    minimal_proxy_target,
)
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.reads import ContractRead, FailedRead, FailureKind
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.errors import RpcError

_WORD_BYTES: Final = 32

EXAMINED: Final = (ContractName.VAULT, ContractName.REDEMPTION_MANAGER, ContractName.ASSET_CONTROLLER)


def _slot(label: str) -> str:
    """Return a storage slot of ERC-1967: one below the hash of its label, so that no variable can be there."""
    return hex0x((int.from_bytes(keccak(text=label)) - 1).to_bytes(32))


_IMPLEMENTATION_SLOT: Final = _slot("eip1967.proxy.implementation")
_ADMIN_SLOT: Final = _slot("eip1967.proxy.admin")
_BEACON_SLOT: Final = _slot("eip1967.proxy.beacon")
_BEACON_IMPLEMENTATION: Final = hex0x(keccak(text="implementation()")[:SELECTOR_BYTES])
_HALLMARK: Final = bytes(keccak(text="hasRole(bytes32,address)")[:SELECTOR_BYTES])
"""A function of every contract of the fund. Code that does not show this one shows none: it was not compiled as usual."""


@dataclass(frozen=True, slots=True)
class Program:
    """The code that runs at an address, and where it came from."""

    own: bytes
    running: bytes
    implementation: Address | None
    admin: Address | None

    @property
    def selectors(self) -> frozenset[bytes] | None:
        """Return the functions that the code shows, the proxy's own among them; None where it shows none."""
        running = dispatched_selectors(self.running)
        return running | dispatched_selectors(self.own) if _HALLMARK in running else None


async def read_deployment(contracts: FundContracts, *, at: BlockStamp) -> Deployment:
    """Examine the three contracts at a block.

    Raises:
        RpcUnavailable, RpcError: the node's failures, which say nothing of the contracts.
    """
    return await ask_functions(contracts, await read_programs(contracts, at=at), at=at)


async def ask_functions(contracts: FundContracts, programs: Mapping[ContractName, Program], *, at: BlockStamp) -> Deployment:
    """Ask each expected function, and put the answers beside what the code shows. Raises as `read_deployment`."""
    reads = [
        ContractRead(contracts.address(name), contracts.abis[name], signature, (), lambda value: value)
        for name in EXAMINED
        for signature in expected_functions(name)
        if _is_askable(contracts.abis[name], signature)
    ]
    answers = await contracts.try_read(reads, at=at)
    answered = {(read.address, read.function): answer for read, answer in zip(reads, answers, strict=True)}
    return Deployment(at, tuple(_facts(name, contracts, programs[name], answered) for name in EXAMINED))


def show_functions(contracts: FundContracts, programs: Mapping[ContractName, Program], *, at: BlockStamp) -> Deployment:
    """Return what the code alone shows, where the contracts could not be asked."""
    return Deployment(at, tuple(_facts(name, contracts, programs[name], {}) for name in EXAMINED))


def _is_askable(abi: ContractAbi, signature: str) -> bool:
    entry = abi.functions.get(signature)
    return entry is not None and entry.is_read and not entry.inputs


def _facts(
    name: ContractName, contracts: FundContracts, program: Program, answered: Mapping[tuple[Address, str], Any]
) -> ContractFacts:
    address, abi, selectors = contracts.address(name), contracts.abis[name], program.selectors
    expected = {signature: bytes(keccak(text=signature)[:SELECTOR_BYTES]) for signature in expected_functions(name)}
    known = {*abi.functions_by_selector, *expected.values()}
    return ContractFacts(
        contract=name,
        address=address,
        code_hash=Hash32(keccak(program.running)),
        implementation=program.implementation,
        admin=program.admin,
        functions={
            signature: _function_state(
                None if selectors is None else selector in selectors,
                is_asked=(address, signature) in answered,
                answer=answered.get((address, signature)),
            )
            for signature, selector in expected.items()
        },
        errors=frozenset(
            error
            for contract, error in DISABLED_BY_ERROR.values()
            if contract is name and has_error(program.running, bytes(keccak(text=error)[:SELECTOR_BYTES]))
        ),
        unknown_selectors=tuple(sorted((selectors or frozenset()) - known)),
    )


def _function_state(in_code: bool | None, *, is_asked: bool, answer: Any) -> FunctionState:
    """Put together what the code shows (None: nothing) and what the contract answered.

    | in code | not asked | a value | reverted | no bytes    | other bytes |
    |---------|-----------|---------|----------|-------------|-------------|
    | yes     | PRESENT   | PRESENT | REVERTS  | OTHER_SHAPE | OTHER_SHAPE |
    | no      | ABSENT    | PRESENT | ABSENT   | ABSENT      | ABSENT      |
    | unknown | UNKNOWN   | PRESENT | UNKNOWN  | ABSENT      | OTHER_SHAPE |

    A revert alone does not tell a function that fails from one that is not there. A fallback function answers anything.
    """
    if not is_asked:
        return {True: FunctionState.PRESENT, False: FunctionState.ABSENT, None: FunctionState.UNKNOWN}[in_code]
    if not isinstance(answer, FailedRead):
        return FunctionState.PRESENT
    if in_code is False:
        return FunctionState.ABSENT
    if answer.kind is FailureKind.REVERTED:
        return FunctionState.REVERTS if in_code else FunctionState.UNKNOWN
    is_empty = answer.kind is FailureKind.NO_CODE
    return FunctionState.ABSENT if is_empty and not in_code else FunctionState.OTHER_SHAPE


async def read_programs(contracts: FundContracts, *, at: BlockStamp) -> dict[ContractName, Program]:
    """Read the code that runs at each address. Raises as `read_deployment`."""
    block = {"blockHash": hex0x(at.hash)}
    addresses = [contracts.address(name) for name in EXAMINED]
    requests: list[Request] = []
    for address in map(checksum, addresses):
        requests.append(("eth_getCode", [address, block]))
        requests.extend(
            ("eth_getStorageAt", [address, slot, block]) for slot in (_IMPLEMENTATION_SLOT, _ADMIN_SLOT, _BEACON_SLOT)
        )
    rpc = contracts.rpc.state_at(at.number)
    answers = await rpc.batch(requests)
    found = [
        (_bytes(code), _address(implementation), _address(admin), _address(beacon))
        for code, implementation, admin, beacon in zip(*[iter(answers)] * 4, strict=True)
    ]
    beacons = [beacon for _, _, _, beacon in found if beacon is not None]
    named = await rpc.try_batch(
        [("eth_call", [{"to": checksum(beacon), "data": _BEACON_IMPLEMENTATION}, block]) for beacon in beacons]
    )
    by_beacon = dict(zip(beacons, map(_named_by_beacon, named), strict=True))
    targets = [
        implementation or (by_beacon[beacon] if beacon is not None else None) or minimal_proxy_target(code)
        for code, implementation, _, beacon in found
    ]
    proxied = [target for target in targets if target is not None]
    codes = await rpc.batch([("eth_getCode", [checksum(target), block]) for target in proxied])
    by_target = dict(zip(proxied, map(_bytes, codes), strict=True))
    return {
        name: Program(own, own if target is None else by_target[target], target, admin)
        for name, (own, _, admin, _), target in zip(EXAMINED, found, targets, strict=True)
    }


def _bytes(answer: Any) -> bytes:
    try:
        return bytes.fromhex(answer.removeprefix("0x"))
    except (AttributeError, ValueError) as error:
        raise RpcError("eth_getCode", 0, f"the node's answer is no hex text: {str(answer)[:66]}") from error


def _named_by_beacon(answer: Any) -> Address | None:
    """Return the implementation; None where the beacon reverts, which must not stop the examination of the others."""
    if isinstance(answer, RpcError):
        if not answer.is_revert:
            raise answer
        return None
    return _address(answer)


def _address(answer: Any) -> Address | None:
    """Read an address from a word; None for zero, and for what is no word."""
    word = _bytes(answer)[:_WORD_BYTES]
    return Address(word[-20:]) if len(word) == _WORD_BYTES and any(word[-20:]) else None
