"""Keys in Google Cloud KMS, end to end over its gRPC API: key, address, signer, mined transaction, and every failure."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from eth_account import Account
from google.cloud.kms_v1 import CryptoKeyVersion
from tests.support.chain.fund import TestFund
from tests.support.gcp_kms import GcpKms, serving_gcp_kms
from tests.support.signing import make_policy, signer_client, transaction

from paimon.domain.kernel.chain import Address, Hash32, checksum, hex0x, parse_address
from paimon.domain.kernel.signature import CURVE_ORDER
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.signing import GasFeeType, SignRequest
from paimon.gateway.signer.policy import load_policy
from paimon.gateway.signer.policy_tables import GcpKmsTable, KeyTable, SignableFunction
from paimon.gateway.signer.policy_text import write_policy
from paimon.gateway.signer.process import SignerStartupError, running_signer
from paimon.infrastructure.keys.client import SignerUnavailable
from paimon.infrastructure.keys.gcp_kms_key import GcpKmsKey, gcp_kms_client
from paimon.infrastructure.keys.key import KeyUnavailable

pytestmark = pytest.mark.integration

DIGEST = Hash32(b"\x07" * 32)


@pytest.fixture
async def kms() -> AsyncIterator[GcpKms]:
    async with serving_gcp_kms() as kms:
        yield kms


async def open_key(kms: GcpKms, version: str) -> GcpKmsKey:
    return await GcpKmsKey.open(gcp_kms_client(kms.url), version)


def policy_with(fund: TestFund, folder: Path, kms: GcpKms, version: str, address: Address) -> Path:
    """Write a policy whose keeper is in Google Cloud KMS and whose approver is in a file."""
    path = make_policy(fund, folder)
    policy = load_policy(path)
    keeper = KeyTable(name="keeper", address=address, gcp_key_version=version, functions=frozenset({SignableFunction.SETTLE}))
    others = tuple(key for key in policy.keys if key.name != "keeper")
    write_policy(path, policy.model_copy(update={"keys": (keeper, *others), "gcp_kms": GcpKmsTable(endpoint_url=kms.url)}))
    return path


@pytest.mark.parametrize("kind", GasFeeType)
async def test_google_key_signs_a_transaction_that_is_mined(
    fund: TestFund, tmp_path: Path, kms: GcpKms, kind: GasFeeType
) -> None:
    version = kms.create_key()
    address = (await open_key(kms, version)).address
    fund.node.rpc.call("anvil_setBalance", checksum(address), hex(10**18))
    async with running_signer(policy := policy_with(fund, tmp_path, kms, version, address), new_ledger=True):
        unsigned = transaction(fund, "settleRedemption", 1, gas_fee_type=kind, call=Call(address, b""))
        signed = await signer_client(policy).sign(SignRequest(address, unsigned))
    assert fund.node.rpc.call("eth_sendRawTransaction", hex0x(signed.raw)) == hex0x(signed.hash)
    fund.wait_until_final()
    receipt = fund.node.rpc.call("eth_getTransactionReceipt", hex0x(signed.hash))
    assert receipt["status"] == "0x1"
    assert parse_address(receipt["from"]) == address


async def test_google_key_returns_the_low_s_for_a_high_one(kms: GcpKms) -> None:
    key = await open_key(kms, kms.create_key())
    for high in (False, True):
        kms.high_s = high
        digest = Hash32(bytes([high]) * 32)
        signature = await key.sign_digest(digest)
        assert (kms.raw_s[-1] > CURVE_ORDER // 2) is high, "the raw answer has s in the other half"
        assert signature.s <= CURVE_ORDER // 2
        assert parse_address(Account._recover_hash(digest, signature=signature.message_bytes)) == key.address


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("signature", "on its way from KMS"),
        ("digest", "on its way to KMS"),
        ("name", "on its way from KMS"),
        ("der", "without a"),
    ],
)
async def test_damaged_answer_is_no_signature(kms: GcpKms, damage: str, said: str) -> None:
    key = await open_key(kms, kms.create_key())
    kms.damage = damage
    with pytest.raises(KeyUnavailable, match=said):
        await key.sign_digest(DIGEST)
    kms.damage = ""
    await key.sign_digest(DIGEST)


@pytest.mark.parametrize("damage", ["pem", "name"])
async def test_damaged_public_key_opens_no_key(kms: GcpKms, damage: str) -> None:
    version = kms.create_key()
    kms.damage = damage
    with pytest.raises(KeyUnavailable, match="damaged"):
        await open_key(kms, version)


async def test_answer_of_another_key_is_no_signature(kms: GcpKms) -> None:
    one, other = kms.create_key(), kms.create_key()
    key = GcpKmsKey(gcp_kms_client(kms.url), other, (await open_key(kms, one)).address)
    with pytest.raises(KeyUnavailable, match="no signature by it"):
        await key.sign_digest(DIGEST)


async def test_short_outage_is_retried_and_a_refusal_is_not(kms: GcpKms) -> None:
    key = await open_key(kms, kms.create_key())
    kms.calls, kms.failures = 0, [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL]
    await key.sign_digest(DIGEST)
    assert kms.calls == 3
    kms.calls, kms.failures = 0, [grpc.StatusCode.PERMISSION_DENIED]
    with pytest.raises(KeyUnavailable, match="PERMISSION_DENIED"):
        await key.sign_digest(DIGEST)
    assert kms.calls == 1


async def test_signer_answers_unavailable_while_google_is_away(fund: TestFund, tmp_path: Path, kms: GcpKms) -> None:
    version = kms.create_key()
    address = (await open_key(kms, version)).address
    async with running_signer(policy := policy_with(fund, tmp_path, kms, version, address), new_ledger=True):
        kms.failures = [grpc.StatusCode.RESOURCE_EXHAUSTED]
        request = SignRequest(address, transaction(fund, "settleRedemption", 1, call=Call(address, b"")))
        with pytest.raises(SignerUnavailable, match="RESOURCE_EXHAUSTED"):
            await signer_client(policy).sign(request)
        assert await signer_client(policy).sign(request)


async def test_signer_does_not_start_when_a_google_key_differs_from_the_policy(
    fund: TestFund, tmp_path: Path, kms: GcpKms
) -> None:
    version, stated = kms.create_key(), parse_address(fund.accounts.address("keeper"))
    with pytest.raises(SignerStartupError) as refused:
        async with running_signer(policy_with(fund, tmp_path, kms, version, stated)):
            pass
    assert checksum(stated) in str(refused.value)
    assert version in str(refused.value)


@pytest.mark.parametrize("algorithm", ["EC_SIGN_P256_SHA256", "RSA_SIGN_PKCS1_2048_SHA256"])
async def test_key_of_another_algorithm_is_refused(kms: GcpKms, algorithm: str) -> None:
    version = kms.create_key(algorithm=getattr(CryptoKeyVersion.CryptoKeyVersionAlgorithm, algorithm))
    with pytest.raises(KeyUnavailable, match=f"{algorithm}.*a wallet needs EC_SIGN_SECP256K1_SHA256"):
        await open_key(kms, version)


async def test_missing_key_version_is_named(kms: GcpKms) -> None:
    with pytest.raises(KeyUnavailable, match="NOT_FOUND"):
        await open_key(kms, "projects/x/locations/y/cryptoKeys/k/cryptoKeyVersions/9")
