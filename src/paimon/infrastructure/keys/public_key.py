"""Derive the address of a wallet from the public key that a managed key service shows."""

from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from eth_keys.datatypes import PublicKey

from paimon.domain.kernel.chain import Address


def address_of_public_key(public: PublicKeyTypes) -> Address:
    """Return the address of a secp256k1 key.

    Raises:
        ValueError: the key is on another curve.
    """
    if not isinstance(public, EllipticCurvePublicKey) or not isinstance(public.curve, SECP256K1):
        raise ValueError("it is not on the curve secp256k1")  # noqa: TRY004 — a key of another kind is a wrong value
    point = public.public_numbers()
    encoded = point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")
    return Address(PublicKey(encoded).to_canonical_address())
