"""Serve Google Cloud KMS on this machine by its gRPC API, with real secp256k1 keys: the service itself cannot run in tests."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import google_crc32c
import grpc
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from google.cloud.kms_v1 import (
    AsymmetricSignRequest,
    AsymmetricSignResponse,
    CryptoKeyVersion,
    GetPublicKeyRequest,
    PublicKey,
)

from paimon.domain.kernel.signature import CURVE_ORDER

_SERVICE = "google.cloud.kms.v1.KeyManagementService"
_KEYS = "projects/fund/locations/europe-west3/cryptoKeys"
_Algorithm = CryptoKeyVersion.CryptoKeyVersionAlgorithm


@dataclass
class GcpKms:
    """A running KMS. `damage` names the field of the next answers that is damaged; `failures` are refusals before an answer."""

    url: str = ""
    keys: dict[str, tuple[ec.EllipticCurvePrivateKey, int]] = field(default_factory=dict)
    high_s: bool = False
    damage: str = ""
    failures: list[grpc.StatusCode] = field(default_factory=list)
    calls: int = 0
    raw_s: list[int] = field(default_factory=list)

    def create_key(self, *, algorithm: int = int(_Algorithm.EC_SIGN_SECP256K1_SHA256)) -> str:
        """Create a key and return the name of its version."""
        curve = ec.SECP256K1() if algorithm == _Algorithm.EC_SIGN_SECP256K1_SHA256 else ec.SECP256R1()
        name = f"{_KEYS}/key-{len(self.keys)}/cryptoKeyVersions/1"
        self.keys[name] = (ec.generate_private_key(curve), algorithm)
        return name

    async def get_public_key(self, request: GetPublicKeyRequest, context: Any) -> PublicKey:
        key, algorithm = await self._find(request.name, context)
        form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        pem = key.public_key().public_bytes(*form).decode()
        checksum = google_crc32c.value(pem.encode())
        return PublicKey(
            pem=pem,
            algorithm=algorithm,
            name="another" if self.damage == "name" else request.name,
            pem_crc32c=checksum ^ 1 if self.damage == "pem" else checksum,
        )

    async def asymmetric_sign(self, request: AsymmetricSignRequest, context: Any) -> AsymmetricSignResponse:
        key, _ = await self._find(request.name, context)
        digest = request.digest.sha256
        if len(digest) != 32 or request.digest_crc32c != google_crc32c.value(digest):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the digest does not match its checksum")
        r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        low = min(s, CURVE_ORDER - s)
        self.raw_s.append(CURVE_ORDER - low if self.high_s else low)
        signature = b"no signature" if self.damage == "der" else encode_dss_signature(r, self.raw_s[-1])
        checksum = google_crc32c.value(signature)
        return AsymmetricSignResponse(
            signature=signature,
            signature_crc32c=checksum ^ 1 if self.damage == "signature" else checksum,
            verified_digest_crc32c=self.damage != "digest",
            name="another" if self.damage == "name" else request.name,
        )

    async def _find(self, name: str, context: Any) -> tuple[ec.EllipticCurvePrivateKey, int]:
        self.calls += 1
        if self.failures:
            await context.abort(self.failures.pop(0), "for a test")
        if name not in self.keys:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such key version")
        return self.keys[name]


@asynccontextmanager
async def serving_gcp_kms() -> AsyncIterator[GcpKms]:
    kms = GcpKms()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                _SERVICE,
                {
                    "GetPublicKey": _handler(kms.get_public_key, GetPublicKeyRequest, PublicKey),
                    "AsymmetricSign": _handler(kms.asymmetric_sign, AsymmetricSignRequest, AsymmetricSignResponse),
                },
            ),
        )
    )
    kms.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield kms
    finally:
        await server.stop(None)


def _handler(function: Callable[..., Any], request: Any, response: Any) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        function, request_deserializer=request.deserialize, response_serializer=response.serialize
    )
