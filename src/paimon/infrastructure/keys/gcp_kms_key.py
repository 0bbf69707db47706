"""A secp256k1 key that never leaves Google Cloud KMS. The role roles/cloudkms.signerVerifier on that one key is enough.

The key's algorithm is EC_SIGN_SECP256K1_SHA256. KMS signs the 32 bytes of the digest field as they are, so the keccak digest
stands there. Requests and answers carry CRC32C checksums; an answer that does not confirm ours, or does not match its own, is
no answer. The address derives from the public key, which is read once at the start. `canonical_signature` makes the DER answer
a signature the chain accepts, and detects an answer for another key.

Credentials are Google's Application Default Credentials (the machine's service account), never a file of this system.
"""

from typing import Final, Self
from urllib.parse import urlsplit

import google_crc32c
import grpc
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import DeadlineExceeded, GoogleAPICallError, InternalServerError, RetryError, ServiceUnavailable
from google.api_core.retry import AsyncRetry, if_exception_type
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.kms_v1 import (
    AsymmetricSignRequest,
    CryptoKeyVersion,
    Digest,
    GetPublicKeyRequest,
    KeyManagementServiceAsyncClient,
)
from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceGrpcAsyncIOTransport

from paimon.domain.kernel.chain import Address, Hash32
from paimon.infrastructure.keys.key import KeyUnavailable, Signature, canonical_signature
from paimon.infrastructure.keys.public_key import address_of_public_key

_ALGORITHM: Final = CryptoKeyVersion.CryptoKeyVersionAlgorithm.EC_SIGN_SECP256K1_SHA256
_CALL_SECONDS: Final = 3.0
_TOTAL_SECONDS: Final = 8.0
_RETRY: Final = AsyncRetry(
    predicate=if_exception_type(ServiceUnavailable, InternalServerError, DeadlineExceeded),
    initial=0.1,
    maximum=1.0,
    timeout=_TOTAL_SECONDS,
)
"""Signing sends nothing, so a request may be repeated."""


def gcp_kms_client(endpoint_url: str | None = None) -> KeyManagementServiceAsyncClient:
    """Return one client for all keys: of Google's own endpoint, of a private one (https://…), or of a local server (http://…).

    Raises:
        KeyUnavailable: this machine has no Application Default Credentials.
    """
    if endpoint_url is not None and (url := urlsplit(endpoint_url)).scheme == "http":
        channel = grpc.aio.insecure_channel(url.netloc)
        transport = KeyManagementServiceGrpcAsyncIOTransport(channel=channel, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
        return KeyManagementServiceAsyncClient(transport=transport)
    options = ClientOptions(api_endpoint=None if endpoint_url is None else urlsplit(endpoint_url).netloc)
    try:
        return KeyManagementServiceAsyncClient(client_options=options)
    except GoogleAuthError as error:
        raise KeyUnavailable(f"Google Cloud KMS: this machine has no credentials: {error}") from error


class GcpKmsKey:
    """A key in Google Cloud KMS; `version` is the resource name of a CryptoKeyVersion."""

    def __init__(self, client: KeyManagementServiceAsyncClient, version: str, address: Address) -> None:
        self._client = client
        self._version = version
        self.address = address

    @classmethod
    async def open(cls, client: KeyManagementServiceAsyncClient, version: str) -> Self:
        """Read the public key from KMS and return the key.

        Raises:
            KeyUnavailable: KMS does not answer or refuses, its answer is damaged, or the key is of another algorithm.
        """
        try:
            answer = await client.get_public_key(GetPublicKeyRequest(name=version), retry=_RETRY, timeout=_CALL_SECONDS)
        except (GoogleAPICallError, RetryError, GoogleAuthError) as error:
            raise _unavailable(version, error) from error
        pem = answer.pem.encode()
        if answer.name != version or google_crc32c.value(pem) != answer.pem_crc32c:
            raise KeyUnavailable(f"Google Cloud KMS key {version}: the answer with its public key was damaged on the way")
        if answer.algorithm != _ALGORITHM:
            found = CryptoKeyVersion.CryptoKeyVersionAlgorithm(answer.algorithm)
            raise KeyUnavailable(f"Google Cloud KMS key {version} is {found!r}; a wallet needs EC_SIGN_SECP256K1_SHA256")
        try:
            address = address_of_public_key(load_pem_public_key(pem))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyUnavailable(f"Google Cloud KMS key {version} has no readable public key: {error}") from error
        return cls(client, version, address)

    async def sign_digest(self, digest: Hash32) -> Signature:
        """Sign the digest in KMS.

        Raises:
            KeyUnavailable
        """
        request = AsymmetricSignRequest(
            name=self._version, digest=Digest(sha256=digest), digest_crc32c=google_crc32c.value(digest)
        )
        try:
            answer = await self._client.asymmetric_sign(request, retry=_RETRY, timeout=_CALL_SECONDS)
        except (GoogleAPICallError, RetryError, GoogleAuthError) as error:
            raise _unavailable(self._version, error) from error
        if not answer.verified_digest_crc32c:
            raise KeyUnavailable(f"Google Cloud KMS key {self._version}: the digest was damaged on its way to KMS")
        if answer.name != self._version or google_crc32c.value(answer.signature) != answer.signature_crc32c:
            raise KeyUnavailable(f"Google Cloud KMS key {self._version}: the signature was damaged on its way from KMS")
        try:
            r, s = decode_dss_signature(answer.signature)
        except ValueError as error:
            raise KeyUnavailable(f"Google Cloud KMS key {self._version} answered without a signature: {error}") from error
        return canonical_signature(self.address, digest, r, s)


def _unavailable(version: str, error: Exception) -> KeyUnavailable:
    if isinstance(error, GoogleAPICallError) and error.grpc_status_code is not None:
        return KeyUnavailable(f"Google Cloud KMS refuses key {version}: {error.grpc_status_code.name}: {error.message}")
    return KeyUnavailable(f"Google Cloud KMS does not answer for key {version}: {error}")
