"""Find transactions of the hot wallet that no signed plan explains, and report each as a critical risk event.

The signer signs no movement without a plan that a person or the planner signed. A final transaction of the key without one was
made past the signer: someone else has the key, or the signer's policy or program was changed. What was made is read from the
mined bytes, whose hash the chain has; no column of the database says it.

A transfer of zero to itself is how the driver cancels, and moves nothing: one of our attempts is excepted. One that is not
among them is reported all the same, because someone else has the key.

Who writes the database's rows can sign a plan with any key and name it as the one who requested the plan. So the plan's signer
must be the planner, or a person whom a signed grant ever let plan.

Nonces that were final when the wallet was first looked at are not judged: the key may have been in use before.
"""

from collections.abc import Container, Sequence
from itertools import groupby

from paimon.application.identity.signed_users import list_past_holders
from paimon.application.risk_control.record_findings import record_facts
from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.store import PlannedAttempt, list_planned_attempts
from paimon.domain.kernel.chain import Address, BlockStamp, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.risk.risk_event import Finding, unsigned_movement_finding
from paimon.domain.transaction.lifecycle import AttemptStatus, Call
from paimon.domain.transaction.plan import parse_plan_execution, plan_document
from paimon.domain.user.roles import Permission
from paimon.infrastructure.database.models.ops.transaction import WalletRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.keys.encoding import read_call
from paimon.infrastructure.keys.signatures import MalformedSignature, recover_typed

_UNDECIDED = frozenset({AttemptStatus.SIGNED, AttemptStatus.BROADCAST, AttemptStatus.MINED})


async def record_unsigned_movements(
    session: WriteSession, context: SendingContext, row: WalletRow, *, final: BlockStamp, final_nonce: int
) -> None:
    """Judge the nonces that became final since the last time. The caller holds the lock of the hot wallet's row."""
    wallet, scope = Address(row.address), context.scope
    if row.plans_checked_nonce is None:
        row.plans_checked_nonce = final_nonce
    checked = row.plans_checked_nonce
    if checked >= final_nonce:
        return
    attempts = await list_planned_attempts(session, wallet, first_nonce=checked, end_nonce=final_nonce)
    signers = await list_past_holders(session, Permission.EXECUTE_PLAN, scope)
    if (planner := context.options.planner) is not None:
        signers.add(planner)
    by_nonce = {nonce: list(at_nonce) for nonce, at_nonce in groupby(attempts, key=lambda attempt: attempt.nonce)}
    found: list[Finding] = []
    for nonce in range(checked, final_nonce):
        at_nonce = by_nonce.get(nonce, [])
        if any(attempt.status in _UNDECIDED for attempt in at_nonce):
            break  # the driver has not read yet which of them was mined
        if (reason := _unexplained(wallet, at_nonce, scope, signers)) is not None:
            found.append(unsigned_movement_finding(wallet, nonce, reason))
        row.plans_checked_nonce = nonce + 1
    await record_facts(session, found, block=final.number)


def _unexplained(
    wallet: Address, at_nonce: Sequence[PlannedAttempt], scope: SigningScope, signers: Container[Address]
) -> str | None:
    """Return why the transaction that used the nonce is no signed plan's; None if it is, or if it moved nothing.

    `signers` are the planner and everyone who may plan or ever might.
    """
    mined = next((attempt for attempt in at_nonce if attempt.status is AttemptStatus.FINAL), None)
    if mined is None:
        return "a transaction that is not ours"
    try:
        call = read_call(mined.raw, mined.hash)
    except ValueError as error:
        return f"a transaction of ours that cannot be judged: {error}"
    if call == Call(wallet, b""):
        return None
    if mined.plan is None or mined.plan.call_index is None:
        return "a transaction of ours without a plan"
    try:
        execution, terms = parse_plan_execution(mined.plan.document["message"])
        document = plan_document(execution, terms, scope)
        signer = recover_typed(document, mined.plan.signature)
    except (KeyError, TypeError, ValueError, OverflowError, MalformedSignature) as error:
        return f"a transaction of ours whose plan does not read: {error}"
    if document != mined.plan.document or signer != mined.requested_by:
        return "a transaction of ours whose plan is not signed by the one who requested it"
    if signer not in signers:
        return f"a transaction of ours whose plan {checksum(signer)} signed, who is neither the planner nor was ever let plan"
    if not 0 <= mined.plan.call_index < len(execution.steps) or execution.steps[mined.plan.call_index].call != call:
        return "a transaction of ours that is not the call of its plan"
    return None
