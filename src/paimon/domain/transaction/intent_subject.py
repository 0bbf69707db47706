"""What an intent is about, told by its kind from the one number that the table keeps of it."""

from dataclasses import dataclass
from uuid import UUID

from paimon.domain.kernel.chain import Hash32
from paimon.domain.transaction.lifecycle import IntentKind
from paimon.domain.transaction.plan import decode_plan_call_id


@dataclass(frozen=True, slots=True)
class IntentSubject:
    """A redemption request, one call of a plan, or a Safe's transaction by the hash that its owners sign."""

    request_id: int | None = None
    plan_id: UUID | None = None
    plan_call_index: int | None = None
    safe_tx_hash: Hash32 | None = None


def subject_of(kind: IntentKind, number: int) -> IntentSubject:
    if kind is IntentKind.PLAN_STEP:
        plan_id, place = decode_plan_call_id(number)
        return IntentSubject(plan_id=plan_id, plan_call_index=place)
    if kind is IntentKind.EXECUTE_SAFE:
        return IntentSubject(safe_tx_hash=Hash32(number.to_bytes(32)))
    return IntentSubject(request_id=number)
