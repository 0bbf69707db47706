"""The ticket of a redemption request: what the policy asks of it when the chain asks for an approval."""

from datetime import datetime
from typing import Final

from paimon.domain.approval.policy import (
    ApprovalPolicy,
    Initiator,
    Operation,
    OperationKind,
    TicketRequirement,
    in_whole_units,
)
from paimon.domain.approval.ticket import RedemptionTicket
from paimon.domain.kernel.chain import ContractName, checksum
from paimon.domain.redemption.request import Redemption, RedemptionChannel

_KINDS: Final = {
    RedemptionChannel.EMERGENCY: OperationKind.EMERGENCY_REDEMPTION,
    RedemptionChannel.STANDARD: OperationKind.STANDARD_REDEMPTION,
}
_SOURCE: Final = "approver"


def ticket_id(request_id: int) -> str:
    """Return the id of a request's ticket. It derives from the request, so that a request never has two tickets."""
    return f"TKT-R{request_id:06d}"


def redemption_operation(redemption: Redemption, *, decimals: int) -> Operation:
    """Return the operation that an approval of the request would be; the vault's asset has this many decimals.

    Raises:
        ValueError: the request is scheduled, and such a request never needs an approval.
    """
    kind = _KINDS.get(redemption.channel)
    if kind is None:
        raise ValueError(f"request {redemption.request_id} is scheduled; the chain requires no approval for it")
    amount = in_whole_units(redemption.gross_amount, decimals)
    return Operation(
        kind=kind,
        initiator=Initiator.INVESTOR,
        source=_SOURCE,
        contract=ContractName.REDEMPTION_MANAGER,
        method="approveRedemption",
        amount=amount,
        amount_24h=amount,
        destination=checksum(redemption.receiver),
    )


def open_ticket(redemption: Redemption, policy: ApprovalPolicy, *, decimals: int, now: datetime) -> RedemptionTicket:
    """Return a new ticket for a request that awaits approval.

    Raises:
        ValueError: the policy asks for no approval, which `check_policy` refuses of every policy that is published.
    """
    required = policy.require_allowed([redemption_operation(redemption, decimals=decimals)])
    if required is None:
        raise ValueError(f"policy {policy.version} asks for no approval of request {redemption.request_id}, and the chain does")
    return _ticket(redemption, required, now)


def _ticket(redemption: Redemption, required: TicketRequirement, now: datetime) -> RedemptionTicket:
    return RedemptionTicket(
        id=ticket_id(redemption.request_id),
        type=required.type,
        request_id=redemption.request_id,
        owner=redemption.owner,
        receiver=redemption.receiver,
        gross_amount=redemption.gross_amount,
        policy_version=required.policy_version,
        rules=tuple(rule.name for rule in required.rules),
        required_approvals=required.count_min,
        opened_at=now,
        warn_at=now + required.sla.warn,
        escalate_at=now + required.sla.escalate,
        deadline_at=now + required.sla.deadline,
    )
