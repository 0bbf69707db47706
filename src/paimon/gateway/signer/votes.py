"""Check that votes allow a decision on chain. Pure rules over the call, the votes, and the chain at a final block.

The signer builds each vote's document itself, by the kernel's builder, from the vote's values and its own chain id and
contract. The document that was sent must equal it, and the voter is recovered from it. One invalid vote refuses the whole
request, because a correct caller never sends one.

The expiry bounds when the application may accept a vote. An accepted vote stays valid for its ticket, so the signer takes it
for `signature_age_hours_max` after its expiry: long enough for every ticket, too short for a vote that was kept back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from paimon.domain.approval.ticket import Verdict
from paimon.domain.approval.vote import RedemptionDecision, parse_redemption_decision, redemption_decision_document
from paimon.domain.events.errors import InapplicableEvent
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.redemption.request import OnChainStatus, RedemptionChannel
from paimon.domain.transaction.signing import SignedVote
from paimon.gateway.signer.check_request import DecisionCall, RefusalCode, RequestRefused
from paimon.gateway.signer.policy_tables import ApprovalsTable
from paimon.gateway.signer.signed_documents import UNREADABLE, recover_signer
from paimon.infrastructure.blockchain.contracts.redemption_manager import RequestResult

VOTES_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class CastVote:
    """A decision with the wallet that signed it."""

    voter: Address
    decision: RedemptionDecision


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """The request, and the voters that hold VIP_APPROVER_ROLE, at one final block."""

    owner: Address
    receiver: Address
    gross_amount: int
    status: int
    channel: int
    role_holders: frozenset[Address]

    @classmethod
    def of(cls, request: RequestResult, role_holders: frozenset[Address]) -> "ChainFacts":
        return cls(
            owner=request.owner,
            receiver=request.receiver,
            gross_amount=request.gross_amount,
            status=request.status,
            channel=request.channel,
            role_holders=role_holders,
        )


def read_votes(votes: Sequence[SignedVote], scope: SigningScope) -> list[CastVote]:
    """Read the votes and recover their voters.

    Raises:
        RequestRefused: there are more votes than a ticket ever has, or one is no decision for this chain and contract.
    """
    if len(votes) > VOTES_MAX:
        raise RequestRefused(RefusalCode.TOO_MANY_VOTES, f"{len(votes)} votes; at most {VOTES_MAX} are allowed")
    return [_read_vote(vote, scope) for vote in votes]


def _read_vote(vote: SignedVote, scope: SigningScope) -> CastVote:
    try:
        decision = parse_redemption_decision(vote.document["message"])
        expected = redemption_decision_document(decision, scope)
    except UNREADABLE as error:
        raise RequestRefused(RefusalCode.MALFORMED_VOTE, f"a vote's message is no redemption decision: {error!r}") from error
    voter = recover_signer(
        vote.document, vote.signature, expected=expected, what="a vote", malformed=RefusalCode.MALFORMED_VOTE
    )
    return CastVote(voter, decision)


def require_enough_votes(
    decision_call: DecisionCall, votes: Sequence[CastVote], facts: ChainFacts, approvals: ApprovalsTable
) -> None:
    """Refuse unless these votes allow the decision in the state that the chain shows.

    Raises:
        RequestRefused
    """
    if facts.status != OnChainStatus.PENDING_APPROVAL:
        raise RequestRefused(
            RefusalCode.NOT_AWAITING_APPROVAL,
            f"request {decision_call.request_id} is in state {facts.status} on chain, it awaits no approval",
        )
    for vote in votes:
        _require_matching_vote(decision_call, vote, facts, approvals)
    voters = [vote.voter for vote in votes]
    if len(set(voters)) != len(voters):
        raise RequestRefused(RefusalCode.DUPLICATE_VOTER, "one approver's vote is there twice")
    required = _votes_required(decision_call, facts, approvals)
    if len(voters) < required:
        raise RequestRefused(
            RefusalCode.TOO_FEW_VOTES,
            f"request {decision_call.request_id} needs {required} votes to {decision_call.verdict}, got {len(voters)}",
        )


def _require_matching_vote(decision_call: DecisionCall, vote: CastVote, facts: ChainFacts, approvals: ApprovalsTable) -> None:
    decision, voter = vote.decision, checksum(vote.voter)
    if decision.request_id != decision_call.request_id:
        raise RequestRefused(
            RefusalCode.REQUEST_MISMATCH,
            f"{voter} decided on request {decision.request_id}, the call is about {decision_call.request_id}",
        )
    if decision.verdict is not decision_call.verdict:
        raise RequestRefused(
            RefusalCode.VERDICT_MISMATCH, f"{voter} voted {decision.verdict}, the call would {decision_call.verdict}"
        )
    if decision_call.verdict is Verdict.REJECT and decision.reason != decision_call.reason:
        raise RequestRefused(RefusalCode.REASON_MISMATCH, f"the call's reason is not the one {voter} signed")
    if (decision.owner, decision.receiver) != (facts.owner, facts.receiver):
        raise RequestRefused(RefusalCode.PARTIES_MISMATCH, f"{voter} decided on another owner or receiver than the chain shows")
    if decision.gross_amount != facts.gross_amount:
        raise RequestRefused(
            RefusalCode.AMOUNT_MISMATCH, f"{voter} decided on {decision.gross_amount}, the chain shows {facts.gross_amount}"
        )
    if vote.voter in (facts.owner, facts.receiver):
        raise RequestRefused(RefusalCode.VOTER_IS_PARTY, f"{voter} is the request's owner or receiver and never votes on it")
    if approvals.voters is not None and vote.voter not in approvals.voters:
        raise RequestRefused(RefusalCode.UNKNOWN_VOTER, f"{voter} is none of the voters that the policy names")
    if vote.voter not in facts.role_holders:
        raise RequestRefused(RefusalCode.VOTER_LACKS_ROLE, f"{voter} does not hold VIP_APPROVER_ROLE at the final block")


def _votes_required(decision_call: DecisionCall, facts: ChainFacts, approvals: ApprovalsTable) -> int:
    """Return 1 for a rejection, which ends a ticket by itself, and the channel's count for an approval."""
    if decision_call.verdict is Verdict.REJECT:
        return 1
    try:
        required = approvals.required(RedemptionChannel.from_chain(facts.channel))
    except InapplicableEvent as error:
        raise RequestRefused(RefusalCode.NOT_AWAITING_APPROVAL, str(error)) from error
    if required is None:
        raise RequestRefused(RefusalCode.NOT_AWAITING_APPROVAL, f"channel {facts.channel} has no approvals in the policy")
    return required
