"""Load and save wallets, intents and attempts for sending.

Every change of a wallet's intents happens under the lock on the wallet's row. The lock is FOR NO KEY UPDATE. The foreign key
of a new intent takes a key-share lock on the wallet, and FOR UPDATE would make every new intent wait for the driver.

Intents and attempts are loaded as frozen values; `save_changes` writes what a step has changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func, null, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, selectinload

from paimon.application.transactions.statements import save_attempts, save_intents
from paimon.domain.approval.ticket import Verdict
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.intent import Intent, IntentWithAttempts
from paimon.domain.transaction.intent_subject import IntentSubject, SubjectType
from paimon.domain.transaction.lifecycle import AttemptStatus, Call, IntentKind, IntentStatus, WalletName
from paimon.domain.transaction.operator_action import RETRIABLE_STATUSES, ActionPreconditions, ActionStatus
from paimon.domain.transaction.signing import SignedPlan, SignedVote
from paimon.infrastructure.database.models.ops.approval import ApprovalRecordRow
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.plan import PlanCallRow, PlanRow
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow
from paimon.infrastructure.database.rows.transaction import attempt_of, intent_of, intent_with_attempts_of
from paimon.infrastructure.database.sessions import WriteSession

VERDICT_BY_INTENT_KIND = {IntentKind.APPROVE_REDEMPTION: Verdict.APPROVE, IntentKind.REJECT_REDEMPTION: Verdict.REJECT}


# Wallets


async def lock_wallet(session: WriteSession, address: Address) -> tuple[WalletRow, datetime] | None:
    """Lock the wallet's row until the transaction ends, and return it with the database's time.

    None: another driver holds the wallet, or nothing was ever queued for it.
    """
    query = select(WalletRow, func.now()).where(WalletRow.address == address).with_for_update(key_share=True, skip_locked=True)
    found = (await session.execute(query)).one_or_none()
    return None if found is None else (found[0], found[1])


async def register_wallet(session: WriteSession, address: Address, name: WalletName) -> None:
    """Make sure that the sending key has its row. The driver reads the first nonce from the chain when it first sends."""
    await session.execute(
        insert(WalletRow)
        .values(address=address, name=name, next_nonce=0)
        .on_conflict_do_nothing(index_elements=[WalletRow.address])
    )


async def has_attempts(session: WriteSession, wallet: Address) -> bool:
    query = select(AttemptRow.hash).where(AttemptRow.wallet == wallet).limit(1)
    return (await session.execute(query)).first() is not None


# Intents


async def insert_intent(
    session: WriteSession,
    *,
    key: str,
    payload_hash: Hash32,
    kind: IntentKind,
    wallet: Address,
    call: Call,
    subject: IntentSubject,
    ticket_id: str | None,
    expires_at: datetime | None,
    created_at: datetime | None,
) -> Intent | None:
    """Insert the intent unless its key exists. A concurrent insert of the key makes this one wait for that commit."""
    values = {
        "idempotency_key": key,
        "payload_hash": payload_hash,
        "kind": kind,
        "wallet": wallet,
        "to_address": call.to,
        "data": call.data,
        "value_wei": call.value_wei,
        "subject_type": subject.type,
        "subject_id": subject.id,
        "ticket_id": ticket_id,
        "expires_at": expires_at,
    }
    inserted = await session.execute(
        insert(IntentRow)
        .values(values if created_at is None else values | {"created_at": created_at})
        .on_conflict_do_nothing(index_elements=[IntentRow.idempotency_key])
        .returning(IntentRow)
    )
    row = inserted.scalar_one_or_none()
    return None if row is None else intent_of(row)


async def get_intent_by_key(session: WriteSession, key: str) -> tuple[Intent, Hash32]:
    """Return the intent of this key, which exists, and the hash of its payload."""
    query = select(IntentRow).where(IntentRow.idempotency_key == key).execution_options(populate_existing=True)
    row = (await session.scalars(query)).one()
    return intent_of(row), Hash32(row.payload_hash)


async def save_changes(
    session: WriteSession, before: Sequence[IntentWithAttempts], after: Sequence[IntentWithAttempts]
) -> None:
    """Write what changed of these intents and their attempts. The caller holds the wallet's lock."""
    await save_attempts(session, before, after)
    await save_intents(session, before, after)


async def list_sending(session: WriteSession, wallet: Address) -> list[IntentWithAttempts]:
    """Return the intents in flight with all their attempts, oldest first."""
    query = _with_attempts().where(IntentRow.wallet == wallet, IntentRow.status == IntentStatus.SENDING)
    rows = await session.scalars(query.order_by(IntentRow.created_at, IntentRow.id))
    return [intent_with_attempts_of(row) for row in rows]


