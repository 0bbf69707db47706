"""Stand-ins in the database, each with the signature that names it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from paimon.domain.approval.stand_in import Pair, Period, StandIn
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.errors import NotFound
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.ops.signed_action import SignedActionRow
from paimon.infrastructure.database.models.ops.stand_in import StandInRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

_LOCK: Final = 0x5061696D_7374616E  # "Paimstan"


class StandInNotFound(NotFound):
    """There is no stand-in with this number."""


@dataclass(frozen=True, slots=True)
class SignedStandIn:
    """A stored stand-in, and the signature of the action that it was named by."""

    stand_in: StandIn
    terms: SignatureTerms
    signature: bytes


async def lock_stand_ins(session: WriteSession) -> None:
    """Let no other stand-in be named until the transaction ends: two at once could have a person in common."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


async def insert_stand_in(session: WriteSession, pair: Pair, reason: str, nonce: Hash32) -> int:
    values = {
        "person": pair.person,
        "stand_in": pair.stand_in,
        "starts_at": pair.period.starts_at,
        "ends_at": pair.period.ends_at,
        "reason": reason,
        "nonce": nonce,
    }
    added: int = (await session.execute(insert(StandInRow).values(values).returning(StandInRow.id))).scalar_one()
    return added


async def list_current(session: ReadSession | WriteSession, now: datetime) -> list[SignedStandIn]:
    """List those that are in force, or will be."""
    current = _query().where(StandInRow.ended_at.is_(None), StandInRow.ends_at > now)
    return list(_signed(await session.execute(current.order_by(StandInRow.id))))


async def list_since(session: ReadSession | WriteSession, since: datetime) -> list[SignedStandIn]:
    """List those that were not over at that time, also if their time has not come."""
    open_then = or_(StandInRow.ended_at.is_(None), StandInRow.ended_at > since)
    return list(_signed(await session.execute(_query().where(open_then, StandInRow.ends_at > since).order_by(StandInRow.id))))


async def list_latest(session: ReadSession | WriteSession, *, limit: int) -> list[SignedStandIn]:
    """List the newest, those that are over too."""
    return list(_signed(await session.execute(_query().order_by(StandInRow.id.desc()).limit(limit))))


async def lock_stand_in(session: WriteSession, number: int) -> StandIn:
    """Raises StandInNotFound."""
    query = _query().where(StandInRow.id == number).with_for_update(of=StandInRow)
    found = list(_signed(await session.execute(query)))
    if not found:
        raise StandInNotFound(f"there is no stand-in {number}")
    return found[0].stand_in


async def save_end(session: WriteSession, number: int, by: Address, now: datetime) -> None:
    await session.execute(update(StandInRow).where(StandInRow.id == number).values(ended_at=now, ended_by=by))


def _query() -> Select[StandInRow, SignedActionRow]:
    signed = SignedActionRow.nonce == StandInRow.nonce
    return select(StandInRow, SignedActionRow).join(SignedActionRow, signed).execution_options(populate_existing=True)


def _signed(rows: Any) -> Iterator[SignedStandIn]:
    for row, action in rows:
        pair = Pair(Address(row.person), Address(row.stand_in), Period(as_utc(row.starts_at), as_utc(row.ends_at)))
        ended_at = None if row.ended_at is None else as_utc(row.ended_at)
        ended_by = None if row.ended_by is None else Address(row.ended_by)
        terms = SignatureTerms(Hash32(action.nonce), as_utc(action.expires_at))
        yield SignedStandIn(StandIn(row.id, pair, row.reason, ended_at, ended_by), terms, bytes(action.signature))
