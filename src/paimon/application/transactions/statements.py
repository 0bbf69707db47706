"""The three steps that every transaction takes, each of one round trip to the database; written over rows, not objects.

Each is called under the rules of those who call it: `next_due` and `store_signed` under the wallet's lock, in one transaction;
`acknowledge` under none, because it changes nothing unless the attempt is still unacknowledged.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, bindparam, func, insert, select, true, update
from sqlalchemy.dialects.postgresql import distinct_on

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentStatus
from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow
from paimon.infrastructure.database.sessions import WriteSession

_INTENTS: Final = table_of(IntentRow)
_ATTEMPTS: Final = table_of(AttemptRow)
_WALLETS: Final = table_of(WalletRow)
_NOT_SENT: Final = (IntentStatus.QUEUED, IntentStatus.SIMULATED)


@dataclass(frozen=True, slots=True)
class InFlightTotals:
    """What a wallet has signed for and what is not spent: how many nonces, the lowest, whether a node has not confirmed one,
    and the most they may still cost, of each nonce its dearest attempt."""

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


async def next_due(session: WriteSession, wallet: Address, now: datetime) -> tuple[IntentRow, InFlightTotals] | None:
    """The oldest intent that waits to be sent and whose next check has come, and what is in flight beside it."""
    row = (await session.execute(_DUE, {"wallet": wallet, "now": now})).one_or_none()
    if row is None:
        return None
    intent, count, lowest, signed, cost = row
    return intent, InFlightTotals(count, lowest, signed, int(cost))


_ATTEMPT_COLUMNS: Final = (
    "hash", "intent_id", "wallet", "nonce", "gas_limit", "max_fee_wei", "priority_fee_wei", "raw", "cancels", "channel",
    "signed_at_block", "status",
)  # fmt: skip
_STORE: Final = (
    insert(_ATTEMPTS)
    .values(
        {each: bindparam(f"new_{each}") for each in _ATTEMPT_COLUMNS}
    )  # SQLAlchemy wants no parameter of a column's own name
    .add_cte(
        update(_INTENTS)
        .where(_INTENTS.c.id == bindparam("new_intent_id"))
        .values(status=IntentStatus.SENDING, reason=None, unknown_since=None)
        .returning(_INTENTS.c.id)
        .cte("sent"),
        update(_WALLETS)
        .where(_WALLETS.c.address == bindparam("new_wallet"))
        .values(next_nonce=bindparam("new_nonce") + 1)
        .returning(_WALLETS.c.address)
        .cte("counted"),
    )
)


async def store_signed(session: WriteSession, attempt: AttemptRow) -> None:
    """Attempt, nonce counter and intent together: from the commit on there is something to send, and the nonce is given out."""
    await session.execute(_STORE, {f"new_{each}": getattr(attempt, each) for each in _ATTEMPT_COLUMNS})


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
    """A node holds the bytes: it is `broadcast`, and what kept it from that is no reason any more."""
    await session.execute(_ACKNOWLEDGE, {"acknowledged_hash": attempt, "message": message})
