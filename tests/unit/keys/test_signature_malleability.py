"""Signatures have one form: every copy that can be computed from one is read as the same bytes, or refused."""

from datetime import UTC, datetime
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st
from tests.support.malleability import copies_of, upper_s

from paimon.application.common.signed_action import SignedAction, verify_signed_action
from paimon.application.common.signing_rules import SigningRules
from paimon.domain.kernel.chain import Address, Hash32, hex0x, parse_address
from paimon.domain.kernel.eip712 import DocumentType, SigningScope
from paimon.domain.kernel.signature import CURVE_ORDER, normalized_signature
from paimon.domain.transaction.safe_transaction import OwnerSignature, pack_signatures
from paimon.infrastructure.keys.local_key import LocalKey
from paimon.infrastructure.keys.signatures import (
    MalformedSignature,
    parse_signature,
    recover_bytes,
    recover_text,
    recover_typed,
)

pytestmark = pytest.mark.unit

SECRETS = st.integers(1, CURVE_ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
SCOPE = SigningScope(31337, Address(bytes(range(20))))
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
RULES = SigningRules(SCOPE, ttl_seconds_max=300)
TERMS = RULES.new_terms(NOW)
NOTE = DocumentType("Note", {"reason": "string"})


@given(SECRETS, st.binary(min_size=32, max_size=32).map(Hash32))
async def test_own_signatures_are_made_in_the_one_form(secret: bytes, digest: Hash32) -> None:
    signature = (await LocalKey(secret).sign_digest(digest)).message_bytes
    assert normalized_signature(signature) == signature


@given(SECRETS, st.text(max_size=40))
def test_every_copy_of_a_signature_is_read_as_the_same_bytes(secret: bytes, text: str) -> None:
    signature = bytes(Account.sign_message(encode_defunct(text=text), secret).signature)
    copies = copies_of(signature)
    assert len(copies) == 4, "two halves of s, two spellings of v"
    assert {parse_signature(hex0x(copy)) for copy in copies} == {signature}


@given(SECRETS, st.text(max_size=40))
def test_recovery_refuses_every_copy_but_one(secret: bytes, text: str) -> None:
    wallet = Account.from_key(secret)
    signature = bytes(wallet.sign_message(encode_defunct(text=text)).signature)
    assert recover_text(text, signature) == recover_bytes(text.encode(), signature) == parse_address(wallet.address)
    for copy in copies_of(signature) - {signature}:
        with pytest.raises(MalformedSignature):
            recover_text(text, copy)
        with pytest.raises(MalformedSignature):
            recover_bytes(text.encode(), copy)


@given(SECRETS, st.text(max_size=40))
def test_vote_document_recovers_from_one_copy_only(secret: bytes, reason: str) -> None:
    wallet = Account.from_key(secret)
    document = note(reason)
    signature = bytes(wallet.sign_typed_data(full_message=document).signature)
    assert recover_typed(document, signature) == parse_address(wallet.address)
    with pytest.raises(MalformedSignature, match="lower s"):
        recover_typed(document, upper_s(signature))


@given(SECRETS, st.sampled_from(range(4)))
def test_evidence_of_a_signed_action_is_the_same_for_every_copy(secret: bytes, number: int) -> None:
    wallet = Account.from_key(secret)
    document = note("why")
    signature = bytes(wallet.sign_typed_data(full_message=document).signature)
    copy = sorted(copies_of(signature))[number]
    evidence = verify_signed_action(
        SignedAction(TERMS, hex0x(copy)),
        document,
        signer=parse_address(wallet.address),
        now=NOW,
        rules=RULES,
        nonce_used=False,
    )
    assert evidence.signature == signature


@pytest.mark.parametrize("shift", [0, 4])
@given(SECRETS, st.binary(min_size=32, max_size=32).map(Hash32))
async def test_safe_gets_the_same_bytes_for_every_copy(shift: int, secret: bytes, digest: Hash32) -> None:
    """With a shift of 4 the signature is one by `eth_sign`, whose v is 31 or 32."""
    key = LocalKey(secret)
    signature = (await key.sign_digest(digest)).message_bytes
    shifted = signature[:-1] + bytes([signature[-1] + shift])
    for copy in (shifted, upper_s(shifted)):
        assert pack_signatures([OwnerSignature(key.address, copy, is_contract_signature=False)]) == shifted


@given(st.binary(max_size=80))
def test_bytes_that_are_no_signature_stay_as_they_are(content: bytes) -> None:
    if len(content) == 65 and content[-1] in (0, 1, 27, 28, 31, 32):
        return
    assert normalized_signature(content) == content


@pytest.mark.parametrize("s", [0, CURVE_ORDER, 2**256 - 1])
def test_number_that_is_no_s_is_refused(s: int) -> None:
    signature = (1).to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27])
    with pytest.raises(MalformedSignature):
        recover_text("text", parse_signature(hex0x(signature)))


def note(reason: str) -> dict[str, Any]:
    return NOTE.build({"reason": reason}, TERMS, SCOPE)
