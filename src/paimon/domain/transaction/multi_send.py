"""Encode several calls in one Safe transaction that makes all or none of them, and decode them strictly.

The Safe runs MultiSendCallOnly by delegatecall, in its own name; that library is the only code trusted so far. The "call
only" version is used because the other one lets each inner call be a delegatecall again. Source: Safe 1.4.1,
`MultiSendCallOnly`.

    each call   operation (1 byte, 0) ‖ to (20) ‖ value (32) ‖ length of data (32) ‖ data
"""

from collections.abc import Sequence
from typing import Final

from eth_utils.crypto import keccak

from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.safe_transaction import SafeOperation, SafeTransaction, abi_word

_SELECTOR: Final = bytes(keccak(text="multiSend(bytes)")[:4])
_HEADER_BYTES: Final = 1 + 20 + 32 + 32


class MalformedBatch(ValueError):
    """The call data is not a batch of plain calls, complete and without extra bytes."""


class UntrustedDelegatecall(ValueError):
    """The Safe would run foreign code in its own name."""


def encode_batch(calls: Sequence[Call]) -> bytes:
    """Encode the call data of `multiSend`."""
    packed = b"".join(b"\0" + call.to + abi_word(call.value_wei) + abi_word(len(call.data)) + call.data for call in calls)
    return _SELECTOR + abi_word(32) + abi_word(len(packed)) + packed + bytes(-len(packed) % 32)


def decode_batch(data: bytes) -> tuple[Call, ...]:
    """Decode the calls of a batch.

    Raises:
        MalformedBatch: also for bytes that the encoder would write differently, since they could be read in two ways.
    """
    if data[:4] != _SELECTOR:
        raise MalformedBatch("a batch is a call of multiSend(bytes)")
    packed = data[68 : 68 + int.from_bytes(data[36:68])]
    calls: list[Call] = []
    while packed:
        if len(packed) < _HEADER_BYTES or packed[0] != SafeOperation.CALL:
            raise MalformedBatch(f"call {len(calls) + 1} of the batch is truncated, or not a plain call")
        end = _HEADER_BYTES + int.from_bytes(packed[53:_HEADER_BYTES])
        calls.append(Call(Address(packed[1:21]), packed[_HEADER_BYTES:end], RawAmount(int.from_bytes(packed[21:53]))))
        packed = packed[end:]
    if encode_batch(calls) != data:
        raise MalformedBatch("the batch has bytes that belong to no call")
    return tuple(calls)


def build_safe_transaction(calls: Sequence[Call], nonce: int, *, multi_send: Address) -> SafeTransaction:
    """Build the Safe transaction: one call as it is, several through MultiSend.

    Raises:
        ValueError: there is no call.
    """
    if not calls:
        raise ValueError("a Safe transaction makes at least one call")
    if len(calls) == 1:
        return SafeTransaction(calls[0], SafeOperation.CALL, nonce)
    return SafeTransaction(Call(multi_send, encode_batch(calls)), SafeOperation.DELEGATECALL, nonce)


def read_safe_calls(call: Call, operation: SafeOperation, *, multi_send: Address) -> tuple[Call, ...]:
    """Return the calls that the Safe would really make.

    Raises:
        UntrustedDelegatecall: a delegatecall to anything but the trusted MultiSend, or with value.
        MalformedBatch: the batch cannot be read.
    """
    if operation is SafeOperation.CALL:
        return (call,)
    if call.to != multi_send or call.value_wei:
        raise UntrustedDelegatecall(
            f"a delegatecall to {checksum(call.to)} would run foreign code as the Safe; only {checksum(multi_send)} may"
        )
    return decode_batch(call.data)
