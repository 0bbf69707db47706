"""What people see of sending: a redemption's transactions, a wallet's queue, the wallet itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from paimon.domain.chain import Address
from paimon.domain.transaction import WalletName
from paimon.infrastructure.database.models.owned import TransactionIntent, Wallet


@dataclass(frozen=True, slots=True)
class WalletView:
    """A sending key as people see it. `trouble` stays until a person has dealt with it."""

    address: Address
    name: WalletName
    next_nonce: int
    open_intents: int
    trouble: str | None


async def intents_for_request(session: AsyncSession, request_id: int) -> Sequence[TransactionIntent]:
    """Everything that was set out to be done about a redemption, with every attempt, oldest first."""
    query = (
        select(TransactionIntent)
        .where(TransactionIntent.request_id == request_id)
        .options(selectinload(TransactionIntent.attempts))
        .order_by(TransactionIntent.created_at, TransactionIntent.id)
    )
    return (await session.scalars(query)).all()


async def list_open_intents(session: AsyncSession, wallet: Address) -> Sequence[TransactionIntent]:
    """The wallet's queue with attempts, in the order it is worked off."""
    query = (
        select(TransactionIntent)
        .where(TransactionIntent.wallet == wallet, TransactionIntent.closed_at.is_(None))
        .options(selectinload(TransactionIntent.attempts))
        .order_by(TransactionIntent.created_at, TransactionIntent.id)
    )
    return (await session.scalars(query)).all()


async def list_wallets(session: AsyncSession) -> Sequence[WalletView]:
    """Every sending key that was ever used here."""
    query = (
        select(Wallet, func.count(TransactionIntent.id))
        .outerjoin(TransactionIntent, (TransactionIntent.wallet == Wallet.address) & TransactionIntent.closed_at.is_(None))
        .group_by(Wallet.address)
        .order_by(Wallet.name)
    )
    return [
        WalletView(Address(wallet.address), wallet.name, wallet.next_nonce, count, wallet.trouble)
        for wallet, count in await session.execute(query)
    ]


async def list_wallets_with_work(session: AsyncSession) -> Sequence[Address]:
    """The wallets a sweep must drive: those with open intents."""
    query = select(TransactionIntent.wallet).where(TransactionIntent.closed_at.is_(None)).distinct()
    return [Address(each) for each in await session.scalars(query)]
