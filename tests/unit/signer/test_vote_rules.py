"""Votes counted against the chain's facts: channels that never need an approval get none."""

from datetime import UTC, datetime

import pytest

from paimon.domain.approval.ticket import Verdict
from paimon.domain.approval.vote import RedemptionDecision
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import OnChainStatus
from paimon.gateway.signer.check_request import DecisionCall, RefusalCode, RequestRefused
from paimon.gateway.signer.policy import ApprovalsTable
from paimon.gateway.signer.votes import CastVote, ChainFacts, require_enough_votes

pytestmark = pytest.mark.unit

OWNER, RECEIVER, VOTER = (Address(bytes([n]) * 20) for n in (1, 2, 3))
STANDARD, EMERGENCY, SCHEDULED, UNHEARD_OF = 0, 1, 2, 9


def facts(channel: int) -> ChainFacts:
    return ChainFacts(OWNER, RECEIVER, 5, OnChainStatus.PENDING_APPROVAL, channel, frozenset({VOTER}))


def vote(verdict: Verdict, reason: str = "") -> CastVote:
    expires_at = datetime(2026, 1, 1, tzinfo=UTC)
    decision = RedemptionDecision(
        "TKT-R000007", 7, OWNER, RECEIVER, RawAmount(5), verdict, reason, 1, Hash32(bytes(32)), expires_at
    )
    return CastVote(VOTER, decision)


@pytest.mark.parametrize("channel", [SCHEDULED, UNHEARD_OF])
def test_a_channel_without_approvals_is_never_approved(channel: int) -> None:
    with pytest.raises(RequestRefused) as refused:
        require_enough_votes(DecisionCall(7, Verdict.APPROVE, ""), [vote(Verdict.APPROVE)], facts(channel), ApprovalsTable())
    assert refused.value.code is RefusalCode.NOT_AWAITING_APPROVAL


@pytest.mark.parametrize(("channel", "policy"), [(STANDARD, {"STANDARD": 2}), (EMERGENCY, {"EMERGENCY": 2})])
def test_each_channel_has_its_own_count(channel: int, policy: dict[str, int]) -> None:
    decision_call, votes = DecisionCall(7, Verdict.APPROVE, ""), [vote(Verdict.APPROVE)]
    require_enough_votes(decision_call, votes, facts(channel), ApprovalsTable())
    with pytest.raises(RequestRefused) as refused:
        require_enough_votes(decision_call, votes, facts(channel), ApprovalsTable(**policy))
    assert refused.value.code is RefusalCode.TOO_FEW_VOTES


def test_a_single_rejection_is_enough_whatever_an_approval_needs() -> None:
    decision_call = DecisionCall(7, Verdict.REJECT, "no")
    require_enough_votes(decision_call, [vote(Verdict.REJECT, "no")], facts(STANDARD), ApprovalsTable(STANDARD=3))
    with pytest.raises(RequestRefused):
        require_enough_votes(decision_call, [], facts(STANDARD), ApprovalsTable(STANDARD=3))
