"""A secp256k1 key in memory: the system's keys in the signer, or an operator's own key for one command."""

from eth_keys.datatypes import PrivateKey

from paimon.domain.kernel.chain import Address, Hash32
from paimon.infrastructure.keys.key import Signature


class LocalKey:
    """A key in memory. Neither repr nor a public attribute shows its secret."""

    def __init__(self, private_key: bytes) -> None:
        self._key = PrivateKey(private_key)
        self.address = Address(self._key.public_key.to_canonical_address())

    async def sign_digest(self, digest: Hash32) -> Signature:
        """Sign the digest. The signature is deterministic (RFC 6979)."""
        signature = self._key.sign_msg_hash(digest)
        return Signature(signature.r, signature.s, signature.v)
