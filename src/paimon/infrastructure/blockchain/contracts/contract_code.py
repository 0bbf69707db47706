"""What a contract's code shows without running it: the functions it dispatches, the errors it has, where a proxy points.

A contract in Solidity compares the first four bytes of the call data with each of its selectors and jumps. That comparison is
what is looked for, so the selector of a function that the contract only *calls* elsewhere is not taken for one of its own.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from paimon.domain.kernel.chain import Address

SELECTOR_BYTES: Final = 4

_PUSH1, _PUSH4, _PUSH32 = 0x60, 0x63, 0x7F
_DUP1, _DUP16 = 0x80, 0x8F
_SHL, _JUMPI = 0x1B, 0x57
_COMPARISONS: Final = frozenset({0x14, 0x18, 0x03})
"""EQ; XOR and SUB, which are zero for equal words."""
_COMPARED_WITHIN: Final = 2
"""At most this many DUPs stand between a selector and its comparison."""

_MINIMAL_PROXY_HEAD: Final = bytes.fromhex("363d3d373d3d3d363d73")
_MINIMAL_PROXY_TAIL: Final = bytes.fromhex("5af43d82803e903d91602b57fd5bf3")


class _Instruction(NamedTuple):
    opcode: int
    pushed: bytes


def _instructions(code: bytes) -> Iterator[_Instruction]:
    position = 0
    while position < len(code):
        opcode = code[position]
        size = opcode - _PUSH1 + 1 if _PUSH1 <= opcode <= _PUSH32 else 0
        yield _Instruction(opcode, code[position + 1 : position + 1 + size])
        position += 1 + size


def dispatched_selectors(code: bytes) -> frozenset[bytes]:
    """Return the selectors that the code compares the call with. A selector with leading zeros is pushed without them."""
    instructions = list(_instructions(code))
    return frozenset(
        instruction.pushed.rjust(SELECTOR_BYTES, b"\0")
        for index, instruction in enumerate(instructions)
        if 1 < len(instruction.pushed) <= SELECTOR_BYTES
        and _is_dispatch(instructions[index + 1 : index + 4 + _COMPARED_WITHIN])
    )


def _is_dispatch(following: Sequence[_Instruction]) -> bool:
    """Report whether a comparison and a conditional jump follow."""
    start = next(
        (index for index, instruction in enumerate(following) if not _DUP1 <= instruction.opcode <= _DUP16), len(following)
    )
    compared, target, jump = (*following[start : start + 3], *[_Instruction(0, b"")] * 3)[:3]
    return compared.opcode in _COMPARISONS and bool(target.pushed) and jump.opcode == _JUMPI


def has_error(code: bytes, selector: bytes) -> bool:
    """Report whether the code builds revert data with this selector: as one word, or shifted to a word's start."""
    word = int.from_bytes(selector) << 224
    instructions = list(_instructions(code))
    for index, (_opcode, pushed) in enumerate(instructions):
        if not pushed:
            continue
        value = int.from_bytes(pushed)
        if value == word or pushed == selector:
            return True
        shift, by = (*instructions[index + 1 : index + 3], *[_Instruction(0, b"")] * 2)[:2]
        if by.opcode == _SHL and shift.pushed and value << int.from_bytes(shift.pushed) == word:
            return True
    return False


def minimal_proxy_target(code: bytes) -> Address | None:
    """Return the implementation of a minimal proxy (ERC-1167), whose code contains it; None for any other code."""
    target = code.removeprefix(_MINIMAL_PROXY_HEAD).removesuffix(_MINIMAL_PROXY_TAIL)
    is_proxy = len(target) == 20 and code == _MINIMAL_PROXY_HEAD + target + _MINIMAL_PROXY_TAIL
    return Address(target) if is_proxy else None
