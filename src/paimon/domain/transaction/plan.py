"""Plans: calls that belong together, executed by one wallet, and their status.

A plan has one name and may be submitted in several pieces. A person signs exactly what will run: the calls, the wallet and
their amount. If another wallet is needed by then, or the amount of the calls has drifted, the piece is not executed.

    IN_PROGRESS ──► DONE              every call had its effect
       │  └───────► PARTIALLY_DONE    some calls had, and none is in progress any more
       │  └───────► FAILED · EXPIRED · CANCELLED · REJECTED   no call had
    AWAITING_OWNERS ──► IN_PROGRESS · EXPIRED · REJECTED · DONE (executed externally)
       └──────────────────────────────► REJECTED · CANCELLED · EXPIRED · VOID   its ticket ended without an approval

The status is derived from what executes the plan, the hot wallet's intents or a Safe proposal, and from the end of its ticket;
it is stored nowhere. A plan that its ticket has ended is executed by this system no more. Its Safe transaction stays valid for
the Safe until the owners use the nonce, and what the chain shows then is the status.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from eth_utils.crypto import keccak

from paimon.domain.kernel.chain import Hash32, parse_address
from paimon.domain.kernel.eip712 import DocumentType, SignatureTerms, SigningScope
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount, Rounding, divide
from paimon.domain.transaction.lifecycle import OPEN_INTENTS, Call, IntentStatus
from paimon.domain.transaction.safe_proposal import ProposalStatus
from paimon.domain.transaction.wallet_selection import PlanWallet

CALLS_MAX: Final = 20
"""Calls of one piece; a larger batch would exceed the gas of one transaction."""

REBALANCE_PREFIX: Final = "rebalance:"
REFILL_PREFIX: Final = "refill-buffer:"
ENGINE_PREFIXES: Final = (REBALANCE_PREFIX, REFILL_PREFIX)
"""What the keys and names of the rebalance engine's plans begin with. It makes them under rules of their own."""

DRILL_PREFIXES: Final = ("drill-", "drill ")
"""What keys and names of a drill's plans would begin with. It has none: who signs one of this name takes it for no effect."""

DRIFT_MAX_BPS: Final = Bps(100)
"""Largest drift of the amount since it was signed. Source: docs/concepts/fund.md, "Wallets and their limits"."""

PLAN_EXECUTION: Final = DocumentType(
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
    """Status of a plan."""

    AWAITING_OWNERS = "AWAITING_OWNERS"
    IN_PROGRESS = "IN_PROGRESS"
    DONE = "DONE"
    PARTIALLY_DONE = "PARTIALLY_DONE"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    VOID = "VOID"


OPEN_PLANS: Final = frozenset({PlanStatus.AWAITING_OWNERS, PlanStatus.IN_PROGRESS})


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One call of a plan, with its description."""

    call: Call
    description: str


@dataclass(frozen=True, slots=True)
class PlanExecution:
    """One piece of a plan to be executed; `key` makes it unique."""

    key: str
    plan: str
    steps: tuple[PlanStep, ...]
    wallet: PlanWallet
    amount: RawAmount
    reason: str


def plan_payload_hash(plan: str, calls: Iterable[Call]) -> Hash32:
    """Hash what an idempotency key stands for. Each part is hashed first, so two payloads cannot run together."""
    parts = [keccak(text=plan)]
    parts += [keccak(call.to + call.value_wei.to_bytes(32, "big") + call.data) for call in calls]
    return Hash32(keccak(b"".join(parts)))


def largest_amount(signed: RawAmount) -> RawAmount:
    """Return the most that a plan of this signed amount may move."""
    return RawAmount(divide(signed * (BPS_ONE + DRIFT_MAX_BPS), BPS_ONE, rounding=Rounding.DOWN))


def has_amount_drifted(signed: RawAmount, now: RawAmount) -> bool:
    return abs(now - signed) * BPS_ONE > signed * DRIFT_MAX_BPS


def plan_document(execution: PlanExecution, terms: SignatureTerms, scope: SigningScope) -> dict[str, Any]:
    """Build the EIP-712 document of the execution."""
    return PLAN_EXECUTION.build(
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


def parse_plan_execution(message: dict[str, Any]) -> tuple[PlanExecution, SignatureTerms]:
    """Read the execution and its terms from a document's message.

    Raises:
        KeyError, TypeError, ValueError: a field is missing or malformed.
    """
    steps = tuple(
        PlanStep(Call(parse_address(call["to"]), bytes.fromhex(str(call["data"]).removeprefix("0x"))), str(call["description"]))
        for call in message["calls"]
    )
    execution = PlanExecution(
        key=str(message["key"]),
        plan=str(message["plan"]),
        steps=steps,
        wallet=PlanWallet(message["wallet"]),
        amount=RawAmount(int(message["amount"])),
        reason=str(message["reason"]),
    )
    terms = SignatureTerms(
        nonce=Hash32(bytes.fromhex(str(message["nonce"]).removeprefix("0x"))),
        expires_at=datetime.fromtimestamp(int(message["expiresAt"]), UTC),
    )
    return execution, terms


_HAD_EFFECT: Final = frozenset({IntentStatus.FINAL, IntentStatus.SATISFIED_EXTERNALLY})
_STATUS_OF_FAILED_INTENT: Final = {IntentStatus.EXPIRED: PlanStatus.EXPIRED, IntentStatus.CANCELLED: PlanStatus.CANCELLED}


def status_of_intents(statuses: Sequence[IntentStatus]) -> PlanStatus:
    """Derive the status of the hot wallet's plan."""
    if any(status in OPEN_INTENTS for status in statuses):
        return PlanStatus.IN_PROGRESS
    had_effect = [status in _HAD_EFFECT for status in statuses]
    if all(had_effect):
        return PlanStatus.DONE
    if any(had_effect):
        return PlanStatus.PARTIALLY_DONE
    statuses_without_effect = {_STATUS_OF_FAILED_INTENT.get(status, PlanStatus.FAILED) for status in statuses}
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


_ENDED_BY_TICKET: Final = frozenset({ProposalStatus.COLLECTING, ProposalStatus.READY, ProposalStatus.EXPIRED})
"""The nonce is unused, and no transaction of ours is about to use it."""


def status_of_proposal(status: ProposalStatus, *, refused: PlanStatus | None = None) -> PlanStatus:
    """Derive the status of a Safe's plan. `refused` is what a ticket that ended without an approval makes of it."""
    return refused if refused is not None and status in _ENDED_BY_TICKET else _STATUS_OF_PROPOSAL[status]
