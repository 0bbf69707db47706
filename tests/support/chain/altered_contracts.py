"""Turn contracts of the test fund into those of other deployments: without functions, with failing ones, behind proxies."""

from collections.abc import Iterable, Mapping
from itertools import accumulate
from types import MappingProxyType
from typing import Final

from eth_utils.crypto import keccak
from tests.support.chain.fund import TestFund

from paimon.domain.kernel.chain import Address, checksum, hex0x

IMPLEMENTATION_SLOT: Final = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
ADMIN_SLOT: Final = "0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103"
BEACON_SLOT: Final = "0xa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50"

_NO_FUNCTION: Final = bytes.fromhex("deadbeef")
_REVERT: Final = bytes.fromhex("5b5f5ffd")


def selector(signature: str) -> bytes:
    return bytes(keccak(text=signature)[:4])


def remove_functions(fund: TestFund, address: Address, signatures: Iterable[str]) -> None:
    """Take functions out of a contract: its dispatcher compares the call with a selector that no one uses instead."""
    code = code_at(fund, address)
    for signature in signatures:
        pushed = b"\x63" + selector(signature)
        assert pushed in code, f"{signature} is no function of this contract"
        code = code.replace(pushed, b"\x63" + _NO_FUNCTION)
    set_code(fund, address, code)


def make_proxy(
    fund: TestFund,
    address: Address,
    implementation: Address,
    *,
    failing: Iterable[str] = (),
    answers: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Move a contract's code to `implementation`, and put a proxy in its place that reverts on the failing functions.

    `answers` has functions that the proxy answers itself, with a number.
    """
    set_code(fund, implementation, code_at(fund, address))
    set_code(fund, address, proxy_code(implementation, failing, answers))
    set_slot(fund, address, IMPLEMENTATION_SLOT, implementation)


def proxy_code(
    implementation: Address, failing: Iterable[str] = (), answers: Mapping[str, int] = MappingProxyType({})
) -> bytes:
    """Return the code of a proxy: revert or answer for some selectors, else delegate the call, and end as that does."""
    own = [*failing, *answers]
    ends = [_REVERT] * (len(own) - len(answers)) + [
        bytes.fromhex("5b7f") + number.to_bytes(32) + bytes.fromhex("5f5260205ff3") for number in answers.values()
    ]
    checks = [bytes.fromhex("5f3560e01c63") + selector(signature) + bytes.fromhex("1461") for signature in own]
    check_size = 5 + 5 + 1 + 3 + 1  # selector of the call; the failing one; EQ; PUSH2 target; JUMPI
    delegate = bytes.fromhex("365f5f375f5f365f73") + implementation + bytes.fromhex("5af43d5f5f3e")
    returned = len(checks) * check_size + len(delegate) + 4 + 3
    body = delegate + b"\x61" + returned.to_bytes(2) + b"\x57" + bytes.fromhex("3d5ffd5b3d5ff3")
    targets = accumulate((len(end) for end in ends), initial=len(checks) * check_size + len(body))
    jumps = (check + target.to_bytes(2) + b"\x57" for check, target in zip(checks, targets, strict=False))
    return b"".join((*jumps, body, *ends))


def code_at(fund: TestFund, address: Address) -> bytes:
    return bytes.fromhex(fund.node.rpc.call("eth_getCode", checksum(address), "latest")[2:])


def set_code(fund: TestFund, address: Address, code: bytes) -> None:
    fund.node.rpc.call("anvil_setCode", checksum(address), hex0x(code))


def set_slot(fund: TestFund, address: Address, slot: str, value: Address) -> None:
    fund.node.rpc.call("anvil_setStorageAt", checksum(address), slot, hex0x(bytes(12) + value))
