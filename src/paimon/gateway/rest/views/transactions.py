"""Intents and attempts as the API shows them. The signed bytes stay inside."""

from typing import Self
from uuid import UUID

from pydantic import Field

from paimon.domain.transaction.intent_subject import subject_of
from paimon.domain.transaction.lifecycle import AttemptStatus, BroadcastChannel, IntentKind, IntentStatus
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow


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
    channel: BroadcastChannel = Field(description="private: handed to the private endpoint only, so far")
    cancels: bool = Field(description="a self-send of nothing, which only uses up the nonce")
    answer: str | None = Field(description="the node's last words about it")

    @classmethod
    def of(cls, attempt: AttemptRow) -> Self:
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
            channel=attempt.channel,
            cancels=attempt.cancels,
            answer=attempt.answer,
        )


class IntentSummary(ApiModel):
    """Something this house set out to do on chain, once, and how far it is."""

    id: UUID
    key: str
    kind: IntentKind
    status: IntentStatus
    wallet: AddressText
    to: AddressText
    request_id: BigInt | None = Field(description="of a redemption; null where it is about something else")
    ticket_id: str | None
    plan_id: UUID | None = Field(description="the plan whose call this is: `/plans/{planId}`")
    plan_call_index: int | None = Field(description="which of its calls, counted from 0")
    safe_tx_hash: HashText | None = Field(description="the Safe's transaction it executes: `/multisig/proposals/{safeTxHash}`")
    unfunded: bool
    reason: str | None
    created_at: Time
    next_check_at: Time
    closed_at: Time | None

    @classmethod
    def of(cls, intent: IntentRow) -> Self:
        return cls(**_fields(intent))


class IntentView(IntentSummary):
    """The same with every transaction that tried it."""

    attempts: list[AttemptView]

    @classmethod
    def of(cls, intent: IntentRow) -> Self:
        return cls(**_fields(intent), attempts=[AttemptView.of(each) for each in intent.attempts])


def _fields(intent: IntentRow) -> dict[str, object]:
    subject = subject_of(intent.kind, intent.request_id)
    return {
        "id": intent.id,
        "key": intent.idempotency_key,
        "kind": intent.kind,
        "status": intent.status,
        "wallet": intent.wallet,
        "to": intent.to_address,
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
