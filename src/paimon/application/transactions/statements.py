"""Write the steps of sending, each in one round trip to the database.

Most statements run over rows, not objects, because objects cost more than the statements. Each function names the lock that its
caller holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import Select, Update, bindparam, func, insert, select, true, update
from sqlalchemy.dialects.postgresql import distinct_on

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.intent import Intent, IntentWithAttempts
from paimon.domain.transaction.lifecycle import AttemptStatus, BroadcastChannel, IntentStatus
from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow
from paimon.infrastructure.database.rows.transaction import intent_of
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.text import strip_nul

_INTENTS: Final = table_of(IntentRow)
_ATTEMPTS: Final = table_of(AttemptRow)
_WALLETS: Final = table_of(WalletRow)
_NOT_SENT: Final = (IntentStatus.QUEUED, IntentStatus.SIMULATED)


@dataclass(frozen=True, slots=True)
class InFlightTotals:
    """The nonces of a wallet that are signed and not spent.

    `reserved_wei` is the most they may still cost: of each nonce, its dearest attempt.
    """

    count: int
    lowest: int | None
    has_unacknowledged: bool
    reserved_wei: int


def _due() -> Select[Any]:
    of = _ATTEMPTS.c
    in_flight = (
        select(
            of.nonce,
            (func.max(of.gas_limit * of.max_fee_wei) + _INTENTS.c.value_wei).label("cost"),
            func.bool_or(of.status == AttemptStatus.SIGNED).label("signed"),
            func.bool_or(of.status.in_((AttemptStatus.FINAL, AttemptStatus.DROPPED))).label("spent"),
        )
        .join(_INTENTS, _INTENTS.c.id == of.intent_id)
        .where(_INTENTS.c.wallet == bindparam("wallet"), _INTENTS.c.status == IntentStatus.SENDING)
        .group_by(_INTENTS.c.id, of.nonce)
        .ext(distinct_on(_INTENTS.c.id))  # earlier nonces of an intent ended without its effect
        .order_by(_INTENTS.c.id, of.nonce.desc())
        .subquery()
    )
    summed = (
        select(
            func.count().label("count"),
            func.min(in_flight.c.nonce).label("lowest"),
            func.coalesce(func.bool_or(in_flight.c.signed), False).label("signed"),
            func.coalesce(func.sum(in_flight.c.cost), 0).label("cost"),
        )
        .where(~in_flight.c.spent)
        .subquery()
    )
    return (
        select(IntentRow, *summed.c)
        .join(summed, true())
        .where(
            IntentRow.wallet == bindparam("wallet"),
            IntentRow.status.in_(_NOT_SENT),
            IntentRow.next_check_at <= bindparam("now"),
            IntentRow.expires_at.is_(None) | (IntentRow.expires_at > bindparam("now")),
        )
        .order_by(IntentRow.created_at, IntentRow.id)
        .limit(1)
    )


_DUE: Final = _due()


async def next_due(session: WriteSession, wallet: Address, now: datetime) -> tuple[Intent, InFlightTotals] | None:
    """Return the oldest intent whose next check is due, and the totals in flight. The caller holds the wallet's lock."""
    row = (await session.execute(_DUE, {"wallet": wallet, "now": now})).one_or_none()
    if row is None:
        return None
    intent, count, lowest, signed, cost = row
    return intent_of(intent), InFlightTotals(count, lowest, signed, int(cost))


_ATTEMPT_COLUMNS: Final = (
    "hash", "intent_id", "wallet", "nonce", "gas_limit", "max_fee_wei", "priority_fee_wei", "raw", "is_cancellation", "channel",
    "signed_at_block", "status", "created_at",
)  # fmt: skip
# The prefix keeps the parameters apart from the columns: SQLAlchemy reserves the columns' own names.
_INSERT: Final = insert(_ATTEMPTS).values({column: bindparam(f"new_{column}") for column in _ATTEMPT_COLUMNS})
_STORE_SIGNED: Final = _INSERT.add_cte(
    update(_INTENTS)
    .where(_INTENTS.c.id == bindparam("new_intent_id"))
    .values(status=IntentStatus.SENDING, reason=None, unfunded=False, unknown_since=None)
    .returning(_INTENTS.c.id)
    .cte("sent"),
    update(_WALLETS)
    .where(_WALLETS.c.address == bindparam("new_wallet"))
    .values(next_nonce=bindparam("new_nonce") + 1)
    .returning(_WALLETS.c.address)
    .cte("counted"),
)


async def store_signed(session: WriteSession, attempt: Attempt) -> None:
    """Store the first attempt at a new nonce, the nonce counter and the intent's status together.

    From the commit on the nonce is given out. The caller holds the wallet's lock.
    """
    await session.execute(_STORE_SIGNED, _new_row(attempt))


async def store_replacement(session: WriteSession, attempt: Attempt) -> None:
    """Store another attempt at a nonce that is given out already. The caller holds the wallet's lock."""
    await session.execute(_INSERT, _new_row(attempt))


def _new_row(attempt: Attempt) -> dict[str, Any]:
    return {f"new_{column}": getattr(attempt, column) for column in _ATTEMPT_COLUMNS}


_INTENT_CHANGES: Final = (
    "status", "unfunded", "reason", "next_check_at", "unknown_since", "aborting_as", "abort_reason", "closed_at",
)  # fmt: skip
_ATTEMPT_CHANGES: Final = ("status", "block_number", "block_hash", "succeeded", "gas_used")
_UPDATE_ATTEMPT: Final = (
    update(_ATTEMPTS)
    .where(_ATTEMPTS.c.hash == bindparam("changed_hash"))
    .values({column: bindparam(f"new_{column}") for column in _ATTEMPT_CHANGES})
)


