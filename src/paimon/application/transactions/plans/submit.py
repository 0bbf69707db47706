"""Submit a plan: check it once more under the lock of the limits, and write it with what carries it out, in one transaction.

A plan that the policy wants approved has its ticket in the same transaction. A Safe carries it out, and does so here only when
the ticket is approved.

The lock makes the limits hold: of two plans that would share the rest of a day's limit, the second sees the first. The chain
is read before the lock is taken, so that no one waits for a node under it. The one exception is the Safe's own hash of a
proposal.

The checks, in this order, each with an exception of its own: the calls can be made; the signature is well formed, in time,
and the signed-in wallet's over exactly this plan; the user has the permission; the key is not another plan's; the hot key's
first call would pass; the nonce is unused; every price that the plan trades at is trusted; the wallet and the amount are still
those that were signed. A second request with the same key and calls gets the plan that exists, no matter who sends it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid4

import structlog

from paimon.application.approval_tickets.plan_tickets import raise_plan_ticket
from paimon.application.common.signed_action import SignedAction, contract_wallets_refused, verify_signed_action
from paimon.application.common.signing_rules import SignatureEvidence
from paimon.application.common.store import use_nonce
from paimon.application.identity.permissions import require_permission
from paimon.application.transactions.intents import queue_intent
from paimon.application.transactions.multisig.propose import ProposeCalls, propose_in_session
from paimon.application.transactions.multisig.sync import sync_safe
from paimon.application.transactions.plans.calls import PlanRequest, parse_calls
from paimon.application.transactions.plans.context import PlanContext
from paimon.application.transactions.plans.price_check import require_trusted_prices
from paimon.application.transactions.plans.select_wallet import SelectedWallet, ValuedCalls, select_wallet, value_calls
from paimon.application.transactions.plans.simulate import first_failure, simulate_calls
from paimon.application.transactions.plans.store import (
    add_plan_call,
    find_existing_plan,
    insert_plan,
    lock_limits,
)
from paimon.domain.approval.plan_ticket import PlanTicket, plan_ticket_id, votes_needed
from paimon.domain.approval.policy import Initiator, initiator_of
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, checksum
from paimon.domain.kernel.signed_action import ActionName
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import Call, IntentKind
from paimon.domain.transaction.plan import (
    PlanExecution,
    has_amount_drifted,
    plan_document,
    plan_payload_hash,
)
from paimon.domain.transaction.safe_transaction import SafeName
from paimon.domain.transaction.wallet_selection import PlanWallet, WalletChoice, format_whole_units
from paimon.domain.user.roles import Permission, User
from paimon.errors import Conflict
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.plan import PlanRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

WithPlan = Callable[[WriteSession, PlanRow], Awaitable[None]]
"""Writes in the transaction of a new plan what must be recorded with it; when it raises, there is no plan."""


class NoWalletEligible(Conflict):
    """No wallet of the fund may carry out the plan; the message has every wallet's reasons."""


class PlanDrifted(Conflict):
    """The plan that was signed is not the plan that would run now: the wallet or the amount differs."""


class PlanNotPossible(Conflict):
    """The plan's first call would not pass."""


@dataclass(frozen=True, slots=True)
class PlanSignature:
    """A signature over the document of the preview, with the wallet and the amount that the document shows.

    The user is a person, or the planner with the key that only its process holds. The signer's policy names both, so that no
    other process can make a plan.
    """

    user: User
    wallet: PlanWallet
    amount: RawAmount
    signed: SignedAction


async def nothing_else(_session: WriteSession, _plan: PlanRow) -> None:
    """Write nothing with the plan."""


