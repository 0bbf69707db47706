"""Safe hashes, signatures and batches, compared with another implementation and read back."""

from typing import Any
from unittest.mock import Mock

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from hypothesis import assume, given
from hypothesis import strategies as st
from safe_eth.safe.multi_send import MultiSendOperation, MultiSendTx
from safe_eth.safe.safe_signature import SafeSignature, SafeSignatureContract, SafeSignatureEOA, SafeSignatureEthSign
from safe_eth.safe.safe_tx import SafeTx
from tests.support.chain.safes import signature_by_eth_sign
from tests.support.factories.strategies import ADDRESSES, AMOUNTS, UINT256

from paimon.domain.kernel.chain import ZERO_ADDRESS, Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.multi_send import (
    MalformedBatch,
    UntrustedDelegatecall,
    build_safe_transaction,
    decode_batch,
    encode_batch,
    read_safe_calls,
)
from paimon.domain.transaction.safe_transaction import (
    MalformedOwnerSignature,
    OwnerSignature,
    SafeOperation,
    SafeScope,
    SafeTransaction,
    pack_signatures,
    safe_transaction_document,
    safe_transaction_hashes,
)

pytestmark = pytest.mark.unit

MULTI_SEND = Address(b"\x96" * 20)
CALLS = st.builds(Call, ADDRESSES, st.binary(max_size=100), AMOUNTS)
TRANSACTIONS = st.builds(SafeTransaction, CALLS, st.sampled_from(SafeOperation), UINT256)
SCOPES = st.builds(SafeScope, st.integers(1, 2**63), ADDRESSES)


@given(TRANSACTIONS, SCOPES)
def test_hash_equals_that_of_other_software(transaction: SafeTransaction, scope: SafeScope) -> None:
    call = transaction.call
    other = SafeTx(
        Mock(),  # a node: the hash is computed without one
        to_checksum_address(scope.safe),
        to_checksum_address(call.to),
        call.value_wei,
        call.data,
        transaction.operation.value,
        0,
        0,
        0,
        to_checksum_address(ZERO_ADDRESS),
        to_checksum_address(ZERO_ADDRESS),
        safe_nonce=transaction.nonce,
        safe_version="1.4.1",
        chain_id=scope.chain_id,
    )
    card = safe_transaction_hashes(transaction, scope)
    assert card.transaction == bytes(other.safe_tx_hash)
    assert card.preimage == bytes(other.safe_tx_hash_preimage)


@given(TRANSACTIONS, SCOPES)
def test_document_hashes_to_the_transaction_hash(transaction: SafeTransaction, scope: SafeScope) -> None:
    signable = encode_typed_data(full_message=safe_transaction_document(transaction, scope))
    card = safe_transaction_hashes(transaction, scope)
    assert (signable.header, signable.body) == (card.domain, card.message)


@given(TRANSACTIONS, TRANSACTIONS, SCOPES)
def test_different_transactions_have_different_hashes(one: SafeTransaction, other: SafeTransaction, scope: SafeScope) -> None:
    assume(one != other)
    assert safe_transaction_hashes(one, scope).transaction != safe_transaction_hashes(other, scope).transaction


@given(st.sets(st.integers(1, 2**64), min_size=1, max_size=4), st.dictionaries(ADDRESSES, st.binary(max_size=100), max_size=3))
def test_packed_signatures_read_back_owner_by_owner(keys: set[int], contracts: dict[Address, bytes]) -> None:
    digest = keccak(text="what is signed")
    accounts = [Account.from_key(key.to_bytes(32, "big")) for key in keys]
    signed = [
        OwnerSignature(Address(bytes.fromhex(account.address[2:])), bytes(account.unsafe_sign_hash(digest).signature), False)
        for account in accounts
    ]
    signed += [OwnerSignature(owner, signature, True) for owner, signature in contracts.items()]
    assume(len({signature.owner for signature in signed}) == len(signed))
    read = SafeSignature.parse_signature(pack_signatures(reversed(signed)), digest, ignore_trailing=False)
    assert [bytes(HexBytes(signature.owner)) for signature in read] == sorted(bytes(signature.owner) for signature in signed), (
        "by rising owner"
    )
    kinds: dict[bytes, Any] = {bytes(HexBytes(signature.owner)): signature for signature in read}
    for signature in signed:
        found = kinds[signature.owner]
        if signature.is_contract_signature:
            assert isinstance(found, SafeSignatureContract)
            assert bytes(found.contract_signature) == signature.signature
        else:
            assert isinstance(found, SafeSignatureEOA)