async def save_intents(session: WriteSession, before: Sequence[Intent], after: Sequence[Intent]) -> None:
    """Write what changed of these intents, without their attempts. The caller holds the wallet's lock.

    Only changed columns are written: `acknowledge` clears the reason without the lock, and an old reason may not come back.
    """
    for columns, rows in _intent_changes(before, after).items():
        await session.execute(_update_intent(columns), rows)


async def save_attempts(
    session: WriteSession, before: Sequence[IntentWithAttempts], after: Sequence[IntentWithAttempts]
) -> None:
    """Write the attempts of these intents that changed. The caller holds the wallet's lock.

    Attempts that are mined no longer come first: the database allows one mined attempt a nonce.
    """
    known = {attempt.hash: attempt for intent in before for attempt in intent.attempts}
    changed = [attempt for intent in after for attempt in intent.attempts if attempt != known[attempt.hash]]
    changed.sort(key=lambda attempt: attempt.status in (AttemptStatus.MINED, AttemptStatus.FINAL))
    if changed:
        await session.execute(_UPDATE_ATTEMPT, [_attempt_changes(attempt) for attempt in changed])


def _intent_changes(before: Sequence[Intent], after: Sequence[Intent]) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """Return the parameters of the updates by the columns that they write."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for old, new in zip(before, after, strict=True):
        if columns := tuple(column for column in _INTENT_CHANGES if getattr(new, column) != getattr(old, column)):
            values = {f"new_{column}": _storable(getattr(new, column)) for column in columns}
            found.setdefault(columns, []).append({"changed_id": new.id, **values})
    return found


@cache
def _update_intent(columns: tuple[str, ...]) -> Update:
    values: dict[str, Any] = {column: bindparam(f"new_{column}") for column in columns}
    return update(_INTENTS).where(_INTENTS.c.id == bindparam("changed_id")).values(values)


def _storable(value: Any) -> Any:
    return strip_nul(value) if type(value) is str else value


def _attempt_changes(attempt: Attempt) -> dict[str, Any]:
    return {"changed_hash": attempt.hash} | {f"new_{column}": getattr(attempt, column) for column in _ATTEMPT_CHANGES}


_ACKNOWLEDGED: Final = (
    update(_ATTEMPTS)
    .where(_ATTEMPTS.c.hash == bindparam("acknowledged_hash"), _ATTEMPTS.c.status == AttemptStatus.SIGNED)
    .values(status=AttemptStatus.BROADCAST, broadcast_at=func.now(), answer=bindparam("message"))
    .returning(_ATTEMPTS.c.intent_id)
    .cte("acknowledged")
)
_ACKNOWLEDGE: Final = (
    update(_INTENTS)
    .where(
        _INTENTS.c.id.in_(select(_ACKNOWLEDGED.c.intent_id)),
        _INTENTS.c.status == IntentStatus.SENDING,
        _INTENTS.c.reason.is_distinct_from(_INTENTS.c.abort_reason),
    )
    .values(reason=_INTENTS.c.abort_reason)
)


async def acknowledge(session: WriteSession, attempt: Hash32, message: str) -> None:
    """Record that a node holds the bytes, and take the intent's reason away.

    No lock is needed: nothing changes unless the attempt is still unacknowledged.
    """
    await session.execute(_ACKNOWLEDGE, {"acknowledged_hash": attempt, "message": message})


async def record_answer(session: WriteSession, attempt: Hash32, message: str, *, reason: str | None) -> None:
    """Record an answer that does not acknowledge the bytes. `reason` is shown on the intent in flight, if there is one."""
    await session.execute(_record_answer(update(_ATTEMPTS).where(_ATTEMPTS.c.hash == attempt), message, reason))


async def record_no_answer(session: WriteSession, attempt: Hash32, message: str, *, reason: str) -> None:
    """Record that the endpoint did not answer, unless the attempt was acknowledged meanwhile."""
    unacknowledged = update(_ATTEMPTS).where(_ATTEMPTS.c.hash == attempt, _ATTEMPTS.c.status == AttemptStatus.SIGNED)
    await session.execute(_record_answer(unacknowledged, message, reason))


def _record_answer(of_attempt: Update, message: str, reason: str | None) -> Update:
    answered = of_attempt.values(answer=message)
    if reason is None:
        return answered
    intent_ids = answered.returning(_ATTEMPTS.c.intent_id).cte("answered")
    return (
        update(_INTENTS)
        .where(_INTENTS.c.id.in_(select(intent_ids.c.intent_id)), _INTENTS.c.status == IntentStatus.SENDING)
        .values(reason=reason)
    )


async def make_public(session: WriteSession, wallet: Address, *, signed_until_block: int) -> list[int]:
    """Move private attempts that were signed until this block to the public channel, and return their nonces.

    The caller holds the wallet's lock.
    """
    changed = await session.scalars(
        update(AttemptRow)
        .where(
            AttemptRow.wallet == wallet,
            AttemptRow.channel == BroadcastChannel.PRIVATE,
            AttemptRow.status.in_((AttemptStatus.SIGNED, AttemptStatus.BROADCAST)),
            AttemptRow.signed_at_block <= signed_until_block,
        )
        .values(channel=BroadcastChannel.PUBLIC)
        .returning(AttemptRow.nonce)
    )
    return sorted(changed)