async def list_in_flight(session: WriteSession, wallet: Address) -> list[IntentWithAttempts]:
    """Return the intents whose nonce is not spent. The other intents in flight only wait to be finalized."""
    return [intent for intent in await list_sending(session, wallet) if not intent.is_nonce_spent]


async def list_expired(session: WriteSession, wallet: Address, now: datetime) -> list[Intent]:
    """Return the open intents past their deadline that are not aborting yet."""
    query = select(IntentRow).where(
        IntentRow.wallet == wallet,
        IntentRow.closed_at.is_(None),
        IntentRow.aborting_as.is_(None),
        IntentRow.expires_at <= now,
    )
    rows = await session.scalars(query.order_by(IntentRow.created_at).execution_options(populate_existing=True))
    return [intent_of(row) for row in rows]


async def list_unknown(session: WriteSession, wallet: Address, *, since: datetime) -> list[Intent]:
    """Return the open intents whose state the node has not told since this time or longer."""
    query = select(IntentRow).where(IntentRow.wallet == wallet, IntentRow.closed_at.is_(None), IntentRow.unknown_since <= since)
    return [intent_of(row) for row in await session.scalars(query)]


async def reload_intent(session: AsyncSession, intent_id: UUID) -> IntentWithAttempts:
    """Return the intent with its attempts as the database has it now."""
    return intent_with_attempts_of((await session.scalars(_with_attempts().where(IntentRow.id == intent_id))).one())


def _with_attempts() -> Select[IntentRow]:
    return select(IntentRow).options(selectinload(IntentRow.attempts)).execution_options(populate_existing=True)


async def find_latest_intent(session: WriteSession, kind: IntentKind, subject: IntentSubject) -> Intent | None:
    query = select(IntentRow).where(_about(subject), IntentRow.kind == kind).order_by(IntentRow.created_at.desc()).limit(1)
    row = (await session.scalars(query)).one_or_none()
    return None if row is None else intent_of(row)


async def count_failed_intents(session: WriteSession, kind: IntentKind, subject: IntentSubject) -> int:
    """Count the intents that ended without the effect."""
    query = select(func.count()).where(_about(subject), IntentRow.kind == kind, IntentRow.status.in_(RETRIABLE_STATUSES))
    return int((await session.execute(query)).scalar_one())


@dataclass(frozen=True, slots=True)
class SettlementIntents:
    """The settlements of some requests, by request: those that are open, those of them that are blocked, and those that ended.

    `exhausted` are the requests that no sweep tries again (retries.py).
    """

    open: frozenset[int]
    blocked: frozenset[int]
    exhausted: frozenset[int]


async def read_settlements(session: AsyncSession, request_ids: Sequence[int], *, failed_max: int) -> SettlementIntents:
    """Read how the settlements of these requests stand, in one query."""
    intent = IntentRow
    newest_first = aggregate_order_by(intent.aborting_as, intent.created_at.desc())
    failed = func.count().filter(intent.status.in_(RETRIABLE_STATUSES))
    query = (
        select(
            intent.subject_id,
            func.bool_or(intent.closed_at.is_(None)),
            func.bool_or(intent.closed_at.is_(None) & intent.reason.is_not(None)),
            failed >= failed_max,
            func.array_agg(newest_first)[1] == IntentStatus.CANCELLED,
        )
        .where(
            intent.subject_type == SubjectType.REDEMPTION,
            intent.subject_id.in_([str(request_id) for request_id in request_ids]),
            intent.kind == IntentKind.SETTLE_REDEMPTION,
        )
        .group_by(intent.subject_id)
    )
    rows = [(int(row[0]), *row[1:]) for row in await session.execute(query)]
    return SettlementIntents(
        open=frozenset(request_id for request_id, is_open, *_ in rows if is_open),
        blocked=frozenset(request_id for request_id, _, is_blocked, *_ in rows if is_blocked),
        exhausted=frozenset(
            request_id for request_id, is_open, _, is_last, is_cancelled in rows if not is_open and (is_last or is_cancelled)
        ),
    )


def _about(subject: IntentSubject) -> ColumnElement[bool]:
    return (IntentRow.subject_type == subject.type) & (IntentRow.subject_id == subject.id)


async def list_votes(session: WriteSession, intent: Intent) -> tuple[SignedVote, ...]:
    """Return the votes that permit this intent: those of its ticket with its verdict, as they were signed.

    The signer refuses a request with a vote that does not verify, so those that are marked are left out.
    """
    if intent.ticket_id is None:
        return ()
    verdict = VERDICT_BY_INTENT_KIND.get(intent.kind)
    query = (
        select(ApprovalRecordRow)
        .where(
            ApprovalRecordRow.ticket_id == intent.ticket_id,
            ApprovalRecordRow.verdict == verdict,
            ~ApprovalRecordRow.invalid.has(),
        )
        .order_by(ApprovalRecordRow.decided_at)
    )
    return tuple(SignedVote(row.typed_data, row.signature) for row in await session.scalars(query))


