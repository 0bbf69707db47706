"""The bytes of transactions and signatures, compared with eth-account."""

from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.kernel.chain import Address, Hash32, checksum, hex0x
from paimon.domain.kernel.signature import CURVE_ORDER
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.signing import GasFees, GasFeeType, UnsignedTransaction
from paimon.infrastructure.keys.encoding import read_call, sign_transaction
from paimon.infrastructure.keys.key import KeyUnavailable, canonical_signature
from paimon.infrastructure.keys.local_key import LocalKey

pytestmark = pytest.mark.unit

SECRETS = st.integers(1, CURVE_ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
DIGESTS = st.binary(min_size=32, max_size=32).map(Hash32)


@st.composite
def transactions(draw: st.DrawFn) -> UnsignedTransaction:
    cap = draw(st.integers(0, 2**64))
    call = Call(
        Address(draw(st.binary(min_size=20, max_size=20))),
        draw(st.binary(max_size=300)),
        RawAmount(draw(st.integers(0, 2**96))),
    )
    return UnsignedTransaction(
        chain_id=draw(st.integers(1, 2**32)),
        nonce=draw(st.integers(0, 2**32)),
        gas_limit=draw(st.integers(21_000, 2**32)),
        gas_fee_type=draw(st.sampled_from(GasFeeType)),
        fees=GasFees(cap, draw(st.integers(0, cap))),
        call=call,
    )


def eth_account_fields(unsigned: UnsignedTransaction) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "chainId": unsigned.chain_id,
        "nonce": unsigned.nonce,
        "gas": unsigned.gas_limit,
        "to": checksum(unsigned.call.to),
        "value": int(unsigned.call.value_wei),
        "data": hex0x(unsigned.call.data),
    }
    if unsigned.gas_fee_type is GasFeeType.LEGACY:
        return fields | {"gasPrice": unsigned.fees.max_fee_wei}
    tip = unsigned.fees.priority_fee_wei
    return fields | {"type": 2, "maxFeePerGas": unsigned.fees.max_fee_wei, "maxPriorityFeePerGas": tip}


@given(SECRETS, transactions())
async def test_signed_transaction_equals_the_one_of_eth_account(secret: bytes, unsigned: UnsignedTransaction) -> None:
    signed = await sign_transaction(LocalKey(secret), unsigned)
    theirs = Account.from_key(secret).sign_transaction(eth_account_fields(unsigned))
    assert (signed.raw, signed.hash) == (bytes(theirs.raw_transaction), bytes(theirs.hash))
    assert read_call(signed.raw, signed.hash) == unsigned.call


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=80).map(b"\x02".__add__)))
def test_call_of_other_bytes_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="no transaction"):
        read_call(raw, Hash32(keccak(raw)))
    with pytest.raises(ValueError, match="another hash"):
        read_call(raw, Hash32(bytes(32)))


@given(SECRETS, DIGESTS)
async def test_canonical_signature_is_the_same_for_both_halves_of_s(secret: bytes, digest: Hash32) -> None:
    key = LocalKey(secret)
    signature = await key.sign_digest(digest)
    assert 0 < signature.s <= CURVE_ORDER // 2
    for s in (signature.s, CURVE_ORDER - signature.s):
        assert canonical_signature(key.address, digest, signature.r, s) == signature


@given(SECRETS, SECRETS, DIGESTS, DIGESTS)
async def test_canonical_signature_refuses_another_key_or_digest(
    one: bytes, other: bytes, digest: Hash32, another: Hash32
) -> None:
    if one == other or digest == another or int.from_bytes(digest, "big") % CURVE_ORDER == 0:
        return  # over a digest of zero, a key and its negative make the same signature
    signature = await LocalKey(one).sign_digest(digest)
    with pytest.raises(KeyUnavailable):
        canonical_signature(LocalKey(other).address, digest, signature.r, signature.s)
    with pytest.raises(KeyUnavailable):
        canonical_signature(LocalKey(one).address, another, signature.r, signature.s)


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (CURVE_ORDER, 1), (1, CURVE_ORDER)])
def test_canonical_signature_refuses_numbers_off_the_curve(r: int, s: int) -> None:
    with pytest.raises(KeyUnavailable):
        canonical_signature(Address(bytes(20)), Hash32(bytes(32)), r, s)


def test_local_key_never_shows_its_secret() -> None:
    assert "11" * 32 not in repr(LocalKey(b"\x11" * 32)) + str(LocalKey(b"\x11" * 32))
