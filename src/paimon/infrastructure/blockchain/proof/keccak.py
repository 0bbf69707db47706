"""Keccak-256 in C. A header is hashed for every block of the chain: half the time of pycryptodome's behind `eth_utils`."""

from sha3 import keccak_256


def keccak256(data: bytes) -> bytes:
    return bytes(keccak_256(data).digest())
