"""A plan: calls that belong together, carried out by one wallet, and how it stands.

Everything of one name is one plan, however many pieces it is handed in in. What a person signs is exactly what will run: the
calls, the wallet, and what they count for; if another wallet would be needed by then, or the calls have come to count for
something else, it is not carried out.

    in_hand ──► done          every call had its effect
       │  └───► partly_done   some had, and nothing is under way any more
       │  └───► failed · expired · cancelled · rejected   none had
    awaiting_owners ──► in_hand · expired · rejected · done (executed by somebody else)

The state is read off what carries the plan out, the hot key's intents or a Safe's proposal: it is stored nowhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from eth_utils.crypto import keccak

from paimon.domain.kernel.chain import Hash32, checksum, hex0x
from paimon.domain.kernel.eip712 import DOMAIN_FIELDS, VoteScope
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount
from paimon.domain.transaction.lifecycle import OPEN_INTENTS, Call, IntentStatus
from paimon.domain.transaction.safe_proposal import ProposalStatus
from paimon.domain.transaction.wallet_selection import PlanWallet

CALLS_MAX: Final = 20
"""Of one piece; a batch of more outgrows the gas of one transaction."""

DRIFT_MAX: Final = Bps(100)
"""How far the calls may have come to count from what was signed. Source: docs/concepts/fund.md, "Wallets and their limits"."""

PRIMARY_TYPE: Final = "PlanOrder"

_TYPES: Final[dict[str, list[dict[str, str]]]] = {
    "EIP712Domain": DOMAIN_FIELDS,
    "PlanCall": [
        {"name": "to", "type": "address"},
        {"name": "data", "type": "bytes"},
        {"name": "words", "type": "string"},
    ],
    PRIMARY_TYPE: [
        {"name": "action", "type": "string"},
        {"name": "key", "type": "string"},
        {"name": "plan", "type": "string"},
        {"name": "wallet", "type": "string"},
        {"name": "amount", "type": "uint256"},
        {"name": "calls", "type": "PlanCall[]"},
        {"name": "reason", "type": "string"},
        {"name": "nonce", "type": "bytes32"},
        {"name": "expiresAt", "type": "uint256"},
    ],
}


class PlanState(StrEnum):
    AWAITING_OWNERS = "awaiting_owners"
    IN_HAND = "in_hand"
    DONE = "done"
    PARTLY_DONE = "partly_done"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Step:
    """One call, and what it does in words."""

    call: Call
    words: str


@dataclass(frozen=True, slots=True)
class PlanOrder:
    """One piece of a plan as somebody wants it carried out: `key` says what for, once."""

    key: str
    plan: str
    steps: tuple[Step, ...]
    wallet: PlanWallet
    amount: RawAmount
    reason: str


def payload_hash(plan: str, calls: Iterable[Call]) -> Hash32:
    """What a key stands for. Each part is hashed first, so that no two payloads run together."""
    parts = [keccak(text=plan)]
    parts += [keccak(each.to + each.value_wei.to_bytes(32, "big") + each.data) for each in calls]
    return Hash32(keccak(b"".join(parts)))


def step_number(plan_id: UUID, place: int) -> int:
    """What an intent that carries out this call is about: every plan's every call has a number of its own."""
    return plan_id.int << 8 | place


def step_of(number: int) -> tuple[UUID, int]:
    """The plan and the place that a call's number stands for."""
    return UUID(int=number >> 8), number & 0xFF


def has_drifted(signed: RawAmount, now: RawAmount) -> bool:
    return abs(now - signed) * BPS_ONE > signed * DRIFT_MAX


def plan_document(order: PlanOrder, *, nonce: Hash32, expires_at: datetime, scope: VoteScope) -> dict[str, Any]:
    """The EIP-712 document a wallet shows and signs, in the JSON form of `eth_signTypedData_v4`."""
    return {
        "types": _TYPES,
        "primaryType": PRIMARY_TYPE,
        "domain": {
            "name": "Paimon Prime Fund",
            "version": "1",
            "chainId": scope.chain_id,
            "verifyingContract": checksum(scope.redemption_manager),
        },
        "message": {
            "action": "carry_out_plan",
            "key": order.key,
            "plan": order.plan,
            "wallet": order.wallet.value,
            "amount": str(order.amount),
            "calls": [
                {"to": checksum(each.call.to), "data": hex0x(each.call.data), "words": each.words} for each in order.steps
            ],
            "reason": order.reason,
            "nonce": hex0x(nonce),
            "expiresAt": str(int(expires_at.timestamp())),
        },
    }


_HAD_EFFECT: Final = frozenset({IntentStatus.FINAL, IntentStatus.SATISFIED_ELSEWHERE})
_ENDS: Final = {IntentStatus.EXPIRED: PlanState.EXPIRED, IntentStatus.CANCELLED: PlanState.CANCELLED}


def state_of_intents(statuses: Sequence[IntentStatus]) -> PlanState:
    """How a plan of the hot key stands."""
    if any(each in OPEN_INTENTS for each in statuses):
        return PlanState.IN_HAND
    had_effect = [each in _HAD_EFFECT for each in statuses]
    if all(had_effect):
        return PlanState.DONE
    if any(had_effect):
        return PlanState.PARTLY_DONE
    ends = {_ENDS.get(each, PlanState.FAILED) for each in statuses}
    return ends.pop() if len(ends) == 1 else PlanState.FAILED


_STATE_OF: Final = {
    ProposalStatus.COLLECTING: PlanState.AWAITING_OWNERS,
    ProposalStatus.READY: PlanState.IN_HAND,
    ProposalStatus.EXECUTING: PlanState.IN_HAND,
    ProposalStatus.EXPIRED: PlanState.EXPIRED,
    ProposalStatus.EXECUTED: PlanState.DONE,
    ProposalStatus.FAILED: PlanState.FAILED,
    ProposalStatus.REJECTED: PlanState.REJECTED,
    ProposalStatus.SUPERSEDED: PlanState.REJECTED,
}


def state_of_proposal(status: ProposalStatus) -> PlanState:
    """How a Safe's plan stands."""
    return _STATE_OF[status]
