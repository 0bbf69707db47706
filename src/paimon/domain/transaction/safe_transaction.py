"""A Safe's transaction: what it does, the hash its owners sign, and their signatures as the contract reads them.

Ours never pays the one who executes it (gas price 0) and never limits the inner call's gas (`safeTxGas` 0): with both zero
an inner failure reverts the whole execution and keeps the Safe's nonce. The hash covers these zeros too, so an owner's
signature allows nothing else. Source: Safe 1.4.1, `Safe.encodeTransactionData` and `Safe.checkNSignatures`.

    domain hash   keccak(type ‖ chain ‖ Safe)                         which Safe
    message hash  keccak(type ‖ to ‖ value ‖ keccak(data) ‖ …)        what it does, and its nonce
    hash          keccak(0x19 ‖ 0x01 ‖ domain hash ‖ message hash)    what an owner signs

Wallets with a screen show these three, to be compared with what this house shows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, Final

from eth_utils.crypto import keccak

from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, Hash32, checksum, hex0x, parse_address
from paimon.domain.transaction.lifecycle import Call

SAFE_VERSION: Final = "1.4.1"
"""The one version whose rules are written here; a Safe of another is refused."""

MULTI_SEND: Final = parse_address("0x9641d764fc13c8B624c04430C7356C1C7C8102e2")
"""MultiSendCallOnly 1.4.1 where it usually is, the same on every chain. Source: safe-deployments, v1.4.1."""

OWNER_SIGNATURE_BYTES: Final = 65


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
    """Where a signature counts: this chain, this Safe."""

    chain_id: int
    safe: Address


@dataclass(frozen=True, slots=True)
class SafeTransaction:
    """One call by a Safe at one of its nonces. What is not here is zero."""

    call: Call
    operation: SafeOperation
    nonce: int


def rejection_transaction(nonce: int, safe: Address) -> SafeTransaction:
    """The self-call that kills every other transaction at this nonce."""
    return SafeTransaction(Call(safe, b""), SafeOperation.CALL, nonce)


_DOMAIN_TYPE: Final = keccak(text="EIP712Domain(uint256 chainId,address verifyingContract)")
_FIELDS: Final = (
    ("to", "address"),
    ("value", "uint256"),
    ("data", "bytes"),
    ("operation", "uint8"),
    ("safeTxGas", "uint256"),
    ("baseGas", "uint256"),
    ("gasPrice", "uint256"),
    ("gasToken", "address"),
    ("refundReceiver", "address"),
    ("nonce", "uint256"),
)
_TYPE: Final = keccak(text=f"SafeTx({','.join(f'{kind} {name}' for name, kind in _FIELDS)})")


@dataclass(frozen=True, slots=True)
class SafeTransactionHashes:
    """The three hashes a person compares with those on the wallet's own screen."""

    domain: Hash32
    message: Hash32

    @property
    def preimage(self) -> bytes:
        """The bytes behind the hash. Safe 1.4.1 hands these, not the hash, to an owner that is a contract."""
        return b"\x19\x01" + self.domain + self.message

    @property
    def transaction(self) -> Hash32:
        return Hash32(keccak(self.preimage))


def abi_word(value: int | bytes) -> bytes:
    """One word of the ABI: a number, or an address or hash filled up on the left."""
    return value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\0")


def safe_transaction_hashes(transaction: SafeTransaction, scope: SafeScope) -> SafeTransactionHashes:
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
    message = keccak(_TYPE + b"".join(abi_word(each) for each in fields))
    return SafeTransactionHashes(Hash32(domain), Hash32(message))


def safe_transaction_document(transaction: SafeTransaction, scope: SafeScope) -> dict[str, Any]:
    """The EIP-712 document an owner signs, in the JSON form of `eth_signTypedData_v4`."""
    call, zero_address = transaction.call, checksum(ZERO_ADDRESS)
    return {
        "types": {
            "EIP712Domain": [{"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"}],
            "SafeTx": [{"name": name, "type": kind} for name, kind in _FIELDS],
        },
        "primaryType": "SafeTx",
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
    """One owner's consent: 65 bytes of a key, or whatever bytes the owner's contract accepts (EIP-1271)."""

    owner: Address
    signature: bytes
    is_contract_signature: bool


class MalformedOwnerSignature(ValueError):
    """Bytes that cannot stand in a Safe's signatures."""


def pack_signatures(signatures: Iterable[OwnerSignature]) -> bytes:
    """All signatures in the one form `execTransaction` takes: 65 bytes each, by rising owner.

    For an owner that is a contract these are the owner, where its bytes begin, and 0; the bytes follow after the last.

    Raises:
        MalformedOwnerSignature: an owner signed twice, or a key's signature has not 65 bytes ending in 27 or 28.
    """
    ordered = sorted(signatures, key=lambda each: each.owner)
    if len({each.owner for each in ordered}) != len(ordered):
        raise MalformedOwnerSignature("an owner counts once")
    head, tail = b"", b""
    for each in ordered:
        if each.is_contract_signature:
            head += abi_word(each.owner) + abi_word(OWNER_SIGNATURE_BYTES * len(ordered) + len(tail)) + b"\0"
            tail += abi_word(len(each.signature)) + each.signature
        else:
            head += _normalized_key_signature(each.signature)
    return head + tail


def _normalized_key_signature(signature: bytes) -> bytes:
    """With 27 or 28 at its end. (To a Safe 0 and 1 there mean a contract and an approval on chain.)"""
    if len(signature) != OWNER_SIGNATURE_BYTES or signature[-1] not in (0, 1, 27, 28):
        raise MalformedOwnerSignature(f"a key's signature is {OWNER_SIGNATURE_BYTES} bytes, the last of them 27 or 28")
    return signature[:-1] + bytes([signature[-1] % 27 + 27])
