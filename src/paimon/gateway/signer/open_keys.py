"""Open the keys of the policy. The signer does not start unless each key has the address that the policy states."""

from paimon.domain.kernel.chain import Address, checksum
from paimon.gateway.signer.policy import PolicyError, SignerPolicy
from paimon.infrastructure.keys.key import Key
from paimon.infrastructure.keys.open_key import KeyServices, KeySupportMissing


async def open_keys(policy: SignerPolicy) -> dict[Address, Key]:
    """Open every key and return the keys by address.

    Raises:
        PolicyError: a key is not the one the policy states, or KMS support is not installed.
        KeystoreError, KeyUnavailable: a key cannot be opened.
    """
    services = KeyServices(
        kms_region=None if policy.kms is None else policy.kms.region,
        kms_endpoint_url=None if policy.kms is None else policy.kms.endpoint_url,
        gcp_endpoint_url=policy.gcp_kms.endpoint_url,
    )
    keys: dict[Address, Key] = {}
    for table in policy.keys:
        try:
            key = await services.open(table.source)
        except KeySupportMissing as error:
            raise PolicyError(str(error)) from error
        if key.address != table.address:
            raise PolicyError(
                f"key {table.name}: the policy states {checksum(table.address)}, {table.source} holds {checksum(key.address)}"
            )
        keys[key.address] = key
    return keys
