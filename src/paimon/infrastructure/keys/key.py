"""A secp256k1 key that signs what it is given; what may be given is decided before. Two kinds: in memory, and in AWS KMS.

A key signs digests only. Whoever has a payload hashes it first, once, so that nothing is ever hashed twice.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from eth_keys.datatypes import Signature as RecoverableSignature
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError as OutOfRange

from paimon.domain.kernel.chain import Address, Hash32, checksum

CURVE_ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""n of secp256k1. Source: SEC 2, section 2.4.1."""


class KeyUnavailable(Exception):
    """The key cannot sign now: its keeper does not answer, refuses, or answered with something that is no signature of it."""


@dataclass(frozen=True, slots=True)
class Signature:
    """r and s, and which of two public keys they belong to (0 or 1). s is in the lower half: nodes refuse the other."""

    r: int
    s: int
    recovery: int

    @property
    def message_bytes(self) -> bytes:
        """65 bytes r ‖ s ‖ v with v 27 or 28, as EIP-712 and Safe want it."""
        return self.r.to_bytes(32, "big") + self.s.to_bytes(32, "big") + bytes([27 + self.recovery])


class Key(Protocol):
    @property
    def address(self) -> Address: ...

    async def sign_digest(self, digest: Hash32) -> Signature:
        """Raises KeyUnavailable."""
        ...


def canonical_signature(address: Address, digest: Hash32, r: int, s: int) -> Signature:
    """The one signature over `digest` by `address` that these numbers make.

    s and n − s sign alike; EIP-2 allows only the lower. Of the two recovery ids one must lead to the address: an answer
    for another key or another digest is found here.

    Raises:
        KeyUnavailable: neither does.
    """
    low = min(s, CURVE_ORDER - s)
    for recovery in (0, 1):
        try:
            found = RecoverableSignature(vrs=(recovery, r, low)).recover_public_key_from_msg_hash(digest)
        except (BadSignature, OutOfRange):
            continue
        if found.to_canonical_address() == address:
            return Signature(r, low, recovery)
    raise KeyUnavailable(f"what the keeper of {checksum(address)} answered is no signature by it over what was asked")
