"""Keys in AWS KMS, end to end: key, address, signer, mined transaction, and every way in which KMS can fail."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from tests.support.chain.fund import TestFund
from tests.support.kms import REGION, Kms, serving_kms
from tests.support.signing import DAY_LIMIT, make_policy, sign_plan_document, sign_request, signer_client, transaction

from paimon.domain.kernel.chain import Address, Hash32, checksum, hex0x, parse_address
from paimon.domain.kernel.signature import CURVE_ORDER
from paimon.domain.kernel.units import WAD
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.signing import GasFeeType, SignedTransaction, SignRequest
from paimon.gateway.signer.policy import load_policy
from paimon.gateway.signer.policy_tables import KeyTable, KmsTable, SignableFunction
from paimon.gateway.signer.policy_text import write_policy
from paimon.gateway.signer.process import SignerStartupError, running_signer
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.keys.client import SignerUnavailable, SigningRefused
from paimon.infrastructure.keys.key import KeyUnavailable
from paimon.infrastructure.keys.kms_key import KmsKey, kms_client

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def kms_server() -> Iterator[Kms]:
    with serving_kms() as kms:
        yield kms


@pytest.fixture
def kms(kms_server: Kms, monkeypatch: pytest.MonkeyPatch) -> Kms:
    """A running KMS, and credentials where AWS's library looks for them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing only")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    kms_server.high_s = kms_server.disabled = False
    return kms_server


async def open_key(kms: Kms, key_id: str) -> KmsKey:
    return await KmsKey.open(kms_client(REGION, kms.url), key_id)


def policy_with(fund: TestFund, folder: Path, kms: Kms, key_id: str, address: Address) -> Path:
    """Write a policy whose keeper is in KMS and whose approver is in a file."""
    path = make_policy(fund, folder)
    policy = load_policy(path)
    keeper = KeyTable(name="keeper", address=address, kms_key=key_id, functions=frozenset({SignableFunction.SETTLE}))
    others = tuple(key for key in policy.keys if key.name != "keeper")
    table = KmsTable(region=REGION, endpoint_url=kms.url)
    write_policy(path, policy.model_copy(update={"keys": (keeper, *others), "kms": table}))
    return path


@pytest.mark.parametrize("kind", GasFeeType)
async def test_kms_key_signs_a_transaction_that_is_mined(fund: TestFund, tmp_path: Path, kms: Kms, kind: GasFeeType) -> None:
    key_id = kms.create_key()
    address = (await open_key(kms, key_id)).address
    fund.node.rpc.call("anvil_setBalance", checksum(address), hex(10**18))
    async with running_signer(policy := policy_with(fund, tmp_path, kms, key_id, address), new_ledger=True):
        unsigned = transaction(fund, "settleRedemption", 1, gas_fee_type=kind, call=Call(address, b""))
        signed = await signer_client(policy).sign(SignRequest(address, unsigned))
    assert fund.node.rpc.call("eth_sendRawTransaction", hex0x(signed.raw)) == hex0x(signed.hash)
    fund.wait_until_final()
    receipt = fund.node.rpc.call("eth_getTransactionReceipt", hex0x(signed.hash))
    assert receipt["status"] == "0x1"
    assert parse_address(receipt["from"]) == address


async def test_kms_key_returns_the_low_s_for_a_high_one(kms: Kms) -> None:
    key = await open_key(kms, kms.create_key())
    for high in (False, True):
        kms.high_s = high
        digest = Hash32(bytes([high]) * 32)
        signature = await key.sign_digest(digest)
        assert (kms.raw_s[-1] > CURVE_ORDER // 2) is high, "the raw answer has s in the other half"
        assert signature.s <= CURVE_ORDER // 2
        recovered = Account._recover_hash(digest, signature=signature.message_bytes)
        assert parse_address(recovered) == key.address


async def test_kms_key_opens_by_its_alias(kms: Kms) -> None:
    key_id = kms.create_key()
    kms.client.create_alias(AliasName="alias/keeper", TargetKeyId=key_id)
    assert (await open_key(kms, "alias/keeper")).address == (await open_key(kms, key_id)).address


async def test_signer_does_not_start_when_a_kms_key_differs_from_the_policy(fund: TestFund, tmp_path: Path, kms: Kms) -> None:
    key_id = kms.create_key()
    stated = parse_address(fund.accounts.address("keeper"))
    with pytest.raises(SignerStartupError) as refused:
        async with running_signer(policy_with(fund, tmp_path, kms, key_id, stated)):
            pass
    assert checksum(stated) in str(refused.value)
    assert key_id in str(refused.value)


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "RSA_2048"])
async def test_signer_does_not_start_with_a_kms_key_of_another_curve(
    fund: TestFund, tmp_path: Path, kms: Kms, spec: str
) -> None:
    stated = parse_address(fund.accounts.address("keeper"))
    with pytest.raises(SignerStartupError, match="ECC_SECG_P256K1"):
        async with running_signer(policy_with(fund, tmp_path, kms, kms.create_key(spec), stated)):
            pass