async def submit_plan(
    request: PlanRequest, authorization: PlanSignature, context: PlanContext, *, with_plan: WithPlan = nothing_else
) -> PlanRow:
    """Return the plan that is written now, with what `with_plan` writes, or the plan that has its key already.

    Raises:
        What `with_plan` raises;
        InvalidPlan, MalformedSignature, InvalidExpiry, SignerMismatch, KeySignatureRequired, NotPermitted, PayloadConflict,
        NonceUsed, UntrustedPrice, NoWalletEligible, PlanDrifted, PlanNotPossible, UnexpectedSafe, HashMismatch,
        IncompleteExecutions, RpcUnavailable, RpcError.
    """
    calls = parse_calls(request.calls, context.contracts)
    digest = plan_payload_hash(request.plan, [call.step.call for call in calls])
    valued = await value_calls(calls, context)
    async with contract_wallets_refused(authorization.user.address, context.contracts.rpc):
        evidence = await _verify(request, authorization, valued, context)
    async with context.database.write() as session:  # on the primary: a replica may lag behind
        if (existing := await find_existing_plan(session, request.key, digest)) is not None:
            return existing
    observed, passes = await _check_wallet(context, authorization.wallet, valued)
    async with context.database.write() as session:
        await lock_limits(session)
        if (existing := await find_existing_plan(session, request.key, digest)) is not None:
            return existing
        plan_id = uuid4()
        await use_nonce(session, evidence, action=ActionName.EXECUTE_PLAN, resource=f"/plans/{plan_id}")
        await require_trusted_prices(session, valued)
        selected = await select_wallet(session, context, _by_signer(request, authorization.user), valued)
        choice = selected.choice
        _require_unchanged(choice, authorization, valued.decimals)
        plan = PlanRow(
            id=plan_id,
            idempotency_key=request.key,
            payload_hash=digest,
            name=request.plan,
            reason=request.reason,
            wallet=authorization.wallet,
            amount=choice.amount,
            rejected_wallets=[rejected.describe(valued.decimals) for rejected in choice.rejected_wallets],
            requested_by=evidence.signer,
            nonce=evidence.terms.nonce,
            typed_data=evidence.document,
            signature=evidence.signature,
            signature_expires_at=evidence.terms.expires_at,
        )
        await _write_plan(session, context, plan, valued, observed)
        if selected.requirement is not None:
            await _raise_ticket(session, plan, valued, selected, passes=passes)
        await with_plan(session, plan)
    log.info(
        "plan.submitted",
        plan_id=str(plan.id),
        key=plan.idempotency_key,
        plan=plan.name,
        wallet=plan.wallet,
        amount=str(plan.amount),
        by=checksum(authorization.user.address),
    )
    return plan


def _by_signer(request: PlanRequest, signer: User) -> PlanRequest:
    """Return the request with the role of the person who signed it; the planner's own process names the planner."""
    if request.initiator is Initiator.PLANNER:
        return request
    return replace(request, initiator=initiator_of(signer))


async def _verify(
    request: PlanRequest, authorization: PlanSignature, valued: ValuedCalls, context: PlanContext
) -> SignatureEvidence:
    async with context.database.read() as session:
        now = await database_now(session)
    steps = tuple(call.step for call in valued.calls)
    execution = PlanExecution(request.key, request.plan, steps, authorization.wallet, authorization.amount, request.reason)
    evidence = verify_signed_action(
        authorization.signed,
        plan_document(execution, authorization.signed.terms, context.signing_rules.scope),
        signer=authorization.user.address,
        now=now,
        rules=context.signing_rules,
        nonce_used=False,  # checked under the lock: a plan that is sent again carries the nonce it is stored with
    )
    require_permission(authorization.user, Permission.EXECUTE_PLAN)
    if any(not call.is_rebalancer_call for call in valued.planned):
        require_permission(authorization.user, Permission.ADMINISTER_FUND)
    return evidence


async def _check_wallet(context: PlanContext, wallet: PlanWallet, valued: ValuedCalls) -> tuple[BlockStamp, bool]:
    """Read the chain before the lock is taken: sync the Safe, and find out whether the first call would pass.

    The hot key's plan is refused if not. A Safe's may wait for what comes before it.
    """
    if wallet is not PlanWallet.HOT:
        safe = context.safe_context.address(SafeName(wallet))
        failure = first_failure(await simulate_calls(valued, safe, context.contracts))
        return await sync_safe(context.safe_context, safe), failure is None
    if context.hot is not None:
        failure = first_failure(await simulate_calls(valued, context.hot, context.contracts))
        if failure is not None:
            raise PlanNotPossible(f"{valued.calls[0].step.description} would not pass: {failure}")
    return valued.at, True


