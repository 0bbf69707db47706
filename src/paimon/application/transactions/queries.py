"""Read what people see of sending: the intents about a subject, the queue of a wallet, and the wallets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from paimon.domain.kernel.chain import Address
from paimon.domain.transaction.intent import IntentWithAttempts
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import OPEN_ATTEMPTS, AttemptStatus, IntentStatus, WalletName
from paimon.domain.transaction.nonce import missing_nonces
from paimon.infrastructure.database.models.ops.multisig import SafeRow
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow
from paimon.infrastructure.database.rows.transaction import intent_with_attempts_of


@dataclass(frozen=True, slots=True)
class WalletChainState:
    """The wallet's state on chain as its driver last read it."""

    at: datetime
    block: int
    latest_nonce: int
    final_nonce: int
    balance_wei: int


@dataclass(frozen=True, slots=True)
class LastError:
    """The last error of a wallet's drives or of a Safe's tasks, and the time since when they fail."""

    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class WalletSummary:
    """A sending key. Its fault stays until an operator clears it."""

    address: Address
    name: WalletName
    next_nonce: int
    open_intents: int
    fault: str | None
    last_error: LastError | None
    account_state: WalletChainState | None
    in_flight_nonces: tuple[int, ...]
    missing_nonces: tuple[int, ...]
    """Nonces that are given out, not used and without an attempt. There are none unless something is badly wrong."""


async def list_intents_about(session: AsyncSession, subject: IntentSubject) -> list[IntentWithAttempts]:
    """Return every intent about the subject, with its attempts, oldest first."""
    query = (
        select(IntentRow)
        .where(IntentRow.subject_type == subject.type, IntentRow.subject_id == subject.id)
        .options(selectinload(IntentRow.attempts))
        .order_by(IntentRow.created_at, IntentRow.id)
    )
    return [intent_with_attempts_of(row) for row in await session.scalars(query)]


async def list_open_intents(session: AsyncSession, wallet: Address) -> list[IntentWithAttempts]:
    """Return the wallet's queue with attempts, in the order in which the driver takes it."""
    query = (
        select(IntentRow)
        .where(IntentRow.wallet == wallet, IntentRow.closed_at.is_(None))
        .options(selectinload(IntentRow.attempts))
        .order_by(IntentRow.created_at, IntentRow.id)
    )
    return [intent_with_attempts_of(row) for row in await session.scalars(query)]


async def list_wallets(session: AsyncSession) -> Sequence[WalletSummary]:
    """Return every sending key that was ever used here."""
    query = (
        select(WalletRow, func.count(IntentRow.id))
        .outerjoin(IntentRow, (IntentRow.wallet == WalletRow.address) & IntentRow.closed_at.is_(None))
        .group_by(WalletRow.address)
        .order_by(WalletRow.name, WalletRow.address)
    )
    return [await _summarize(session, wallet, count) for wallet, count in (await session.execute(query)).all()]


async def _summarize(session: AsyncSession, wallet: WalletRow, open_intents: int) -> WalletSummary:
    account_state = _recorded_account_state(wallet)
    unused = account_state.latest_nonce if account_state else wallet.next_nonce
    query = select(AttemptRow.nonce, AttemptRow.status, IntentRow.status).join(IntentRow, IntentRow.id == AttemptRow.intent_id)
    above = AttemptRow.nonce >= unused
    is_sending = IntentRow.status == IntentStatus.SENDING
    found = (await session.execute(query.where(AttemptRow.wallet == wallet.address, above | is_sending))).all()
    in_flight_nonces = {
        nonce for nonce, attempt, intent in found if intent is IntentStatus.SENDING and attempt in OPEN_ATTEMPTS
    }
    attempted = {nonce for nonce, attempt, _ in found if attempt is not AttemptStatus.DROPPED}
    return WalletSummary(
        address=Address(wallet.address),
        name=wallet.name,
        next_nonce=wallet.next_nonce,
        open_intents=open_intents,
        fault=wallet.fault,
        last_error=last_error_of(wallet),
        account_state=account_state,
        in_flight_nonces=tuple(sorted(in_flight_nonces)),
        missing_nonces=missing_nonces(latest_nonce=unused, counter=wallet.next_nonce, attempted=attempted),
    )


def last_error_of(row: WalletRow | SafeRow) -> LastError | None:
    if row.failing_since is None or row.last_error is None:
        return None
    return LastError(row.failing_since, row.last_error)


def _recorded_account_state(wallet: WalletRow) -> WalletChainState | None:
    account_state = (wallet.seen_block, wallet.latest_nonce, wallet.final_nonce, wallet.balance_wei)
    if wallet.seen_at is None or None in account_state:
        return None
    return WalletChainState(wallet.seen_at, *(value for value in account_state if value is not None))


async def list_wallets_with_work(session: AsyncSession) -> Sequence[Address]:
    """Return the wallets that a sweep must drive: those with open intents."""
    query = select(IntentRow.wallet).where(IntentRow.closed_at.is_(None)).distinct()
    return [Address(wallet) for wallet in await session.scalars(query)]
