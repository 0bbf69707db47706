"""Open the keys of the policy. The signer does not start unless each key has the address that the policy states.

To add another kind of key (Google's KMS, a hardware module), add a class with `address` and `sign_digest` beside KmsKey, a
field in the policy's key table, and a branch here.
"""

from typing import Any

from paimon.domain.kernel.chain import Address, checksum
from paimon.gateway.signer.policy import KeyTable, KmsTable, PolicyError, SignerPolicy
from paimon.infrastructure.keys.key import Key
from paimon.infrastructure.keys.keystore import load_key


async def open_keys(policy: SignerPolicy) -> dict[Address, Key]:
    """Open every key and return the keys by address.

    Raises:
        PolicyError: a key is not the one the policy states, or KMS support is not installed.
        KeystoreError, KeyUnavailable: a key cannot be opened.
    """
    client = None if policy.kms is None else _kms_client(policy.kms)
    keys: dict[Address, Key] = {}
    for table in policy.keys:
        key = await _open(table, client)
        if key.address != table.address:
            source = f"KMS key {table.kms_key}" if table.kms_key else f"keystore {table.keystore}"
            raise PolicyError(
                f"key {table.name}: the policy states {checksum(table.address)}, {source} holds {checksum(key.address)}"
            )
        keys[key.address] = key
    return keys


async def _open(table: KeyTable, kms: Any) -> Key:
    if table.keystore is not None and table.password_file is not None:
        return load_key(table.keystore, table.password_file)
    from paimon.infrastructure.keys.kms_key import KmsKey

    assert table.kms_key is not None  # noqa: S101 — the policy allows no third kind
    return await KmsKey.open(kms, table.kms_key)


def _kms_client(table: KmsTable) -> Any:
    """Import AWS's library only for a policy with KMS keys, because it is slow to load."""
    try:
        from paimon.infrastructure.keys.kms_key import kms_client
    except ImportError as error:
        raise PolicyError(f"a key is in KMS, and {error.name} is not installed: pip install 'paimon[kms]'") from error
    return kms_client(table.region, table.endpoint_url)
