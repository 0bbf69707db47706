"""The document an approver signs: EIP-712 typed data of exactly the decision, which anyone can check without this system."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from paimon.domain.approval.plan_ticket import AnyTicket, PlanTicket
from paimon.domain.approval.ticket import RedemptionTicket, Verdict
from paimon.domain.kernel.chain import Address, Hash32, checksum, hex0x, parse_address
from paimon.domain.kernel.eip712 import DocumentType, SignatureTerms, SigningScope
from paimon.domain.kernel.signed_action import ActionName
from paimon.domain.kernel.units import RawAmount
from paimon.errors import Conflict

REDEMPTION_DECISION: Final = DocumentType(
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


def redemption_decision(ticket: RedemptionTicket, verdict: Verdict, reason: str, terms: SignatureTerms) -> RedemptionDecision:
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
    return REDEMPTION_DECISION.build(
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


PLAN_DECISION: Final = DocumentType(
    "PlanDecision",
    {
        "ticketId": "string",
        "plan": "string",
        "safeTxHash": "bytes32",
        "amount": "uint256",
        "verdict": "string",
        "reason": "string",
        "policyVersion": "uint256",
    },
)


def plan_decision_document(
    ticket: PlanTicket, verdict: Verdict, reason: str, terms: SignatureTerms, scope: SigningScope
) -> dict[str, Any]:
    """Build the EIP-712 document of a rejection or a cancellation. An approval is a signature over the Safe transaction."""
    return PLAN_DECISION.build(
        {
            "ticketId": ticket.id,
            "plan": ticket.plan,
            "safeTxHash": ticket.safe_tx_hash,
            "amount": ticket.amount,
            "verdict": verdict,
            "reason": reason,
            "policyVersion": ticket.policy_version,
        },
        terms,
        scope,
    )


_REDEMPTION_ACTIONS: Final = {Verdict.APPROVE: ActionName.APPROVE_REDEMPTION, Verdict.REJECT: ActionName.REJECT_REDEMPTION}
_PLAN_ACTIONS: Final = {Verdict.REJECT: ActionName.REJECT_PLAN, Verdict.CANCEL: ActionName.CANCEL_PLAN}


class VerdictNotTaken(Conflict):
    """This verdict on this ticket is given in another way."""


def require_taken(ticket: AnyTicket, verdict: Verdict) -> None:
    """Refuse a verdict that no signed decision gives.

    Raises:
        VerdictNotTaken
    """
    if isinstance(ticket, PlanTicket):
        if verdict is Verdict.APPROVE:
            raise VerdictNotTaken(
                f"ticket {ticket.id} is approved by the owners' signatures over the Safe transaction"
                f" {hex0x(ticket.safe_tx_hash)}: POST /multisig/proposals/{{safeTxHash}}/sign"
            )
    elif verdict is Verdict.CANCEL:
        raise VerdictNotTaken(
            "the ticket of a redemption closes with its outcome on chain; the request's owner cancels it there"
        )


@dataclass(frozen=True, slots=True)
class VoteContent:
    """A vote as it is offered for signing. The document of a redemption's is verified by the signer too."""

    ticket: AnyTicket
    verdict: Verdict

    @property
    def action(self) -> ActionName:
        actions = _PLAN_ACTIONS if isinstance(self.ticket, PlanTicket) else _REDEMPTION_ACTIONS
        return actions[self.verdict]

    @property
    def resource(self) -> str:
        return f"/approvals/{self.ticket.id}"

    @property
    def statement(self) -> str:
        if isinstance(self.ticket, PlanTicket):
            return f"{self.verdict.capitalize()} plan {self.ticket.plan}: {'; '.join(self.ticket.calls)}"
        return f"{self.verdict.capitalize()} redemption request {self.ticket.request_id} for {checksum(self.ticket.receiver)}"

    def document(self, reason: str, terms: SignatureTerms, scope: SigningScope) -> dict[str, Any]:
        """Build the EIP-712 document of the decision."""
        if isinstance(self.ticket, PlanTicket):
            return plan_decision_document(self.ticket, self.verdict, reason, terms, scope)
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
