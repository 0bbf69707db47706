"""A secp256k1 key in this process's memory: the signer's, which alone has the house's, or a person's own for one command."""

from eth_keys.datatypes import PrivateKey

from paimon.domain.kernel.chain import Address, Hash32
from paimon.infrastructure.keys.key import Signature


class LocalKey:
    """Never shows its secret: neither repr nor any attribute that is not private has it."""

    def __init__(self, private_key: bytes) -> None:
        self._key = PrivateKey(private_key)
        self.address = Address(self._key.public_key.to_canonical_address())

    async def sign_digest(self, digest: Hash32) -> Signature:
        """Deterministic (RFC 6979): asked again, the same bytes."""
        signature = self._key.sign_msg_hash(digest)
        return Signature(signature.r, signature.s, signature.v)
