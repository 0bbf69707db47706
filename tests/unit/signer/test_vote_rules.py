"""The signer's vote rules: how many votes each channel needs, and the channels that never get an approval."""

from datetime import UTC, datetime

import pytest

from paimon.domain.approval.ticket import Verdict
from paimon.domain.approval.vote import RedemptionDecision
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import OnChainStatus
from paimon.gateway.signer.check_request import DecisionCall, RefusalCode, RequestRefused
from paimon.gateway.signer.policy_tables import ApprovalsTable
from paimon.gateway.signer.votes import CastVote, ChainFacts, require_enough_votes

pytestmark = pytest.mark.unit

OWNER, RECEIVER, VOTER = (Address(bytes([n]) * 20) for n in (1, 2, 3))
STANDARD, EMERGENCY, SCHEDULED, UNKNOWN = 0, 1, 2, 9


def facts(channel: int) -> ChainFacts:
    return ChainFacts(OWNER, RECEIVER, 5, OnChainStatus.PENDING_APPROVAL, channel, frozenset({VOTER}))


def vote(verdict: Verdict, reason: str = "") -> CastVote:
    terms = SignatureTerms(Hash32(bytes(32)), datetime(2026, 1, 1, tzinfo=UTC))
    decision = RedemptionDecision("TKT-R000007", 7, OWNER, RECEIVER, RawAmount(5), verdict, reason, 1, terms)
    return CastVote(VOTER, decision)


@pytest.mark.parametrize("channel", [SCHEDULED, UNKNOWN])
def test_signer_never_approves_on_a_channel_without_approvals(channel: int) -> None:
    with pytest.raises(RequestRefused) as refused:
        require_enough_votes(DecisionCall(7, Verdict.APPROVE, ""), [vote(Verdict.APPROVE)], facts(channel), ApprovalsTable())
    assert refused.value.code is RefusalCode.NOT_AWAITING_APPROVAL


@pytest.mark.parametrize(("channel", "policy"), [(STANDARD, {"STANDARD": 2}), (EMERGENCY, {"EMERGENCY": 2})])
def test_signer_counts_votes_by_the_channel_of_the_request(channel: int, policy: dict[str, int]) -> None:
    decision_call, votes = DecisionCall(7, Verdict.APPROVE, ""), [vote(Verdict.APPROVE)]
    require_enough_votes(decision_call, votes, facts(channel), ApprovalsTable())
    with pytest.raises(RequestRefused) as refused:
        require_enough_votes(decision_call, votes, facts(channel), ApprovalsTable(**policy))
    assert refused.value.code is RefusalCode.TOO_FEW_VOTES


def test_signer_rejects_with_one_vote_on_every_policy() -> None:
    decision_call = DecisionCall(7, Verdict.REJECT, "no")
    require_enough_votes(decision_call, [vote(Verdict.REJECT, "no")], facts(STANDARD), ApprovalsTable(STANDARD=3))
    with pytest.raises(RequestRefused):
        require_enough_votes(decision_call, [], facts(STANDARD), ApprovalsTable(STANDARD=3))