def _require_wallet(choice: WalletChoice, decimals: int) -> PlanWallet:
    if choice.wallet is None:
        raise NoWalletEligible(
            "no wallet may carry out the plan: "
            + "; ".join(rejected.describe(decimals) for rejected in choice.rejected_wallets)
        )
    return choice.wallet


def _require_unchanged(choice: WalletChoice, authorization: PlanSignature, decimals: int) -> None:
    wallet = _require_wallet(choice, decimals)
    if wallet is not authorization.wallet:
        reasons = "; ".join(rejected.describe(decimals) for rejected in choice.rejected_wallets)
        raise PlanDrifted(
            f"the {wallet} wallet would carry out the plan now, not the {authorization.wallet} wallet"
            f" ({reasons or 'the smaller one has room again'}): preview the plan again and sign it anew"
        )
    if has_amount_drifted(authorization.amount, choice.amount):
        now, then = format_whole_units(choice.amount, decimals), format_whole_units(authorization.amount, decimals)
        raise PlanDrifted(f"the plan moves {now} now, {then} were signed: preview the plan again and sign it anew")


async def _write_plan(
    session: WriteSession, context: PlanContext, plan: PlanRow, valued: ValuedCalls, observed: BlockStamp
) -> None:
    """Write the plan's row with its calls, and what carries it out: a Safe's proposal, or an intent for each call."""
    if plan.wallet is not PlanWallet.HOT:
        command = ProposeCalls(
            key=f"plan:{plan.idempotency_key}",
            safe=SafeName(plan.wallet),
            calls=tuple(call.step.call for call in valued.calls),
            reason=f"{plan.name}: {plan.reason}",
            proposed_by=Address(plan.requested_by),
        )
        plan.proposal = await propose_in_session(session, command, context.safe_context, at=observed)
    await insert_plan(session, plan)
    for call_index, (call, planned) in enumerate(zip(valued.calls, valued.planned, strict=True)):
        intent_id = None
        if plan.wallet is PlanWallet.HOT:
            intent_id = await _queue_call(session, context, plan, call_index, call.step.call)
        add_plan_call(session, plan, call_index, call, planned, intent_id=intent_id)


async def _raise_ticket(
    session: WriteSession, plan: PlanRow, valued: ValuedCalls, selected: SelectedWallet, *, passes: bool
) -> None:
    required = selected.requirement
    assert required is not None  # noqa: S101 — the caller has checked it
    assert plan.proposal is not None and selected.threshold is not None  # noqa: S101, PT018 — a key collects no approvals
    now = await database_now(session)
    ticket = PlanTicket(
        id=plan_ticket_id(plan.id),
        type=required.type,
        policy_version=required.policy_version,
        rules=tuple(rule.name for rule in required.rules),
        required_approvals=votes_needed(required, selected.threshold),
        opened_at=now,
        warn_at=now + required.sla.warn,
        escalate_at=now + required.sla.escalate,
        deadline_at=now + required.sla.deadline,
        plan_id=plan.id,
        plan=plan.name,
        calls=tuple(call.step.description for call in valued.calls),
        wallet=plan.wallet,
        safe_tx_hash=Hash32(plan.proposal),
        requested_by=Address(plan.requested_by),
        amount=RawAmount(plan.amount),
        at_deadline=required.sla.at_deadline,
        passed_when_raised=passes,
    )
    await raise_plan_ticket(session, ticket)


async def _queue_call(session: WriteSession, context: PlanContext, plan: PlanRow, call_index: int, call: Call) -> UUID:
    assert context.hot is not None  # noqa: S101 — a wallet that is not configured is never selected
    now = await database_now(session)
    intent = await queue_intent(
        session,
        key=f"plan:{plan.idempotency_key}:{call_index}",
        kind=IntentKind.PLAN_STEP,
        wallet=context.hot,
        call=call,
        subject=IntentSubject.plan_call(plan.id, call_index),
        expires_at=now + context.hot_plan_ttl,
        created_at=now + timedelta(microseconds=call_index),  # sent in this order, if no call has to wait
    )
    return intent.id
