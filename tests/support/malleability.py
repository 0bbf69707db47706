"""Compute the other forms of a signature, as anyone can who has seen one."""

from paimon.domain.kernel.signature import CURVE_ORDER


def upper_s(signature: bytes) -> bytes:
    """Return the copy with s in the upper half of the curve order and the other v."""
    s, v = int.from_bytes(signature[32:64], "big"), signature[-1]
    assert s <= CURVE_ORDER // 2, "the signature has the lower s"
    other = v + 1 if v in (0, 27, 31) else v - 1
    return signature[:32] + (CURVE_ORDER - s).to_bytes(32, "big") + bytes([other])


def copies_of(signature: bytes) -> set[bytes]:
    """Return the four forms of a signature whose v is 27 or 28, itself among them."""
    forms = {signature, upper_s(signature)}
    return forms | {form[:-1] + bytes([form[-1] - 27]) for form in forms}
