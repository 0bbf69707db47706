"""Handing in a plan: weighed once more under the lock of the limits, written, and on its way in one transaction.

The lock is what makes limits hold: of two plans that would share the last of a day the second sees the first. What is read
of the chain is read before it, so that nobody waits for a node while holding it, but for the Safe's own hash of a proposal.

Checked in this order, each with an exception of its own: the calls can be made; the signature is one, in time, of the
signed-in wallet over exactly this; that person may; the key is not another plan's; the hot key's first call would pass; the
nonce is unused; the wallet and the amount are still those that were signed. The same key with the same calls again is the plan
that is there, whoever asks.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import select

from paimon.application.common.signed_action import NonceUsed, SignerMismatch
from paimon.application.identity.users import require
from paimon.application.transactions.intents import queue_intent
from paimon.application.transactions.multisig.propose import ProposeCalls, propose_within
from paimon.application.transactions.multisig.sync import observe
from paimon.application.transactions.plans.calls import WantedPlan, read_calls
from paimon.application.transactions.plans.context import PlanDesk
from paimon.application.transactions.plans.idempotency import find_known
from paimon.application.transactions.plans.select_wallet import Valued, hold_limits, value_calls, weigh
from paimon.application.transactions.plans.simulate import first_failure, simulate
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, checksum
from paimon.domain.kernel.eip712 import require_acceptable
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import Call, IntentKind
from paimon.domain.transaction.plan import PlanOrder, has_drifted, payload_hash, plan_document, step_number
from paimon.domain.transaction.safe_transaction import SafeName
from paimon.domain.transaction.wallet_selection import Choice, PlanWallet, grouped
from paimon.domain.user.roles import Permission, User
from paimon.errors import Conflict
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.plan import PlanCallRow, PlanRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.keys.signatures import parse_signature, recover_typed

log = structlog.get_logger(__name__)


class NoWalletMay(Conflict):
    """No wallet of the fund may carry this out; the message has every wallet's reasons."""


class PlanDrifted(Conflict):
    """What was signed is not what would run now: another wallet, or another amount."""


class PlanNotPossible(Conflict):
    """The plan's first call would not pass."""


@dataclass(frozen=True, slots=True)
class Consent:
    """Who wants it, and their signature over the document of the dry run: wallet and amount are what it said."""

    user: User
    wallet: PlanWallet
    amount: RawAmount
    nonce: Hash32
    expires_at: datetime
    signature: str


@dataclass(frozen=True, slots=True)
class _Signed:
    """A consent that was found good, as it is kept."""

    consent: Consent
    document: dict[str, Any]
    signature: bytes


async def submit_plan(wanted: WantedPlan, consent: Consent | None, desk: PlanDesk) -> PlanRow:
    """The plan as it was written down, or the one of the same key that is there. Without a consent it is this house's own.

    Raises:
        BadPlan, MalformedSignature, VoteNotAcceptable, SignerMismatch, NotPermitted, PayloadConflict, NonceUsed,
        NoWalletMay, PlanDrifted, PlanNotPossible, NotOurSafe, HashMismatch, MissingExecutions, RpcUnavailable, RpcError.
    """
    calls = read_calls(wanted.calls, desk.contracts)
    digest = payload_hash(wanted.plan, [each.step.call for each in calls])
    valued = await value_calls(calls, desk)
    signed = None if consent is None else await _verify(wanted, consent, valued, desk)
    async with desk.database.write() as session:  # the primary: a replica may not have it yet
        if (known := await find_known(session, wanted.key, digest)) is not None:
            return known
    expected = consent.wallet if consent is not None else await _expected(wanted, valued, desk)
    seen = await _look(desk, expected, valued)
    async with desk.database.write() as session:
        await hold_limits(session)
        if (known := await find_known(session, wanted.key, digest)) is not None:
            return known
        if signed is not None:
            await _require_unused(session, signed.consent.nonce)
        choice = await weigh(session, desk, wanted.plan, valued)
        _require_as_expected(choice, expected, consent, valued.decimals)
        plan = PlanRow(
            id=uuid4(),
            idempotency_key=wanted.key,
            payload_hash=digest,
            name=wanted.plan,
            reason=wanted.reason,
            wallet=expected,
            amount=choice.amount,
            passed_over=[each.words(valued.decimals) for each in choice.passed_over],
            **_kept(signed),
        )
        await _set_out(session, desk, plan, valued, seen)
    log.info(
        "plan.handed_in",
        plan_id=str(plan.id),
        key=plan.idempotency_key,
        plan=plan.name,
        wallet=plan.wallet,
        amount=str(plan.amount),
        by=None if consent is None else checksum(consent.user.address),
    )
    return plan


