"""JSON shape of an operator's decision about an outbox message or a quarantined log."""

from typing import Self

from pydantic import Field

from paimon.application.quarantine.queries import RecordedDecision
from paimon.domain.kernel.chain import hex0x
from paimon.domain.risk.operator_decision import OperatorDecisionKind, OperatorDecisionStatus
from paimon.gateway.rest.schema import AddressText, ApiModel, Time
from paimon.gateway.rest.views.signed_action import TypedData

DecisionDocuments = dict[OperatorDecisionKind, TypedData]
"""EIP-712 documents of the decisions that are possible now. Replace `message.reason` by your own before signing."""


class OperatorDecisionView(ApiModel):
    """An operator's decision with what was signed: enough to verify it without this system."""

    kind: OperatorDecisionKind
    problem: str = Field(description="the error or reason that the decision is about")
    reason: str
    requested_by: AddressText
    requested_at: Time
    status: OperatorDecisionStatus = Field(description="REQUESTED: the next rebuild of the projections applies it")
    outcome: str | None
    ended_at: Time | None
    typed_data: TypedData | None = Field(description="null where the decision came from the command line, without a signature")
    signature: str | None

    @classmethod
    def of(cls, decision: RecordedDecision) -> Self:
        return cls(
            kind=decision.kind,
            problem=decision.problem,
            reason=decision.reason,
            requested_by=decision.requested_by,
            requested_at=decision.requested_at,
            status=decision.status,
            outcome=decision.outcome,
            ended_at=decision.ended_at,
            typed_data=decision.typed_data,
            signature=None if decision.signature is None else hex0x(decision.signature),
        )
