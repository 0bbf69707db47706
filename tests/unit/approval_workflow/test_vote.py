"""The document an approver signs: it parses back, binds its scope, and bounds its acceptance in time."""

from datetime import UTC, datetime, timedelta

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from paimon.domain.approval.ticket import Verdict
from paimon.domain.approval.vote import RedemptionDecision, parse_redemption_decision, redemption_decision_document
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.eip712 import InvalidExpiry, SignatureTerms, SigningScope, require_valid_expiry
from paimon.domain.kernel.units import UINT256_MAX, RawAmount
from paimon.infrastructure.keys.signatures import recover_typed

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
SCOPE = SigningScope(31337, Address(bytes(range(20))))
addresses = st.binary(min_size=20, max_size=20).map(Address)
amounts = st.integers(0, UINT256_MAX)

terms = st.builds(
    SignatureTerms,
    nonce=st.binary(min_size=32, max_size=32).map(Hash32),
    expires_at=st.integers(0, 4_102_444_800).map(lambda value: datetime.fromtimestamp(value, UTC)),
)
decisions = st.builds(
    RedemptionDecision,
    ticket_id=st.text(max_size=20),
    request_id=amounts,
    owner=addresses,
    receiver=addresses,
    gross_amount=amounts.map(RawAmount),
    verdict=st.sampled_from(Verdict),
    reason=st.text(max_size=40),
    policy_version=st.integers(0, 10**9),
    terms=terms,
)


@given(decisions)
def test_redemption_decision_parses_back_from_its_document(decision: RedemptionDecision) -> None:
    assert parse_redemption_decision(redemption_decision_document(decision, SCOPE)["message"]) == decision


@settings(max_examples=10)
@given(decisions)
def test_redemption_decision_recovers_its_signer_only_in_its_scope(decision: RedemptionDecision) -> None:
    voter = Account.create()
    document = redemption_decision_document(decision, SCOPE)
    signature = bytes(voter.sign_typed_data(full_message=document).signature)
    assert recover_typed(document, signature) == bytes.fromhex(voter.address[2:])
    elsewhere = redemption_decision_document(decision, SigningScope(56, SCOPE.redemption_manager))
    assert recover_typed(elsewhere, signature) != bytes.fromhex(voter.address[2:])


@given(st.integers(-10_000, 10_000), st.integers(1, 300))
def test_signature_is_accepted_only_until_its_expiry_and_not_too_early(seconds: int, ttl: int) -> None:
    expires_at = NOW + timedelta(seconds=seconds)
    if 0 < seconds <= ttl:
        require_valid_expiry(expires_at, now=NOW, ttl_seconds_max=ttl)
    else:
        with pytest.raises(InvalidExpiry):
            require_valid_expiry(expires_at, now=NOW, ttl_seconds_max=ttl)
