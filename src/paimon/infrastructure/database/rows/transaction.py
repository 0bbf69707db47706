"""Rows of intents and attempts as domain values."""

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.intent import Intent, IntentWithAttempts
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import Call
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow


def intent_of(row: IntentRow) -> Intent:
    return Intent(
        id=row.id,
        idempotency_key=row.idempotency_key,
        kind=row.kind,
        wallet=Address(row.wallet),
        call=Call(Address(row.to_address), row.data, RawAmount(row.value_wei)),
        subject=IntentSubject(row.subject_type, row.subject_id),
        ticket_id=row.ticket_id,
        status=row.status,
        unfunded=row.unfunded,
        reason=row.reason,
        created_at=row.created_at,
        next_check_at=row.next_check_at,
        unknown_since=row.unknown_since,
        expires_at=row.expires_at,
        aborting_as=row.aborting_as,
        abort_reason=row.abort_reason,
        closed_at=row.closed_at,
    )


def intent_with_attempts_of(row: IntentRow) -> IntentWithAttempts:
    """Return the intent with its attempts, which must be loaded."""
    intent = intent_of(row)
    fields = {name: getattr(intent, name) for name in Intent.__dataclass_fields__}
    return IntentWithAttempts(**fields, attempts=tuple(attempt_of(attempt) for attempt in row.attempts))


def attempt_of(row: AttemptRow) -> Attempt:
    return Attempt(
        hash=Hash32(row.hash),
        intent_id=row.intent_id,
        wallet=Address(row.wallet),
        nonce=row.nonce,
        gas_limit=row.gas_limit,
        max_fee_wei=row.max_fee_wei,
        priority_fee_wei=row.priority_fee_wei,
        raw=row.raw,
        is_cancellation=row.is_cancellation,
        status=row.status,
        channel=row.channel,
        signed_at_block=row.signed_at_block,
        answer=row.answer,
        created_at=row.created_at,
        broadcast_at=row.broadcast_at,
        block_number=row.block_number,
        block_hash=row.block_hash,
        succeeded=row.succeeded,
        gas_used=row.gas_used,
    )
