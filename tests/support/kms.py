"""Serve AWS KMS by moto, over its real protocol, because the service itself cannot run in tests.

moto's Sign hashes a DIGEST again, and AWS does not. `_as_aws_signs` corrects that while the server runs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import boto3
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from moto.core.exceptions import JsonRESTError
from moto.kms import utils
from moto.server import ThreadedMotoServer

from paimon.domain.kernel.signature import CURVE_ORDER

REGION = "eu-central-1"


@dataclass
class Kms:
    """A running KMS. With `high_s` its next answers have s in the upper half of the curve, as half of AWS's answers do."""

    url: str
    high_s: bool = False
    disabled: bool = False
    raw_s: list[int] = field(default_factory=list)

    @property
    def client(self) -> Any:
        return boto3.client("kms", region_name=REGION, endpoint_url=self.url)

    def create_key(self, spec: str = "ECC_SECG_P256K1", usage: str = "SIGN_VERIFY") -> str:
        """Create a key and return its ARN."""
        return str(self.client.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"])


@contextmanager
def serving_kms() -> Iterator[Kms]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    kms = Kms(f"http://{host}:{port}")
    try:
        with patch.object(utils.ECDSAPrivateKey, "sign", _as_aws_signs(kms)):
            yield kms
    finally:
        server.stop()


def _as_aws_signs(kms: Kms) -> Any:
    def sign(key: Any, message: bytes, signing_algorithm: str) -> bytes:
        if kms.disabled:  # moto stores the state of a key and signs anyway
            raise JsonRESTError("DisabledException", "the key is disabled")
        assert signing_algorithm == "ECDSA_SHA_256"
        assert len(message) == 32, "MessageType is DIGEST"
        r, s = decode_dss_signature(key.private_key.sign(message, ec.ECDSA(Prehashed(hashes.SHA256()))))
        low = min(s, CURVE_ORDER - s)
        kms.raw_s.append(CURVE_ORDER - low if kms.high_s else low)
        return encode_dss_signature(r, kms.raw_s[-1])

    return sign
