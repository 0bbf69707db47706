"""The one form of a secp256k1 signature that this system reads, makes and keeps: the lower s, and v as wallets write it.

For every signature (r, s, v) there is a second one by the same key over the same digest, (r, n − s, the other v), which anyone
can compute, and v has two spellings. With one form only, a signature has no other copy. Source: EIP-2.
"""

from typing import Final

CURVE_ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""n of secp256k1. Source: SEC 2, section 2.4.1."""

SIGNATURE_BYTES: Final = 65
"""r ‖ s ‖ v, of 32, 32 and 1 bytes."""

_RECOVERY: Final = {0: 27, 1: 28, 27: 27, 28: 28, 31: 31, 32: 32}
"""v in its usual spelling; 31 and 32 are how a Safe marks a signature by `eth_sign`."""

_OTHER_RECOVERY: Final = {27: 28, 28: 27, 31: 32, 32: 31}


def low_s(s: int) -> int:
    """Return s or n − s, whichever is in the lower half. A number that is no s of a signature is returned unchanged."""
    return min(s, CURVE_ORDER - s) if 0 < s < CURVE_ORDER else s


def normalized_signature(signature: bytes) -> bytes:
    """Return the signature r ‖ s ‖ v with the lower s and a v of 27 or 28 (31 or 32 by `eth_sign`).

    Bytes that are not such a signature are returned unchanged: recovering their signer refuses them.
    """
    if len(signature) != SIGNATURE_BYTES or signature[-1] not in _RECOVERY:
        return signature
    s, recovery = int.from_bytes(signature[32:64], "big"), _RECOVERY[signature[-1]]
    if (low := low_s(s)) != s:
        recovery = _OTHER_RECOVERY[recovery]
    return signature[:32] + low.to_bytes(32, "big") + bytes([recovery])
