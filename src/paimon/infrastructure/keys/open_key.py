"""Open a key where it is kept: an encrypted file, AWS KMS or Google Cloud KMS. The signer and the planner have their keys so.

To add another kind of key (a hardware module), add a class with `address` and `sign_digest` beside KmsKey, a field here and in
the tables that name keys, and a branch in `KeyServices.open`.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from paimon.infrastructure.keys.key import Key
from paimon.infrastructure.keys.keystore import load_key


class KeySupportMissing(Exception):
    """The library of a key service is not installed; the message names the extra to install."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where one key is kept: a keystore with its password file, or one of the others."""

    keystore: Path | None = None
    password_file: Path | None = None
    kms_key: str | None = None
    gcp_key_version: str | None = None

    def __str__(self) -> str:
        if self.keystore is not None:
            return f"keystore {self.keystore}"
        return f"KMS key {self.kms_key}" if self.kms_key is not None else f"Google Cloud KMS key {self.gcp_key_version}"

    @property
    def fault(self) -> str | None:
        """Say what is wrong with this source; None for exactly one whole source."""
        if (self.keystore is None) != (self.password_file is None):
            return "keystore and password_file together"
        places = (self.keystore, self.kms_key, self.gcp_key_version)
        if sum(place is not None for place in places) != 1:
            return "one of these: keystore and password_file, kms_key, or gcp_key_version"
        return None


@dataclass(frozen=True)
class KeyServices:
    """The key services of one process. A client is made for the first key in a service, because the libraries load slowly."""

    kms_region: str | None = None
    kms_endpoint_url: str | None = None
    gcp_endpoint_url: str | None = None

    async def open(self, source: KeySource) -> Key:
        """Open the key.

        Raises:
            KeystoreError, KeyUnavailable: it cannot be opened.
            KeySupportMissing
        """
        if source.keystore is not None and source.password_file is not None:
            return load_key(source.keystore, source.password_file)
        if source.kms_key is not None:
            client = self._aws
            from paimon.infrastructure.keys.kms_key import KmsKey

            return await KmsKey.open(client, source.kms_key)
        client = self._gcp
        from paimon.infrastructure.keys.gcp_kms_key import GcpKmsKey

        assert source.gcp_key_version is not None  # noqa: S101 — a source has one place
        return await GcpKmsKey.open(client, source.gcp_key_version)

    @cached_property
    def _aws(self) -> Any:
        try:
            from paimon.infrastructure.keys.kms_key import kms_client
        except ImportError as error:
            missing = f"a key is in KMS, and {error.name} is not installed"
            raise KeySupportMissing(f"{missing}: pip install 'paimon[kms]'") from error
        assert self.kms_region is not None  # noqa: S101 — policy and settings name it beside the key
        return kms_client(self.kms_region, self.kms_endpoint_url)

    @cached_property
    def _gcp(self) -> Any:
        try:
            from paimon.infrastructure.keys.gcp_kms_key import gcp_kms_client
        except ImportError as error:
            missing = f"a key is in Google Cloud KMS, and {error.name} is not installed"
            raise KeySupportMissing(f"{missing}: pip install 'paimon[kms-gcp]'") from error
        return gcp_kms_client(self.gcp_endpoint_url)
