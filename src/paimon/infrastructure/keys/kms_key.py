"""A secp256k1 key that never leaves AWS KMS. Two rights on that one key are enough: kms:Sign and kms:GetPublicKey.

The address derives from the public key, which is read once at the start. KMS answers in DER, with s in either half of the
curve order. `canonical_signature` makes it a signature the chain accepts, and detects an answer for another key.

Credentials come from AWS's own chain (environment, instance role), never from the system's files.
"""

import asyncio
from typing import Any, Final, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from paimon.domain.kernel.chain import Address, Hash32
from paimon.infrastructure.keys.key import KeyUnavailable, Signature, canonical_signature
from paimon.infrastructure.keys.public_key import address_of_public_key
from paimon.settings.aws_answers import bound_answers

_SIGNING_ALGORITHM: Final = "ECDSA_SHA_256"  # names a hash, but with MessageType DIGEST nothing is hashed
_CONNECT_SECONDS: Final = 2
_READ_SECONDS: Final = 3
_ATTEMPTS_MAX: Final = 3


def kms_client(region: str, endpoint_url: str | None = None) -> Any:
    """Return one client for all keys. botocore retries throttling and lost connections, with backoff and jitter."""
    config = Config(
        region_name=region,
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS_MAX},
    )
    client = boto3.client("kms", config=config, endpoint_url=endpoint_url)
    return bound_answers(client)


class KmsKey:
    """A key in KMS; `key_id` is its ARN, id or alias."""

    def __init__(self, client: Any, key_id: str, address: Address) -> None:
        self._client = client
        self._key_id = key_id
        self.address = address

    @classmethod
    async def open(cls, client: Any, key_id: str) -> Self:
        """Read the public key from KMS and return the key.

        Raises:
            KeyUnavailable: KMS does not answer or refuses, or the key is not one for signing on this curve.
        """
        answer = await _call_kms(client.get_public_key, key_id, KeyId=key_id)
        try:
            public = load_der_public_key(answer["PublicKey"])
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyUnavailable(f"KMS key {key_id} has no readable public key: {error}") from error
        try:
            return cls(client, key_id, address_of_public_key(public))
        except ValueError as error:
            raise KeyUnavailable(
                f"KMS key {key_id} is {answer.get('KeySpec')}; a wallet needs ECC_SECG_P256K1 for SIGN_VERIFY"
            ) from error

    async def sign_digest(self, digest: Hash32) -> Signature:
        """Sign the digest in KMS.

        Raises:
            KeyUnavailable
        """
        answer = await _call_kms(
            self._client.sign,
            self._key_id,
            KeyId=self._key_id,
            Message=digest,
            MessageType="DIGEST",
            SigningAlgorithm=_SIGNING_ALGORITHM,
        )
        try:
            r, s = decode_dss_signature(answer["Signature"])
        except ValueError as error:
            raise KeyUnavailable(f"KMS key {self._key_id} answered without a signature: {error}") from error
        return canonical_signature(self.address, digest, r, s)


async def _call_kms(operation: Any, key_id: str, **arguments: Any) -> dict[str, Any]:
    """Call KMS in a thread, because boto3 blocks."""
    try:
        return dict(await asyncio.to_thread(operation, **arguments))
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise KeyUnavailable(f"KMS refuses key {key_id}: {code}") from error
    except BotoCoreError as error:
        raise KeyUnavailable(f"KMS does not answer for key {key_id}: {error}") from error
