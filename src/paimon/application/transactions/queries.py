"""What people see of sending: a redemption's transactions, a wallet's queue, the wallet itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from paimon.domain.kernel.chain import Address
from paimon.domain.transaction.lifecycle import OPEN_ATTEMPTS, AttemptStatus, IntentStatus, WalletName
from paimon.domain.transaction.nonce import missing_nonces
from paimon.infrastructure.database.models.ops.multisig import SafeRow
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow


@dataclass(frozen=True, slots=True)
class ChainSight:
    """What the wallet's driver last saw on chain."""

    at: datetime
    block: int
    used_at_latest: int
    used_at_final: int
    balance_wei: int


@dataclass(frozen=True, slots=True)
class Interruption:
    """What keeps a wallet's drives from their end, or the house from a Safe, and since when."""

    since: datetime
    by: str


@dataclass(frozen=True, slots=True)
class WalletView:
    """A sending key as people see it. `trouble` stays until a person has dealt with it."""

    address: Address
    name: WalletName
    next_nonce: int
    open_intents: int
    trouble: str | None
    interrupted: Interruption | None
    seen: ChainSight | None
    in_flight: tuple[int, ...]
    missing: tuple[int, ...]
    """Nonces given out, not used and without an attempt; none, ever, unless something is badly wrong."""


async def intents_for_request(session: AsyncSession, request_id: int) -> Sequence[IntentRow]:
    """Everything that was set out to be done about a redemption, with every attempt, oldest first."""
    query = (
        select(IntentRow)
        .where(IntentRow.request_id == request_id)
        .options(selectinload(IntentRow.attempts))
        .order_by(IntentRow.created_at, IntentRow.id)
    )
    return (await session.scalars(query)).all()


async def list_open_intents(session: AsyncSession, wallet: Address) -> Sequence[IntentRow]:
    """The wallet's queue with attempts, in the order it is worked off."""
    query = (
        select(IntentRow)
        .where(IntentRow.wallet == wallet, IntentRow.closed_at.is_(None))
        .options(selectinload(IntentRow.attempts))
        .order_by(IntentRow.created_at, IntentRow.id)
    )
    return (await session.scalars(query)).all()


async def list_wallets(session: AsyncSession) -> Sequence[WalletView]:
    """Every sending key that was ever used here."""
    query = (
        select(WalletRow, func.count(IntentRow.id))
        .outerjoin(IntentRow, (IntentRow.wallet == WalletRow.address) & IntentRow.closed_at.is_(None))
        .group_by(WalletRow.address)
        .order_by(WalletRow.name, WalletRow.address)
    )
    return [await _view(session, wallet, count) for wallet, count in (await session.execute(query)).all()]


async def _view(session: AsyncSession, wallet: WalletRow, open_intents: int) -> WalletView:
    seen = _sight(wallet)
    unused = seen.used_at_latest if seen else wallet.next_nonce
    query = select(AttemptRow.nonce, AttemptRow.status, IntentRow.status).join(IntentRow, IntentRow.id == AttemptRow.intent_id)
    above = AttemptRow.nonce >= unused
    in_flight = IntentRow.status == IntentStatus.SENDING
    found = (await session.execute(query.where(AttemptRow.wallet == wallet.address, above | in_flight))).all()
    flying = {nonce for nonce, attempt, intent in found if intent is IntentStatus.SENDING and attempt in OPEN_ATTEMPTS}
    held = {nonce for nonce, attempt, _ in found if attempt is not AttemptStatus.DROPPED}
    return WalletView(
        address=Address(wallet.address),
        name=wallet.name,
        next_nonce=wallet.next_nonce,
        open_intents=open_intents,
        trouble=wallet.trouble,
        interrupted=interruption_of(wallet),
        seen=seen,
        in_flight=tuple(sorted(flying)),
        missing=missing_nonces(used_at_latest=unused, counter=wallet.next_nonce, held=held),
    )


def interruption_of(row: WalletRow | SafeRow) -> Interruption | None:
    if row.interrupted_since is None or row.interrupted_by is None:
        return None
    return Interruption(row.interrupted_since, row.interrupted_by)


def _sight(wallet: WalletRow) -> ChainSight | None:
    seen = (wallet.seen_block, wallet.used_at_latest, wallet.used_at_final, wallet.balance_wei)
    if wallet.seen_at is None or None in seen:
        return None
    return ChainSight(wallet.seen_at, *(each for each in seen if each is not None))


async def list_wallets_with_work(session: AsyncSession) -> Sequence[Address]:
    """The wallets a sweep must drive: those with open intents."""
    query = select(IntentRow.wallet).where(IntentRow.closed_at.is_(None)).distinct()
    return [Address(each) for each in await session.scalars(query)]