@given(st.integers(1, 2**64), TRANSACTIONS, SCOPES)
def test_eth_sign_signature_reads_back_as_its_owners(key: int, transaction: SafeTransaction, scope: SafeScope) -> None:
    account = Account.from_key(key.to_bytes(32, "big"))
    signed = signature_by_eth_sign(account, transaction, scope)
    digest = safe_transaction_hashes(transaction, scope).transaction
    (read,) = SafeSignature.parse_signature(pack_signatures([signed]), digest, ignore_trailing=False)
    assert isinstance(read, SafeSignatureEthSign)
    assert read.owner == account.address


@pytest.mark.parametrize(("given_", "packed"), [(0, 27), (1, 28), (27, 27), (28, 28), (31, 31), (32, 32)])
def test_key_signature_ends_in_the_form_of_the_safe(given_: int, packed: int) -> None:
    """In the last byte 0 and 1 mean a contract's signature and an approval on chain."""
    (last,) = pack_signatures([OwnerSignature(Address(bytes(20)), bytes(64) + bytes([given_]), False)])[64:]
    assert last == packed


@pytest.mark.parametrize(
    "signature", [b"", bytes(64), bytes(64) + b"\x02", bytes(64) + b"\x1d", bytes(64) + b"\x21", bytes(66)]
)
def test_malformed_key_signature_is_not_packed(signature: bytes) -> None:
    with pytest.raises(MalformedOwnerSignature):
        pack_signatures([OwnerSignature(Address(bytes(20)), signature, False)])


def test_owner_is_packed_once() -> None:
    once = OwnerSignature(Address(bytes(20)), b"", True)
    with pytest.raises(MalformedOwnerSignature):
        pack_signatures([once, once])


@given(st.lists(CALLS, max_size=4))
def test_batch_decodes_to_its_calls(calls: list[Call]) -> None:
    assert decode_batch(encode_batch(calls)) == tuple(calls)


@given(st.lists(CALLS, min_size=1, max_size=4))
def test_batch_equals_that_of_other_software(calls: list[Call]) -> None:
    theirs = b"".join(
        MultiSendTx(MultiSendOperation.CALL, to_checksum_address(each.to), each.value_wei, each.data).encoded_data
        for each in calls
    )
    assert theirs in encode_batch(calls)


@given(st.lists(CALLS, min_size=1, max_size=3), st.data())
def test_changed_byte_of_a_batch_gives_other_calls_or_none(calls: list[Call], data: st.DataObject) -> None:
    batch = bytearray(encode_batch(calls))
    place = data.draw(st.integers(0, len(batch) - 1))
    batch[place] ^= data.draw(st.integers(1, 255))
    try:
        read = decode_batch(bytes(batch))
    except MalformedBatch:
        return
    assert read != tuple(calls)
    assert encode_batch(read) == batch, "bytes that are read are explained to the last"


@pytest.mark.parametrize("spoilt", [b"", b"\x8d\x80\xff\x0a", encode_batch([]) + bytes(32), encode_batch([])[:-1]])
def test_malformed_batch_is_refused(spoilt: bytes) -> None:
    with pytest.raises(MalformedBatch):
        decode_batch(spoilt)


def test_delegatecall_inside_a_batch_is_refused() -> None:
    batch = bytearray(encode_batch([Call(MULTI_SEND, b"")]))
    batch[68] = 1
    with pytest.raises(MalformedBatch, match="not a plain call"):
        decode_batch(bytes(batch))


@given(st.lists(CALLS, min_size=1, max_size=4), UINT256)
def test_safe_transaction_reads_back_as_its_calls(calls: list[Call], nonce: int) -> None:
    transaction = build_safe_transaction(calls, nonce, multi_send=MULTI_SEND)
    assert read_safe_calls(transaction.call, transaction.operation, multi_send=MULTI_SEND) == tuple(calls)
    assert (transaction.operation is SafeOperation.CALL) == (len(calls) == 1)


@given(CALLS.filter(lambda call: call.to != MULTI_SEND))
def test_untrusted_delegatecall_is_refused(call: Call) -> None:
    with pytest.raises(UntrustedDelegatecall):
        read_safe_calls(call, SafeOperation.DELEGATECALL, multi_send=MULTI_SEND)
    with_value = Call(MULTI_SEND, encode_batch([call]), RawAmount(1))
    with pytest.raises(UntrustedDelegatecall):
        read_safe_calls(with_value, SafeOperation.DELEGATECALL, multi_send=MULTI_SEND)


def test_transaction_without_calls_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        build_safe_transaction([], 0, multi_send=MULTI_SEND)
