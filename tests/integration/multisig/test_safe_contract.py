"""Our hashes, signatures and executions, judged by the real Safe 1.4.1."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from eth_utils.crypto import keccak
from tests.support.chain.fund import TestFund
from tests.support.chain.safes import SAFE_ABI, SafeFactory, address_of, owner_account, signature_by_key, signature_by_safe

from paimon.domain.kernel.chain import Address, BlockStamp
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.multi_send import build_safe_transaction
from paimon.domain.transaction.safe_transaction import (
    OwnerSignature,
    SafeOperation,
    SafeScope,
    SafeTransaction,
    rejection_transaction,
    safe_transaction_hashes,
)
from paimon.infrastructure.blockchain.contracts.safe import SafeContract, UnexpectedSafe
from paimon.infrastructure.blockchain.finality import chain_adapter
from paimon.infrastructure.blockchain.rpc.pool import Rpc

pytestmark = pytest.mark.integration

CHAIN_ID = 31337
OWNERS = [owner_account(number) for number in range(1, 4)]
SOMEONE = Address(b"\x77" * 20)


@pytest.fixture
async def rpc(fund: TestFund) -> AsyncIterator[Rpc]:
    async with Rpc(fund.rpc_url, timeout_seconds=10, attempts_max=2) as opened:
        yield opened


@pytest.fixture
def safe_factory(fund: TestFund) -> SafeFactory:
    return SafeFactory.open(fund)


@pytest.fixture
def safe(safe_factory: SafeFactory, rpc: Rpc) -> SafeContract:
    """Two of three keys."""
    return SafeContract(rpc, SafeScope(CHAIN_ID, safe_factory.safe([address_of(account) for account in OWNERS], 2)))


async def final(fund: TestFund, rpc: Rpc) -> BlockStamp:
    fund.wait_until_final()
    return await chain_adapter(CHAIN_ID).final_block(rpc)


async def test_owners_threshold_and_nonce_are_read(fund: TestFund, rpc: Rpc, safe: SafeContract) -> None:
    view = await safe.view(at=await final(fund, rpc))
    assert (set(view.owners), view.threshold, view.nonce) == ({address_of(account) for account in OWNERS}, 2, 0)


@pytest.mark.parametrize("what", ["nothing", "another contract"])
async def test_contract_that_is_no_safe_is_refused(fund: TestFund, rpc: Rpc, what: str) -> None:
    where = SOMEONE if what == "nothing" else fund.addresses.vault
    with pytest.raises(UnexpectedSafe):
        await SafeContract(rpc, SafeScope(CHAIN_ID, where)).view(at=await final(fund, rpc))


async def test_safe_computes_the_hash_that_we_compute(fund: TestFund, rpc: Rpc, safe: SafeContract) -> None:
    at = await final(fund, rpc)
    for operation in SafeOperation:
        transaction = SafeTransaction(Call(SOMEONE, b"some data", RawAmount(3)), operation, 7)
        assert await safe.transaction_hash(transaction, at=at) == safe_transaction_hashes(transaction, safe.scope).transaction


async def test_owners_signature_over_this_transaction_counts(fund: TestFund, rpc: Rpc, safe: SafeContract) -> None:
    transaction, at = rejection_transaction(0, safe.address), await final(fund, rpc)
    good = signature_by_key(OWNERS[0], transaction, safe.scope)
    assert await safe.signature_rejection_reason(transaction, good, at=at) is None
    over_another = signature_by_key(OWNERS[0], replace(transaction, nonce=1), safe.scope)
    of_a_stranger = signature_by_key(owner_account(9), transaction, safe.scope)
    for refused in (over_another, of_a_stranger):
        assert (await safe.signature_rejection_reason(transaction, refused, at=at) or "").startswith("GS026")


async def test_safe_that_owns_a_safe_signs_by_its_owners(
    fund: TestFund, rpc: Rpc, safe_factory: SafeFactory, safe: SafeContract
) -> None:
    outer = SafeContract(rpc, SafeScope(CHAIN_ID, safe_factory.safe([safe.address, address_of(owner_account(4))], 2)))
    transaction, at = rejection_transaction(0, outer.address), await final(fund, rpc)
    good = signature_by_safe(safe.address, OWNERS[:2], transaction, outer.scope)
    assert await outer.signature_rejection_reason(transaction, good, at=at) is None
    one_is_missing = signature_by_safe(safe.address, OWNERS[:1], transaction, outer.scope)
    assert await outer.signature_rejection_reason(transaction, one_is_missing, at=at) is not None
    over_another = signature_by_safe(safe.address, OWNERS[:2], replace(transaction, nonce=1), outer.scope)
    assert await outer.signature_rejection_reason(transaction, over_another, at=at) is not None


async def test_keys_and_contracts_execute_together_in_any_order(
    fund: TestFund, rpc: Rpc, safe_factory: SafeFactory, safe: SafeContract
) -> None:
    """Three of five, two of them Safes: the bytes of both follow after all the heads."""
    second = safe_factory.safe([address_of(owner_account(7))], 1)
    people = [safe.address, second, *(address_of(owner_account(number)) for number in (4, 5, 6))]
    outer = SafeContract(rpc, SafeScope(CHAIN_ID, safe_factory.safe(people, 3)))
    transaction = rejection_transaction(0, outer.address)
    signatures = [
        signature_by_safe(safe.address, OWNERS[1:], transaction, outer.scope),
        signature_by_key(owner_account(5), transaction, outer.scope),
        signature_by_safe(second, [owner_account(7)], transaction, outer.scope),
    ]
    before = fund.node.rpc.head().number
    receipt = safe_factory.execute(outer.scope, transaction, signatures)
    assert int(receipt["status"], 16) == 1
    (executed,) = await outer.read_executions(before + 1, fund.node.rpc.head().number)
    assert (executed.hash, executed.succeeded) == (safe_transaction_hashes(transaction, outer.scope).transaction, True)


async def test_batched_calls_run_as_the_safe_all_or_none(
    fund: TestFund, rpc: Rpc, safe_factory: SafeFactory, safe: SafeContract
) -> None:
    """Through MultiSend the Safe itself is the caller: it may change its own threshold."""
    to_one = Call(safe.address, SAFE_ABI.encode_call("changeThreshold", 1))
    to_three = Call(safe.address, SAFE_ABI.encode_call("changeThreshold", 3))
    impossible = Call(safe.address, SAFE_ABI.encode_call("changeThreshold", 4))

    def run(*calls: Call) -> int:
        transaction = build_safe_transaction(
            calls, safe_factory.read(safe.address, "nonce"), multi_send=safe_factory.multi_send
        )
        receipt = safe_factory.execute(
            safe.scope, transaction, [signature_by_key(account, transaction, safe.scope) for account in OWNERS[:2]]
        )
        return int(receipt["status"], 16)

    assert run(to_one, impossible) == 0
    assert (safe_factory.read(safe.address, "getThreshold"), safe_factory.read(safe.address, "nonce")) == (2, 0), (
        "nothing happened"
    )
    assert run(to_one, to_three) == 1
    assert (safe_factory.read(safe.address, "getThreshold"), safe_factory.read(safe.address, "nonce")) == (3, 1)


async def test_unusable_contract_signature_is_described(
    fund: TestFund, rpc: Rpc, safe_factory: SafeFactory, safe: SafeContract
) -> None:
    outer = SafeContract(rpc, SafeScope(CHAIN_ID, safe_factory.safe([safe.address], 1)))
    transaction, at = rejection_transaction(0, outer.address), await final(fund, rpc)
    for nonsense in (b"", b"\x01", keccak(text="no signature")):
        assert await outer.signature_rejection_reason(transaction, OwnerSignature(safe.address, nonsense, True), at=at)