async def find_signed_plan(session: WriteSession, intent: Intent) -> SignedPlan | None:
    """Return the plan that the intent carries out, as a call or as a Safe's batch, as it was signed."""
    query = select(PlanRow.typed_data, PlanRow.signature, PlanCallRow.call_index)
    if intent.kind is IntentKind.EXECUTE_SAFE:
        is_its_plan = PlanRow.proposal == intent.subject.safe_tx_hash
        query = select(PlanRow.typed_data, PlanRow.signature, null()).where(is_its_plan)
    else:
        query = query.join(PlanCallRow, PlanCallRow.plan_id == PlanRow.id).where(PlanCallRow.intent_id == intent.id)
    row = (await session.execute(query)).one_or_none()
    return None if row is None or row[0] is None else SignedPlan(row[0], row[1], row[2])


# Attempts


async def find_unacknowledged(session: WriteSession, wallet: Address) -> Attempt | None:
    """Return the attempt that is signed and that no node has confirmed to hold; a wallet has at most one."""
    query = select(AttemptRow).where(AttemptRow.wallet == wallet, AttemptRow.status == AttemptStatus.SIGNED)
    row = (await session.scalars(query)).one_or_none()
    return None if row is None else attempt_of(row)


@dataclass(frozen=True, slots=True)
class PlannedAttempt:
    """An attempt with its bytes, and the signed plan that it carries out, if there is one."""

    nonce: int
    status: AttemptStatus
    hash: Hash32
    raw: bytes
    plan: SignedPlan | None
    requested_by: Address | None


async def list_planned_attempts(
    session: WriteSession, wallet: Address, *, first_nonce: int, end_nonce: int
) -> list[PlannedAttempt]:
    """Return the attempts at the nonces from `first_nonce` to before `end_nonce`, by nonce."""
    query = (
        select(AttemptRow, PlanRow.typed_data, PlanRow.signature, PlanCallRow.call_index, PlanRow.requested_by)
        .outerjoin(PlanCallRow, PlanCallRow.intent_id == AttemptRow.intent_id)
        .outerjoin(PlanRow, PlanRow.id == PlanCallRow.plan_id)
        .where(AttemptRow.wallet == wallet, AttemptRow.nonce >= first_nonce, AttemptRow.nonce < end_nonce)
        .order_by(AttemptRow.nonce, AttemptRow.created_at)
    )
    return [
        PlannedAttempt(
            attempt.nonce,
            attempt.status,
            Hash32(attempt.hash),
            attempt.raw,
            None if document is None else SignedPlan(document, signature, call_index),
            requested_by,
        )
        for attempt, document, signature, call_index, requested_by in await session.execute(query)
    ]


# Operator actions


async def list_requested_actions(session: WriteSession, wallet: Address) -> list[OperatorActionRow]:
    """Return the operator actions that no driver has carried out yet, oldest first."""
    query = (
        select(OperatorActionRow)
        .where(OperatorActionRow.wallet == wallet, OperatorActionRow.status == ActionStatus.REQUESTED)
        .order_by(OperatorActionRow.requested_at, OperatorActionRow.nonce)
    )
    return list(await session.scalars(query))


async def read_preconditions(session: AsyncSession, intent: IntentWithAttempts) -> ActionPreconditions:
    """Read what an operator action on this intent depends on."""
    later = exists().where(_about(intent.subject), IntentRow.kind == intent.kind, IntentRow.created_at > intent.created_at)
    mined = aliased(AttemptRow)
    used = mined.status.in_((AttemptStatus.MINED, AttemptStatus.FINAL))
    lowest_open_nonce = (
        select(func.min(AttemptRow.nonce))
        .join(IntentRow, IntentRow.id == AttemptRow.intent_id)
        .where(
            AttemptRow.wallet == intent.wallet,
            IntentRow.status == IntentStatus.SENDING,
            AttemptRow.status.in_((AttemptStatus.SIGNED, AttemptStatus.BROADCAST)),
            ~exists().where(mined.wallet == AttemptRow.wallet, mined.nonce == AttemptRow.nonce, used),
        )
    )
    has_later_retry, lowest_nonce = (await session.execute(select(later, lowest_open_nonce.scalar_subquery()))).one()
    attempts = intent.current_attempts if intent.status is IntentStatus.SENDING else ()
    return ActionPreconditions(
        status=intent.status,
        is_aborting=intent.is_aborting,
        nonce=attempts[0].nonce if attempts else None,
        mined_block=next((attempt.block_number for attempt in attempts if attempt.block_number is not None), None),
        lowest_open_nonce=lowest_nonce,
        has_later_retry=bool(has_later_retry),
        has_spending_limits=intent.kind is IntentKind.PLAN_STEP,
    )
