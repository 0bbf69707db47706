"""A plan: calls that belong together, carried out by one wallet, and how it stands.

Everything of one name is one plan, however many pieces it is handed in in. What a person signs is exactly what will run: the
calls, the wallet, and what they count for; if another wallet would be needed by then, or the calls have come to count for
something else, it is not carried out.

    IN_PROGRESS ──► done          every call had its effect
       │  └───► PARTIALLY_DONE   some had, and nothing is under way any more
       │  └───► failed · expired · cancelled · rejected   none had
    awaiting_owners ──► IN_PROGRESS · expired · rejected · done (executed by somebody else)

The state is read off what carries the plan out, the hot key's intents or a Safe's proposal: it is stored nowhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from eth_utils.crypto import keccak

from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.eip712 import DocumentType, SignatureTerms, SigningScope
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount
from paimon.domain.transaction.lifecycle import OPEN_INTENTS, Call, IntentStatus
from paimon.domain.transaction.safe_proposal import ProposalStatus
from paimon.domain.transaction.wallet_selection import PlanWallet

CALLS_MAX: Final = 20
"""Of one piece; a batch of more outgrows the gas of one transaction."""

DRIFT_MAX_BPS: Final = Bps(100)
"""How far the calls may have come to count from what was signed. Source: docs/concepts/fund.md, "Wallets and their limits"."""

_DOCUMENT: Final = DocumentType(
    "PlanExecution",
    {
        "action": "string",
        "key": "string",
        "plan": "string",
        "wallet": "string",
        "amount": "uint256",
        "calls": "PlanCall[]",
        "reason": "string",
    },
    structs={"PlanCall": {"to": "address", "data": "bytes", "description": "string"}},
)


class PlanStatus(StrEnum):
    AWAITING_OWNERS = "AWAITING_OWNERS"
    IN_PROGRESS = "IN_PROGRESS"
    DONE = "DONE"
    PARTIALLY_DONE = "PARTIALLY_DONE"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One call, and what it does in words."""

    call: Call
    description: str


@dataclass(frozen=True, slots=True)
class PlanExecution:
    """One piece of a plan as somebody wants it carried out: `key` says what for, once."""

    key: str
    plan: str
    steps: tuple[PlanStep, ...]
    wallet: PlanWallet
    amount: RawAmount
    reason: str


def plan_payload_hash(plan: str, calls: Iterable[Call]) -> Hash32:
    """What a key stands for. Each part is hashed first, so that no two payloads run together."""
    parts = [keccak(text=plan)]
    parts += [keccak(each.to + each.value_wei.to_bytes(32, "big") + each.data) for each in calls]
    return Hash32(keccak(b"".join(parts)))


def has_amount_drifted(signed: RawAmount, now: RawAmount) -> bool:
    return abs(now - signed) * BPS_ONE > signed * DRIFT_MAX_BPS


def plan_document(execution: PlanExecution, terms: SignatureTerms, scope: SigningScope) -> dict[str, Any]:
    """Build the EIP-712 document of the execution."""
    return _DOCUMENT.build(
        {
            "action": "execute_plan",
            "key": execution.key,
            "plan": execution.plan,
            "wallet": execution.wallet,
            "amount": execution.amount,
            "calls": [
                {"to": step.call.to, "data": step.call.data, "description": step.description} for step in execution.steps
            ],
            "reason": execution.reason,
        },
        terms,
        scope,
    )


_HAD_EFFECT: Final = frozenset({IntentStatus.FINAL, IntentStatus.SATISFIED_EXTERNALLY})
_STATUS_OF_FAILED_INTENT: Final = {IntentStatus.EXPIRED: PlanStatus.EXPIRED, IntentStatus.CANCELLED: PlanStatus.CANCELLED}


def status_of_intents(statuses: Sequence[IntentStatus]) -> PlanStatus:
    """How a plan of the hot key stands."""
    if any(each in OPEN_INTENTS for each in statuses):
        return PlanStatus.IN_PROGRESS
    had_effect = [each in _HAD_EFFECT for each in statuses]
    if all(had_effect):
        return PlanStatus.DONE
    if any(had_effect):
        return PlanStatus.PARTIALLY_DONE
    statuses_without_effect = {_STATUS_OF_FAILED_INTENT.get(each, PlanStatus.FAILED) for each in statuses}
    return statuses_without_effect.pop() if len(statuses_without_effect) == 1 else PlanStatus.FAILED


_STATUS_OF_PROPOSAL: Final = {
    ProposalStatus.COLLECTING: PlanStatus.AWAITING_OWNERS,
    ProposalStatus.READY: PlanStatus.IN_PROGRESS,
    ProposalStatus.EXECUTING: PlanStatus.IN_PROGRESS,
    ProposalStatus.EXPIRED: PlanStatus.EXPIRED,
    ProposalStatus.EXECUTED: PlanStatus.DONE,
    ProposalStatus.FAILED: PlanStatus.FAILED,
    ProposalStatus.REJECTED: PlanStatus.REJECTED,
    ProposalStatus.SUPERSEDED: PlanStatus.REJECTED,
}


def status_of_proposal(status: ProposalStatus) -> PlanStatus:
    """How a Safe's plan stands."""
    return _STATUS_OF_PROPOSAL[status]