async def _verify(wanted: WantedPlan, consent: Consent, valued: Valued, desk: PlanDesk) -> _Signed:
    signature = parse_signature(consent.signature)
    async with desk.database.read() as session:
        now = await database_now(session)
    require_acceptable(consent.expires_at, now=now, ttl_seconds_max=desk.signature_ttl_seconds_max)
    steps = tuple(each.step for each in valued.calls)
    order = PlanOrder(wanted.key, wanted.plan, steps, consent.wallet, consent.amount, wanted.reason)
    document = plan_document(order, nonce=consent.nonce, expires_at=consent.expires_at, scope=desk.scope)
    if recover_typed(document, signature) != consent.user.address:
        raise SignerMismatch(
            f"the signature is not {checksum(consent.user.address)}'s over this plan: key, name, calls, wallet, amount, reason,"
            " nonce and expiry as the dry run's document has them"
        )
    require(consent.user, Permission.CARRY_OUT_PLAN)
    if any(not each.moves_money for each in valued.planned):
        require(consent.user, Permission.ADMINISTER_FUND)
    return _Signed(consent, document, signature)


async def _expected(wanted: WantedPlan, valued: Valued, desk: PlanDesk) -> PlanWallet:
    async with desk.database.read() as session:
        return _chosen(await weigh(session, desk, wanted.plan, valued), valued.decimals)


async def _look(desk: PlanDesk, wallet: PlanWallet, valued: Valued) -> BlockStamp:
    """What of the chain the wallet's way needs, read before the lock; a key's first call must pass."""
    if wallet is not PlanWallet.HOT:
        return await observe(desk.safes, desk.safes.address(SafeName(wallet)))
    if desk.hot is not None:
        failure = first_failure(await simulate(valued, desk.hot, desk.contracts))
        if failure is not None:
            raise PlanNotPossible(f"{valued.calls[0].step.words} would not do: {failure}")
    return valued.at


async def _require_unused(session: WriteSession, nonce: Hash32) -> None:
    if (await session.execute(select(PlanRow.id).where(PlanRow.nonce == nonce))).first() is not None:
        raise NonceUsed("this nonce was used before; a signature counts once")


def _chosen(choice: Choice, decimals: int) -> PlanWallet:
    if choice.wallet is None:
        raise NoWalletMay("no wallet may carry this out: " + "; ".join(each.words(decimals) for each in choice.passed_over))
    return choice.wallet


def _require_as_expected(choice: Choice, expected: PlanWallet, consent: Consent | None, decimals: int) -> None:
    wallet = _chosen(choice, decimals)
    if wallet is not expected:
        why = "; ".join(each.words(decimals) for each in choice.passed_over) or "the smaller one has room again"
        raise PlanDrifted(
            f"by now the {wallet} wallet would carry this out, not {expected} ({why}): see the dry run, and sign anew"
        )
    if consent is not None and has_drifted(consent.amount, choice.amount):
        now, then = grouped(choice.amount, decimals), grouped(consent.amount, decimals)
        raise PlanDrifted(f"the plan counts for {now} by now, {then} were signed: see the dry run, and sign anew")


def _kept(signed: _Signed | None) -> dict[str, Any]:
    if signed is None:
        return {}
    consent = signed.consent
    return {
        "asked_by": consent.user.address,
        "nonce": consent.nonce,
        "typed_data": signed.document,
        "signature": signed.signature,
        "signature_expires_at": consent.expires_at,
    }


async def _set_out(session: WriteSession, desk: PlanDesk, plan: PlanRow, valued: Valued, seen: BlockStamp) -> None:
    """The plan's row with what carries it out."""
    if plan.wallet is not PlanWallet.HOT:
        calls = tuple(each.step.call for each in valued.calls)
        command = ProposeCalls(
            key=f"plan:{plan.idempotency_key}",
            safe=SafeName(plan.wallet),
            calls=calls,
            reason=f"{plan.name}: {plan.reason}",
            proposed_by=None if plan.asked_by is None else Address(plan.asked_by),
        )
        plan.proposal = await propose_within(session, command, desk.safes, at=seen)
    session.add(plan)
    await session.flush()
    for place, (call, planned) in enumerate(zip(valued.calls, valued.planned, strict=True)):
        row = PlanCallRow(
            plan_id=plan.id,
            place=place,
            contract=call.contract,
            function=call.function,
            words=call.step.words,
            to_address=call.step.call.to,
            data=call.step.call.data,
            amount=planned.amount,
        )
        if plan.wallet is PlanWallet.HOT:
            row.intent_id = await _queue(session, desk, plan, place, call.step.call)
        session.add(row)


async def _queue(session: WriteSession, desk: PlanDesk, plan: PlanRow, place: int, call: Call) -> UUID:
    assert desk.hot is not None  # noqa: S101 — a wallet that is not there is never chosen
    now = await database_now(session)
    intent = await queue_intent(
        session,
        key=f"plan:{plan.idempotency_key}:{place}",
        kind=IntentKind.PLAN_STEP,
        wallet=desk.hot,
        call=call,
        request_id=step_number(plan.id, place),
        expires_at=now + desk.hot_ttl,
    )
    intent.created_at = now + timedelta(microseconds=place)  # sent in this order, if nothing has to wait
    return intent.id
