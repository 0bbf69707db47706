"""Open the keys of the policy. The signer does not start unless each key has the address that the policy states.

To add another kind of key (a hardware module), add a class with `address` and `sign_digest` beside KmsKey, a field in the
policy's key table, and a line here.
"""

from typing import Any

from paimon.domain.kernel.chain import Address, checksum
from paimon.gateway.signer.policy import PolicyError, SignerPolicy
from paimon.gateway.signer.policy_tables import GcpKmsTable, KeyTable, KmsTable
from paimon.infrastructure.keys.key import Key
from paimon.infrastructure.keys.keystore import load_key


async def open_keys(policy: SignerPolicy) -> dict[Address, Key]:
    """Open every key and return the keys by address.

    Raises:
        PolicyError: a key is not the one the policy states, or KMS support is not installed.
        KeystoreError, KeyUnavailable: a key cannot be opened.
    """
    aws = _aws_client(policy.kms) if policy.kms is not None else None
    gcp = _gcp_client(policy.gcp_kms) if any(key.gcp_key_version for key in policy.keys) else None
    keys: dict[Address, Key] = {}
    for table in policy.keys:
        key = await _open(table, aws, gcp)
        if key.address != table.address:
            raise PolicyError(
                f"key {table.name}: the policy states {checksum(table.address)}, {table.source} holds {checksum(key.address)}"
            )
        keys[key.address] = key
    return keys


async def _open(table: KeyTable, aws: Any, gcp: Any) -> Key:
    if table.keystore is not None and table.password_file is not None:
        return load_key(table.keystore, table.password_file)
    if table.kms_key is not None:
        from paimon.infrastructure.keys.kms_key import KmsKey

        return await KmsKey.open(aws, table.kms_key)
    from paimon.infrastructure.keys.gcp_kms_key import GcpKmsKey

    assert table.gcp_key_version is not None  # noqa: S101 — the policy allows no fourth kind
    return await GcpKmsKey.open(gcp, table.gcp_key_version)


def _aws_client(table: KmsTable) -> Any:
    """Import AWS's library only for a policy with its keys, because it is slow to load."""
    try:
        from paimon.infrastructure.keys.kms_key import kms_client
    except ImportError as error:
        raise PolicyError(f"a key is in KMS, and {error.name} is not installed: pip install 'paimon[kms]'") from error
    return kms_client(table.region, table.endpoint_url)


def _gcp_client(table: GcpKmsTable) -> Any:
    """As for AWS."""
    try:
        from paimon.infrastructure.keys.gcp_kms_key import gcp_kms_client
    except ImportError as error:
        missing = f"a key is in Google Cloud KMS, and {error.name} is not installed"
        raise PolicyError(f"{missing}: pip install 'paimon[kms-gcp]'") from error
    return gcp_kms_client(table.endpoint_url)