async def test_signer_does_not_start_when_key_or_kms_is_missing(fund: TestFund, tmp_path: Path, kms: Kms) -> None:
    stated = parse_address(fund.accounts.address("keeper"))
    with pytest.raises(SignerStartupError, match="NotFoundException"):
        async with running_signer(policy_with(fund, tmp_path, kms, "alias/missing", stated)):
            pass
    with pytest.raises(SignerStartupError, match="does not answer"):
        async with running_signer(policy_with(fund, tmp_path, Kms("http://127.0.0.1:1"), "alias/keeper", stated)):
            pass


async def test_policy_requires_one_source_for_each_key(fund: TestFund, tmp_path: Path, kms: Kms) -> None:
    stated = parse_address(fund.accounts.address("keeper"))
    path = policy_with(fund, tmp_path, kms, "alias/keeper", stated)
    text = path.read_text()
    for wrong, named in (
        (text.replace('kms_key = "alias/keeper"\n', ""), "needs one of these"),
        (
            text.replace('kms_key = "alias/keeper"', 'kms_key = "alias/keeper"\nkeystore = "keeper.json"'),
            "keystore and password_file together",
        ),
        (text[: text.index("[kms]")] + text[text.index("[[keys]]") :], "state its region"),
    ):
        path.write_text(wrong)
        with pytest.raises(SignerStartupError, match=named):
            async with running_signer(path, new_ledger=True):
                pass


async def test_disabled_kms_key_is_unavailable_and_not_a_refusal(fund: TestFund, tmp_path: Path, kms: Kms) -> None:
    """An intent then waits with that reason, and continues when the key is enabled again."""
    key_id = kms.create_key()
    address = (await open_key(kms, key_id)).address
    async with running_signer(policy := policy_with(fund, tmp_path, kms, key_id, address), new_ledger=True):
        request = SignRequest(address, transaction(fund, "settleRedemption", 1))
        kms.disabled = True
        with pytest.raises(SignerUnavailable, match="DisabledException"):
            await signer_client(policy).sign(request)
        approver = parse_address(fund.accounts.address("approver"))
        await signer_client(policy).sign(
            sign_request(fund, "approver", transaction(fund, "settleRedemption", 1, call=Call(approver, b"")))
        )
        kms.disabled = False
        signed = await signer_client(policy).sign(request)
    assert parse_address(Account.recover_transaction(signed.raw)) == address


async def test_kms_answer_for_another_key_is_not_used(kms: Kms) -> None:
    key_id, other = kms.create_key(), kms.create_key()
    client = kms_client(REGION, kms.url)
    key = KmsKey(client, other, (await open_key(kms, key_id)).address)
    with pytest.raises(KeyUnavailable, match="no signature by it"):
        await key.sign_digest(Hash32(b"\x05" * 32))


async def test_concurrent_requests_cannot_exceed_a_limit_together(fund: TestFund, tmp_path: Path, kms: Kms) -> None:
    """The signer waits for KMS between its limit check and its ledger entry."""
    key_id = kms.create_key()
    address = (await open_key(kms, key_id)).address
    path = make_policy(fund, tmp_path, names=("hot",))
    policy = load_policy(path)
    fields = policy.keys[0].model_dump(exclude={"keystore", "password_file"}) | {
        "address": checksum(address),
        "kms_key": key_id,
    }
    table = KmsTable(region=REGION, endpoint_url=kms.url)
    write_policy(path, policy.model_copy(update={"keys": (KeyTable(**fields),), "kms": table}))
    data = load_abi("AssetController").encode_call("allocateToLayer", 1, 9_000 * WAD)
    call = Call(fund.addresses.asset_controller, data)
    requests = [
        SignRequest(
            address,
            transaction(fund, "settleRedemption", 1, call=call, nonce=nonce),
            plan=sign_plan_document(fund, call),
        )
        for nonce in range(6)
    ]
    async with running_signer(path, new_ledger=True):
        answers = await asyncio.gather(*(signer_client(path).sign(request) for request in requests), return_exceptions=True)
    assert sum(isinstance(answer, SignedTransaction) for answer in answers) == DAY_LIMIT // 9_000
    assert {answer.code for answer in answers if isinstance(answer, SigningRefused)} == {"LIMIT_EXCEEDED"}
