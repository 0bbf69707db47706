"""What an approver signs: EIP-712 typed data over exactly the decision, so that anyone can check it without this system."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from paimon.domain.approval.ticket import Ticket, Verdict
from paimon.domain.kernel.chain import Address, Hash32, checksum, hex0x, parse_address
from paimon.domain.kernel.eip712 import DOMAIN_FIELDS, SigningScope
from paimon.domain.kernel.units import RawAmount

REDEMPTION_DECISION_TYPE: Final = "RedemptionDecision"


_TYPES: Final[dict[str, list[dict[str, str]]]] = {
    "EIP712Domain": DOMAIN_FIELDS,
    REDEMPTION_DECISION_TYPE: [
        {"name": "ticketId", "type": "string"},
        {"name": "requestId", "type": "uint256"},
        {"name": "owner", "type": "address"},
        {"name": "receiver", "type": "address"},
        {"name": "grossAmount", "type": "uint256"},
        {"name": "verdict", "type": "string"},
        {"name": "reason", "type": "string"},
        {"name": "policyVersion", "type": "uint256"},
        {"name": "nonce", "type": "bytes32"},
        {"name": "expiresAt", "type": "uint256"},
    ],
}


@dataclass(frozen=True, slots=True)
class RedemptionDecision:
    """The signed words: a verdict on one ticket's request as the ticket snapshot shows it."""

    ticket_id: str
    request_id: int
    owner: Address
    receiver: Address
    gross_amount: RawAmount
    verdict: Verdict
    reason: str
    policy_version: int
    nonce: Hash32
    expires_at: datetime


def redemption_decision_on(
    ticket: Ticket, verdict: Verdict, reason: str, *, nonce: Hash32, expires_at: datetime
) -> RedemptionDecision:
    """The decision someone would sign about this ticket."""
    return RedemptionDecision(
        ticket_id=ticket.id,
        request_id=ticket.request_id,
        owner=ticket.owner,
        receiver=ticket.receiver,
        gross_amount=ticket.gross_amount,
        verdict=verdict,
        reason=reason,
        policy_version=ticket.policy_version,
        nonce=nonce,
        expires_at=expires_at.replace(microsecond=0),
    )


def typed_data(decision: RedemptionDecision, scope: SigningScope) -> dict[str, Any]:
    """The EIP-712 document a wallet shows and signs, in the JSON form of `eth_signTypedData_v4`."""
    return {
        "types": _TYPES,
        "primaryType": REDEMPTION_DECISION_TYPE,
        "domain": {
            "name": "Paimon Prime Fund",
            "version": "1",
            "chainId": scope.chain_id,
            "verifyingContract": checksum(scope.redemption_manager),
        },
        "message": {
            "ticketId": decision.ticket_id,
            "requestId": str(decision.request_id),
            "owner": checksum(decision.owner),
            "receiver": checksum(decision.receiver),
            "grossAmount": str(decision.gross_amount),
            "verdict": decision.verdict.value,
            "reason": decision.reason,
            "policyVersion": str(decision.policy_version),
            "nonce": hex0x(decision.nonce),
            "expiresAt": str(int(decision.expires_at.timestamp())),
        },
    }


def parse_redemption_decision(message: dict[str, Any]) -> RedemptionDecision:
    """The decision in a typed message. Raises KeyError or ValueError when a field is missing or malformed."""
    return RedemptionDecision(
        ticket_id=str(message["ticketId"]),
        request_id=int(message["requestId"]),
        owner=parse_address(message["owner"]),
        receiver=parse_address(message["receiver"]),
        gross_amount=RawAmount(int(message["grossAmount"])),
        verdict=Verdict(message["verdict"]),
        reason=str(message["reason"]),
        policy_version=int(message["policyVersion"]),
        nonce=Hash32(bytes.fromhex(str(message["nonce"]).removeprefix("0x"))),
        expires_at=datetime.fromtimestamp(int(message["expiresAt"]), UTC),
    )
