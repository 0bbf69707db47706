"""Signed actions: evidence only for a fresh signature of the signed-in wallet over exactly the document."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from eth_account import Account

from paimon.application.common.signed_action import (
    NonceUsed,
    SignedAction,
    SignerMismatch,
    verify_signed_action,
)
from paimon.application.common.signing_rules import SignatureEvidence, SigningRules
from paimon.domain.kernel.chain import Address, hex0x, parse_address
from paimon.domain.kernel.eip712 import DocumentType, InvalidExpiry, SignatureTerms, SigningScope
from paimon.infrastructure.keys.signatures import MalformedSignature

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC)
RULES = SigningRules(SigningScope(31337, Address(bytes(range(20)))), ttl_seconds_max=300)
NOTE = DocumentType("Note", {"reason": "string"})
WALLET, OTHER_WALLET = Account.create(), Account.create()
USER = parse_address(WALLET.address)


def note(terms: SignatureTerms, reason: str = "why") -> dict[str, Any]:
    return NOTE.build({"reason": reason}, terms, RULES.scope)


def signed_by(account: Any, terms: SignatureTerms) -> SignedAction:
    return SignedAction(terms, hex0x(bytes(account.sign_typed_data(full_message=note(terms)).signature)))


def verify(signed: SignedAction, *, reason: str = "why", nonce_used: bool = False) -> SignatureEvidence:
    document = note(signed.terms, reason)
    return verify_signed_action(signed, document, signer=USER, now=NOW, rules=RULES, nonce_used=nonce_used)


def test_evidence_holds_the_signer_the_document_and_the_signature() -> None:
    signed = signed_by(WALLET, RULES.new_terms(NOW))
    evidence = verify(signed)
    assert (evidence.signer, evidence.terms, evidence.document) == (USER, signed.terms, note(signed.terms))
    assert hex0x(evidence.signature) == signed.signature


def test_new_terms_differ_in_nonce_and_expire_at_the_latest_accepted_time() -> None:
    first, second = RULES.new_terms(NOW), RULES.new_terms(NOW)
    assert first.nonce != second.nonce
    assert first.expires_at == NOW.replace(microsecond=0) + timedelta(seconds=300)


def test_signature_of_another_wallet_or_document_is_refused() -> None:
    terms = RULES.new_terms(NOW)
    with pytest.raises(SignerMismatch):
        verify(signed_by(OTHER_WALLET, terms))
    with pytest.raises(SignerMismatch, match="over this Note; what was signed must agree in reason, nonce, expiresAt"):
        verify(signed_by(WALLET, terms), reason="another")


@pytest.mark.parametrize("seconds", [-1, 0, 301])
def test_signature_is_refused_when_its_expiry_is_past_or_too_far_ahead(seconds: int) -> None:
    terms = SignatureTerms(RULES.new_terms(NOW).nonce, NOW + timedelta(seconds=seconds))
    with pytest.raises(InvalidExpiry):
        verify(signed_by(WALLET, terms))


def test_signature_is_refused_when_its_nonce_was_used() -> None:
    with pytest.raises(NonceUsed):
        verify(signed_by(WALLET, RULES.new_terms(NOW)), nonce_used=True)


def test_text_that_is_not_a_signature_is_refused_before_its_expiry_and_nonce() -> None:
    terms = SignatureTerms(RULES.new_terms(NOW).nonce, NOW - timedelta(seconds=1))
    with pytest.raises(MalformedSignature):
        verify(SignedAction(terms, "0x1234"), nonce_used=True)
