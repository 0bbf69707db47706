"""JSON shapes of outbox messages."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field

from paimon.application.quarantine.queries import OutboxMessage, RecordedDecision
from paimon.domain.operations.outbox import OutboxPriority, OutboxStatus
from paimon.gateway.rest.schema import ApiModel, Time
from paimon.gateway.rest.views.operator_decisions import DecisionDocuments, OperatorDecisionView


class OutboxMessageView(ApiModel):
    """A message of the outbox: work that was committed together with its cause, and its progress."""

    id: int
    kind: str
    aggregate_id: str
    priority: OutboxPriority
    status: OutboxStatus
    created_at: Time
    available_at: Time = Field(description="the message is not handled before this time")
    attempts: int = Field(description="failed attempts so far")
    last_error: str | None
    done_at: Time | None
    dead_lettered_at: Time | None = Field(description="when its last attempt failed")

    @classmethod
    def of(cls, message: OutboxMessage) -> Self:
        return cls(**_fields(message))


class OutboxMessageDetailView(OutboxMessageView):
    """An outbox message with its payload, the decisions about it, and the document that replays it."""

    payload: dict[str, Any]
    decisions: list[OperatorDecisionView]
    signing: DecisionDocuments

    @classmethod
    def of_detail(cls, message: OutboxMessage, decisions: Sequence[RecordedDecision], signing: DecisionDocuments) -> Self:
        shown = [OperatorDecisionView.of(decision) for decision in decisions]
        return cls(**_fields(message), payload=message.payload, decisions=shown, signing=signing)


def _fields(message: OutboxMessage) -> dict[str, Any]:
    return {name: getattr(message, name) for name in OutboxMessageView.model_fields}
