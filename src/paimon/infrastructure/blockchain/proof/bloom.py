"""A block's 2048-bit bloom over the addresses and topics of its logs. It has no false negatives.

Each log sets three bits for its address and three for each topic, at any position. Source: Yellow Paper, 4.3.1.
"""

from functools import lru_cache

from paimon.infrastructure.blockchain.proof.keccak import keccak256


@lru_cache(maxsize=4_096)
def bloom_of(*parts: bytes) -> int:
    """Return the bits that a log sets which has all these parts as its address or topics."""
    bits = 0
    for part in parts:
        digest = keccak256(part)
        for offset in (0, 2, 4):
            bits |= 1 << (int.from_bytes(digest[offset : offset + 2], "big") & 2047)
    return bits


def excludes(bloom: int, bits: int) -> bool:
    """Return whether no log of the block can have set these bits."""
    return bloom & bits != bits
