"""JSON shape of an operator action on an intent or a wallet."""

from typing import Self
from uuid import UUID

from pydantic import Field

from paimon.application.transactions.operator.queries import RecordedAction
from paimon.domain.kernel.chain import hex0x
from paimon.domain.transaction.operator_action import ActionKind, ActionStatus
from paimon.gateway.rest.schema import AddressText, ApiModel, Time
from paimon.gateway.rest.views.signed_action import TypedData

ActionDocuments = dict[ActionKind, TypedData]
"""EIP-712 documents of the actions that are possible now. Replace `message.reason` by your own before signing."""


class OperatorActionView(ApiModel):
    """An operator action with what was signed: enough to verify it without this system."""

    kind: ActionKind
    wallet: AddressText
    intent_id: UUID | None
    target: str = Field(description="the intent's key, or the text of the wallet's fault")
    reason: str
    requested_by: AddressText
    requested_at: Time
    status: ActionStatus = Field(
        description="REQUESTED: not handled by the wallet's driver yet; OBSOLETE: nothing was left to do"
    )
    outcome: str | None
    ended_at: Time | None
    typed_data: TypedData
    signature: str

    @classmethod
    def of(cls, action: RecordedAction) -> Self:
        return cls(
            kind=action.kind,
            wallet=action.wallet,
            intent_id=action.intent_id,
            target=action.target,
            reason=action.reason,
            requested_by=action.requested_by,
            requested_at=action.requested_at,
            status=action.status,
            outcome=action.outcome,
            ended_at=action.ended_at,
            typed_data=action.typed_data,
            signature=hex0x(action.signature),
        )
