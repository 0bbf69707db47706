"""JSON shapes of intents and attempts. The signed bytes of an attempt are never shown."""

from collections.abc import Sequence
from typing import Self
from uuid import UUID

from pydantic import Field

from paimon.application.transactions.operator.queries import RecordedAction
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.intent import Intent, IntentWithAttempts
from paimon.domain.transaction.intent_subject import SubjectType
from paimon.domain.transaction.lifecycle import AttemptStatus, BroadcastChannel, IntentKind, IntentStatus
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.views.operator_actions import ActionDocuments, OperatorActionView


class AttemptView(ApiModel):
    """One signed transaction of an intent."""

    hash: HashText
    nonce: int
    status: AttemptStatus
    gas_limit: int
    max_fee_wei: BigInt
    priority_fee_wei: BigInt
    created_at: Time
    broadcast_at: Time | None
    block_number: int | None
    succeeded: bool | None
    gas_used: int | None
    broadcast_channel: BroadcastChannel = Field(description="private: sent to the private endpoint only, so far")
    is_cancellation: bool = Field(description="a transfer of zero to itself, which only uses up the nonce")
    node_response: str | None = Field(description="the node's last response to the broadcast")

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        return cls(
            hash=attempt.hash,
            nonce=attempt.nonce,
            status=attempt.status,
            gas_limit=attempt.gas_limit,
            max_fee_wei=attempt.max_fee_wei,
            priority_fee_wei=attempt.priority_fee_wei,
            created_at=attempt.created_at,
            broadcast_at=attempt.broadcast_at,
            block_number=attempt.block_number,
            succeeded=attempt.succeeded,
            gas_used=attempt.gas_used,
            broadcast_channel=attempt.channel,
            is_cancellation=attempt.is_cancellation,
            node_response=attempt.answer,
        )


class IntentSummary(ApiModel):
    """An intent: a call that must be made on chain once, and its progress."""

    id: UUID
    key: str
    kind: IntentKind
    status: IntentStatus
    wallet: AddressText
    to: AddressText
    subject_type: SubjectType
    subject_id: str = Field(description="a request's number, a Safe transaction's hash, or a plan's id and call index")
    request_id: BigInt | None = Field(description="the redemption request it is about; null for an intent about something else")
    ticket_id: str | None
    plan_id: UUID | None = Field(description="the plan whose call this is: `/plans/{planId}`")
    plan_call_index: int | None = Field(description="the index of the call in its plan, counted from 0")
    safe_tx_hash: HashText | None = Field(description="the Safe transaction it executes: `/multisig/proposals/{safeTxHash}`")
    unfunded: bool
    reason: str | None
    created_at: Time
    next_check_at: Time
    closed_at: Time | None

    @classmethod
    def of(cls, intent: Intent) -> Self:
        return cls(**_fields(intent))


class IntentView(IntentSummary):
    """An intent with every transaction that tried it."""

    attempts: list[AttemptView]

    @classmethod
    def of_intent(cls, intent: IntentWithAttempts) -> Self:
        return cls(**_fields(intent), attempts=[AttemptView.of(attempt) for attempt in intent.attempts])


class IntentDetailView(IntentView):
    """An intent with its transactions, the operator actions on it, and the documents of the actions possible now."""

    expires_at: Time | None
    actions: list[OperatorActionView]
    signing: ActionDocuments

    @classmethod
    def of_detail(cls, intent: IntentWithAttempts, actions: Sequence[RecordedAction], signing: ActionDocuments) -> Self:
        return cls(
            **_fields(intent),
            attempts=[AttemptView.of(attempt) for attempt in intent.attempts],
            expires_at=intent.expires_at,
            actions=[OperatorActionView.of(action) for action in actions],
            signing=signing,
        )


def _fields(intent: Intent) -> dict[str, object]:
    subject = intent.subject
    return {
        "id": intent.id,
        "key": intent.idempotency_key,
        "kind": intent.kind,
        "status": intent.status,
        "wallet": intent.wallet,
        "to": intent.call.to,
        "subject_type": subject.type,
        "subject_id": subject.id,
        "request_id": subject.request_id,
        "ticket_id": intent.ticket_id,
        "plan_id": subject.plan_id,
        "plan_call_index": subject.plan_call_index,
        "safe_tx_hash": subject.safe_tx_hash,
        "unfunded": intent.unfunded,
        "reason": intent.reason,
        "created_at": intent.created_at,
        "next_check_at": intent.next_check_at,
        "closed_at": intent.closed_at,
    }
