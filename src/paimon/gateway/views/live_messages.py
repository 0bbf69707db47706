"""JSON of live messages, by what they are about."""

from typing import Any

from paimon.application.common.formatting import iso_z
from paimon.application.common.live import LiveMessage
from paimon.domain.approval.ticket import Ticket
from paimon.domain.kernel.chain import checksum
from paimon.domain.redemption.request import Redemption
from paimon.domain.risk.risk_event import RiskEvent, format_owner


def live_document(message: LiveMessage) -> dict[str, Any]:
    """Return the data that a live message is published with.

    Raises:
        TypeError: no view exists for this content.
    """
    match message.content:
        case RiskEvent() as event:
            return _risk_alert(event)
        case Redemption() as redemption:
            return _redemption(redemption)
        case Ticket() as ticket:
            return _ticket(ticket)
        case other:
            raise TypeError(f"no view of {type(other).__name__} for {message.channel}")


def _redemption(redemption: Redemption) -> dict[str, Any]:
    settled = redemption.settled_net_amount
    return {
        "requestId": str(redemption.request_id),
        "owner": checksum(redemption.owner),
        "receiver": checksum(redemption.receiver),
        "shares": str(redemption.shares),
        "grossAmount": str(redemption.gross_amount),
        "channel": redemption.channel.value,
        "status": redemption.status.value,
        "requiresApproval": redemption.requires_approval,
        "settledNetAmount": None if settled is None else str(settled),
    }


def _ticket(ticket: Ticket) -> dict[str, Any]:
    return {
        "ticketId": ticket.id,
        "type": ticket.type.value,
        "requestId": str(ticket.request_id),
        "grossAmount": str(ticket.gross_amount),
        "status": ticket.status.value,
        "deadlineAt": iso_z(ticket.deadline_at),
        "decidedExternally": ticket.decided_externally,
    }


def _risk_alert(event: RiskEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "kind": event.finding.kind.value,
        "subject": event.finding.subject,
        "observed": event.finding.observed,
        "expected": event.finding.expected,
        "severity": event.finding.severity.value,
        "owner": format_owner(event.owner),
        "firstSeenAt": iso_z(event.first_seen.at),
        "blockNumber": event.last_seen.block,
    }
