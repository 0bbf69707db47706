"""Safe transactions: their content, the hash that owners sign, and the encoding of signatures.

A transaction of this system never pays its executor (gas price 0) and never limits the inner call's gas (`safeTxGas` 0):
with both zero, an inner failure reverts the whole execution and keeps the Safe's nonce. The hash covers these zeros too,
so an owner's signature permits nothing else. Source: Safe 1.4.1, `Safe.encodeTransactionData` and `Safe.checkNSignatures`.

    domain hash   keccak(type ‖ chain ‖ Safe)                         which Safe
    message hash  keccak(type ‖ to ‖ value ‖ keccak(data) ‖ …)        what it does, and its nonce
    hash          keccak(0x19 ‖ 0x01 ‖ domain hash ‖ message hash)    what an owner signs

Hardware wallets show these three hashes, for comparison with those that this system shows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, Final

from eth_utils.crypto import keccak

from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, Hash32, checksum, hex0x, parse_address
from paimon.domain.kernel.eip712 import encode_type
from paimon.domain.kernel.signature import SIGNATURE_BYTES, normalized_signature
from paimon.domain.transaction.lifecycle import Call

SAFE_VERSION: Final = "1.4.1"
"""The only supported version; a Safe of another version is refused."""

MULTI_SEND: Final = parse_address("0x9641d764fc13c8B624c04430C7356C1C7C8102e2")
"""Usual address of MultiSendCallOnly 1.4.1 on every chain. Source: safe-deployments, v1.4.1."""

OWNER_SIGNATURE_BYTES: Final = SIGNATURE_BYTES

_ETH_SIGN_SHIFT: Final = 4
_ETH_SIGN_ENDS: Final = frozenset({27 + _ETH_SIGN_SHIFT, 28 + _ETH_SIGN_SHIFT})


class SafeName(StrEnum):
    """The fund's Safes, smallest first."""

    WARM = "warm"
    COLD = "cold"


class SafeOperation(IntEnum):
    """How a Safe runs its call."""

    CALL = 0
    DELEGATECALL = 1


@dataclass(frozen=True, slots=True)
class SafeScope:
    """The chain and the Safe that a signature counts for."""

    chain_id: int
    safe: Address


@dataclass(frozen=True, slots=True)
class SafeTransaction:
    """One call by a Safe at one of its nonces. Fields of the Safe transaction that are absent here are zero."""

    call: Call
    operation: SafeOperation
    nonce: int


def rejection_transaction(nonce: int, safe: Address) -> SafeTransaction:
    """Build the self-call that invalidates every other transaction at this nonce."""
    return SafeTransaction(Call(safe, b""), SafeOperation.CALL, nonce)


_DOMAIN_TYPE: Final = keccak(text="EIP712Domain(uint256 chainId,address verifyingContract)")
SAFE_TRANSACTION: Final = "SafeTx"
SAFE_TRANSACTION_FIELDS: Final = {
    "to": "address",
    "value": "uint256",
    "data": "bytes",
    "operation": "uint8",
    "safeTxGas": "uint256",
    "baseGas": "uint256",
    "gasPrice": "uint256",
    "gasToken": "address",
    "refundReceiver": "address",
    "nonce": "uint256",
}
"""The primary type of what an owner signs, and its fields by name and Solidity type."""

_TYPE: Final = keccak(text=encode_type(SAFE_TRANSACTION, SAFE_TRANSACTION_FIELDS, {}))


@dataclass(frozen=True, slots=True)
class SafeTransactionHashes:
    """The three hashes that a person compares with those on the wallet's screen."""

    domain: Hash32
    message: Hash32

    @property
    def preimage(self) -> bytes:
        """Return the bytes behind the hash. Safe 1.4.1 passes these, not the hash, to an owner that is a contract."""
        return b"\x19\x01" + self.domain + self.message

    @property
    def transaction(self) -> Hash32:
        return Hash32(keccak(self.preimage))


def abi_word(value: int | bytes) -> bytes:
    """Encode one ABI word: a number, or an address or hash padded on the left."""
    return value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\0")


