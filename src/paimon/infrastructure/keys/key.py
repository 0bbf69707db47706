"""A secp256k1 key that signs digests, in memory or in AWS KMS. The signer checks a request before a key sees it.

A key never hashes. The caller hashes a payload exactly once.
"""

from dataclasses import dataclass
from typing import Protocol

from eth_keys.datatypes import Signature as RecoverableSignature
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError as OutOfRange

from paimon.domain.kernel.chain import Address, Hash32, checksum
from paimon.domain.kernel.signature import low_s


class KeyUnavailable(Exception):
    """The key cannot sign now: its service does not answer, refuses, or answered without a valid signature of the key."""


@dataclass(frozen=True, slots=True)
class Signature:
    """r, s and the recovery id (0 or 1). s is in the lower half of the curve order: nodes refuse the upper half."""

    r: int
    s: int
    recovery: int

    @property
    def message_bytes(self) -> bytes:
        """65 bytes r ‖ s ‖ v with v 27 or 28, as EIP-712 and Safe require."""
        return self.r.to_bytes(32, "big") + self.s.to_bytes(32, "big") + bytes([27 + self.recovery])


class Key(Protocol):
    """A key that signs digests."""

    @property
    def address(self) -> Address: ...

    async def sign_digest(self, digest: Hash32) -> Signature:
        """Raises KeyUnavailable."""
        ...


def canonical_signature(address: Address, digest: Hash32, r: int, s: int) -> Signature:
    """Return the signature over `digest` by `address` with these r and s.

    s and n − s are both valid signatures; EIP-2 allows only the lower one. One of the two recovery ids must give the
    address, so an answer for another key or another digest is detected here.

    Raises:
        KeyUnavailable: no recovery id gives the address.
    """
    low = low_s(s)
    for recovery in (0, 1):
        try:
            found = RecoverableSignature(vrs=(recovery, r, low)).recover_public_key_from_msg_hash(digest)
        except (BadSignature, OutOfRange):
            continue
        if found.to_canonical_address() == address:
            return Signature(r, low, recovery)
    raise KeyUnavailable(f"the answer for key {checksum(address)} is no signature by it over the digest")
