"""Check that a signed plan allows a movement of money. Pure rules over the document, the calls and the policy.

The signer builds the plan's document itself, by the kernel's builder, from the document's values and its own chain id and
contract. The document that was sent must equal it, and the address that signed it is recovered from it. It must be a person or
the planner whom the policy names: no database says who may.

What depends on earlier signatures (a nonce that stands for another plan, a call that was signed already, the amount that is
left) is checked against the ledger, in `require_unspent`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.plan import PlanExecution, largest_amount, parse_plan_execution, plan_document
from paimon.domain.transaction.signing import SignedPlan
from paimon.gateway.signer.check_request import RefusalCode, RequestRefused
from paimon.gateway.signer.ledger import Ledger, LedgerEntry, PlanCall
from paimon.gateway.signer.policy import SignerPolicy
from paimon.gateway.signer.policy_tables import PlanSignerTable
from paimon.gateway.signer.signature_age import require_fresh
from paimon.gateway.signer.signed_documents import UNREADABLE, recover_signer
from paimon.infrastructure.keys.signatures import typed_digest


@dataclass(frozen=True, slots=True)
class CheckedPlan:
    """A plan whose signer may sign it, and the call of it that a transaction makes."""

    signer: PlanSignerTable
    execution: PlanExecution
    call: PlanCall


def require_signed_plan(
    plan: SignedPlan | None,
    calls: Sequence[Call],
    wallet: str,
    policy: SignerPolicy,
    scope: SigningScope,
    *,
    now: datetime,
) -> CheckedPlan:
    """Return the plan that allows these calls of the wallet, `hot` or a Safe's name in the policy.

    Raises:
        RequestRefused: there is no plan, its document or signature is wrong, too old or not for these calls, or its signer is
            not in the policy.
    """
    if plan is None:
        raise RequestRefused(RefusalCode.PLAN_MISSING, "this call needs the plan that a person or the planner signed")
    try:
        execution, terms = parse_plan_execution(plan.document["message"])
        expected = plan_document(execution, terms, scope)
    except UNREADABLE as error:
        raise RequestRefused(RefusalCode.MALFORMED_PLAN, f"the document is no plan: {error!r}") from error
    address = recover_signer(
        plan.document, plan.signature, expected=expected, what="the plan", malformed=RefusalCode.MALFORMED_PLAN
    )
    signer = policy.plan_signer(address)
    if signer is None:
        raise RequestRefused(
            RefusalCode.UNKNOWN_PLAN_SIGNER, f"{checksum(address)} signed the plan, and the policy has no such plan signer"
        )
    require_fresh(terms.expires_at, policy, now=now, what="the plan's signature")
    _require_calls(execution, plan.call_index, calls, wallet)
    call = PlanCall(execution.plan, typed_digest(expected), address, terms.nonce, plan.call_index)
    return CheckedPlan(signer, execution, call)


def _require_calls(execution: PlanExecution, call_index: int | None, calls: Sequence[Call], wallet: str) -> None:
    if execution.wallet != wallet:
        raise RequestRefused(
            RefusalCode.PLAN_MISMATCH,
            f"the plan was signed for the {execution.wallet} wallet, the {wallet} wallet makes the call",
        )
    planned = [step.call for step in execution.steps]
    if call_index is not None:
        if not 0 <= call_index < len(planned):
            raise RequestRefused(
                RefusalCode.PLAN_MISMATCH, f"the plan has {len(planned)} calls, number {call_index} is none of them"
            )
        planned = [planned[call_index]]
    if planned != list(calls):
        raise RequestRefused(RefusalCode.PLAN_MISMATCH, "the transaction does not make the call that was signed")


def require_unspent(ledger: Ledger, plan: CheckedPlan, entry: LedgerEntry) -> None:
    """Refuse a plan's call that was made already, and what exceeds the amount that was signed.

    Raises:
        RequestRefused
    """
    known = ledger.document_of(plan.call.signer, plan.call.nonce)
    if known not in (None, plan.call.digest):
        raise RequestRefused(RefusalCode.NONCE_USED, "the plan's nonce stands for another plan of this signer")
    if (other := ledger.other_nonce_of(entry.wallet, entry.nonce, plan.call)) is not None:
        raise RequestRefused(
            RefusalCode.CALL_ALREADY_SIGNED,
            f"this call of the plan was signed at nonce {other}, and nothing proves that it moved nothing there",
        )
    allowed = largest_amount(plan.execution.amount)
    moved = ledger.moved_by_document(entry.wallet, entry.nonce, plan.call) + entry.amount
    if moved > allowed:
        raise RequestRefused(
            RefusalCode.AMOUNT_MISMATCH,
            f"the plan would move {moved}, its signer allowed {plan.execution.amount} and a drift up to {allowed}",
        )
