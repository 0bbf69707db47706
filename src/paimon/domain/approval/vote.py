"""The document an approver signs: EIP-712 typed data of exactly the decision, which anyone can check without this system."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from paimon.domain.approval.ticket import Ticket, Verdict
from paimon.domain.kernel.chain import Address, Hash32, checksum, parse_address
from paimon.domain.kernel.eip712 import DocumentType, SignatureTerms, SigningScope
from paimon.domain.kernel.signed_action import ActionName
from paimon.domain.kernel.units import RawAmount

_DOCUMENT: Final = DocumentType(
    "RedemptionDecision",
    {
        "ticketId": "string",
        "requestId": "uint256",
        "owner": "address",
        "receiver": "address",
        "grossAmount": "uint256",
        "verdict": "string",
        "reason": "string",
        "policyVersion": "uint256",
    },
)


@dataclass(frozen=True, slots=True)
class RedemptionDecision:
    """A verdict on one ticket's request, with the request as the ticket's snapshot has it."""

    ticket_id: str
    request_id: int
    owner: Address
    receiver: Address
    gross_amount: RawAmount
    verdict: Verdict
    reason: str
    policy_version: int
    terms: SignatureTerms


def redemption_decision(ticket: Ticket, verdict: Verdict, reason: str, terms: SignatureTerms) -> RedemptionDecision:
    """Return the decision an approver signs to give this verdict on the ticket."""
    return RedemptionDecision(
        ticket_id=ticket.id,
        request_id=ticket.request_id,
        owner=ticket.owner,
        receiver=ticket.receiver,
        gross_amount=ticket.gross_amount,
        verdict=verdict,
        reason=reason,
        policy_version=ticket.policy_version,
        terms=terms,
    )


def redemption_decision_document(decision: RedemptionDecision, scope: SigningScope) -> dict[str, Any]:
    """Build the EIP-712 document of the decision."""
    return _DOCUMENT.build(
        {
            "ticketId": decision.ticket_id,
            "requestId": decision.request_id,
            "owner": decision.owner,
            "receiver": decision.receiver,
            "grossAmount": decision.gross_amount,
            "verdict": decision.verdict,
            "reason": decision.reason,
            "policyVersion": decision.policy_version,
        },
        decision.terms,
        scope,
    )


VOTE_ACTIONS: Final = {Verdict.APPROVE: ActionName.APPROVE_REDEMPTION, Verdict.REJECT: ActionName.REJECT_REDEMPTION}


@dataclass(frozen=True, slots=True)
class VoteContent:
    """A vote as it is offered for signing. Its document is the decision, which the signer verifies too."""

    ticket: Ticket
    verdict: Verdict

    @property
    def action(self) -> ActionName:
        return VOTE_ACTIONS[self.verdict]

    @property
    def resource(self) -> str:
        return f"/approvals/{self.ticket.id}"

    @property
    def statement(self) -> str:
        return f"{self.verdict.capitalize()} redemption request {self.ticket.request_id} for {checksum(self.ticket.receiver)}"

    def document(self, reason: str, terms: SignatureTerms, scope: SigningScope) -> dict[str, Any]:
        """Build the EIP-712 document of the decision."""
        return redemption_decision_document(redemption_decision(self.ticket, self.verdict, reason, terms), scope)


def parse_redemption_decision(message: dict[str, Any]) -> RedemptionDecision:
    """Read the decision from a document's message.

    Raises:
        KeyError, ValueError: a field is missing or malformed.
    """
    return RedemptionDecision(
        ticket_id=str(message["ticketId"]),
        request_id=int(message["requestId"]),
        owner=parse_address(message["owner"]),
        receiver=parse_address(message["receiver"]),
        gross_amount=RawAmount(int(message["grossAmount"])),
        verdict=Verdict(message["verdict"]),
        reason=str(message["reason"]),
        policy_version=int(message["policyVersion"]),
        terms=SignatureTerms(
            nonce=Hash32(bytes.fromhex(str(message["nonce"]).removeprefix("0x"))),
            expires_at=datetime.fromtimestamp(int(message["expiresAt"]), UTC),
        ),
    )