def safe_transaction_hashes(transaction: SafeTransaction, scope: SafeScope) -> SafeTransactionHashes:
    """Compute the three hashes of the transaction."""
    domain = keccak(_DOMAIN_TYPE + abi_word(scope.chain_id) + abi_word(scope.safe))
    call = transaction.call
    fields: tuple[int | bytes, ...] = (
        call.to,
        call.value_wei,
        keccak(call.data),
        transaction.operation.value,
        0,
        0,
        0,
        ZERO_ADDRESS,
        ZERO_ADDRESS,
        transaction.nonce,
    )
    message = keccak(_TYPE + b"".join(abi_word(field) for field in fields))
    return SafeTransactionHashes(Hash32(domain), Hash32(message))


def safe_transaction_document(transaction: SafeTransaction, scope: SafeScope) -> dict[str, Any]:
    """Build the EIP-712 document that an owner signs, in the JSON form of `eth_signTypedData_v4`."""
    call, zero_address = transaction.call, checksum(ZERO_ADDRESS)
    return {
        "types": {
            "EIP712Domain": [{"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"}],
            SAFE_TRANSACTION: [{"name": name, "type": kind} for name, kind in SAFE_TRANSACTION_FIELDS.items()],
        },
        "primaryType": SAFE_TRANSACTION,
        "domain": {"chainId": scope.chain_id, "verifyingContract": checksum(scope.safe)},
        "message": {
            "to": checksum(call.to),
            "value": str(call.value_wei),
            "data": hex0x(call.data),
            "operation": transaction.operation.value,
            "safeTxGas": "0",
            "baseGas": "0",
            "gasPrice": "0",
            "gasToken": zero_address,
            "refundReceiver": zero_address,
            "nonce": str(transaction.nonce),
        },
    }


@dataclass(frozen=True, slots=True)
class OwnerSignature:
    """One owner's signature: 65 bytes of a key, or the bytes that the owner's contract accepts (EIP-1271)."""

    owner: Address
    signature: bytes
    is_contract_signature: bool


class MalformedOwnerSignature(ValueError):
    """The bytes cannot be one of a Safe's signatures."""


def pack_signatures(signatures: Iterable[OwnerSignature]) -> bytes:
    """Pack all signatures as `execTransaction` takes them: 65 bytes each, in ascending order of owners.

    For an owner that is a contract, the 65 bytes are the owner, the offset of its signature, and 0; the signature itself
    follows after the last 65 bytes.

    Raises:
        MalformedOwnerSignature: an owner signed twice, or a key's signature is not 65 bytes with a known last byte.
    """
    ordered = sorted(signatures, key=lambda signature: signature.owner)
    if len({signature.owner for signature in ordered}) != len(ordered):
        raise MalformedOwnerSignature("an owner counts once")
    head, tail = b"", b""
    for signature in ordered:
        if signature.is_contract_signature:
            head += abi_word(signature.owner) + abi_word(OWNER_SIGNATURE_BYTES * len(ordered) + len(tail)) + b"\0"
            tail += abi_word(len(signature.signature)) + signature.signature
        else:
            head += _packable_key_signature(signature.signature)
    return head + tail


def eth_sign_form(signature: bytes) -> bytes | None:
    """Return the wallet's own signature, r ‖ s ‖ 27 or 28, of one that `eth_sign` made, or None for any other.

    Such an owner signed the hash as a text (EIP-191) and added 4 to the last byte. Source: `Safe.checkNSignatures`, v > 30.
    """
    if len(signature) != OWNER_SIGNATURE_BYTES or signature[-1] not in _ETH_SIGN_ENDS:
        return None
    return signature[:-1] + bytes([signature[-1] - _ETH_SIGN_SHIFT])


def _packable_key_signature(signature: bytes) -> bytes:
    """Return the signature in the one form, whose last byte a Safe reads as a key's. (0 and 1 mean something else to it.)"""
    normalized = normalized_signature(signature)
    if len(normalized) != OWNER_SIGNATURE_BYTES or normalized[-1] not in (27, 28, *_ETH_SIGN_ENDS):
        raise MalformedOwnerSignature(
            f"a key's signature is {OWNER_SIGNATURE_BYTES} bytes, the last of them 27 or 28, or 31 or 32 by eth_sign"
        )
    return normalized
