"""Read intents, wallets and operator actions for people. The rows hold what the drivers read on chain; no query asks a node."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from paimon.application.transactions.queries import WalletSummary, list_wallets
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.transaction.intent import IntentWithAttempts
from paimon.domain.transaction.lifecycle import IntentKind, IntentStatus
from paimon.domain.transaction.operator_action import ActionKind, ActionStatus
from paimon.errors import NotFound
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page, latest_first
from paimon.infrastructure.database.rows.transaction import intent_with_attempts_of


class IntentNotFound(NotFound):
    """No intent has this id."""


class WalletNotFound(NotFound):
    """No sending key has this address."""


@dataclass(frozen=True, slots=True)
class IntentFilter:
    """Which intents to list. None matches every intent; `is_open` is False for intents that have ended."""

    status: IntentStatus | None = None
    kind: IntentKind | None = None
    wallet: Address | None = None
    is_open: bool | None = None


@dataclass(frozen=True, slots=True)
class RecordedAction:
    """An operator action with what was signed: enough to verify it without this system."""

    kind: ActionKind
    wallet: Address
    intent_id: UUID | None
    target: str
    reason: str
    requested_by: Address
    requested_at: datetime
    status: ActionStatus
    outcome: str | None
    ended_at: datetime | None
    typed_data: dict[str, Any]
    signature: bytes


def recorded_action(row: OperatorActionRow) -> RecordedAction:
    return RecordedAction(
        kind=row.kind,
        wallet=Address(row.wallet),
        intent_id=row.intent_id,
        target=row.target,
        reason=row.reason,
        requested_by=Address(row.requested_by),
        requested_at=row.requested_at,
        status=row.status,
        outcome=row.outcome,
        ended_at=row.ended_at,
        typed_data=row.typed_data,
        signature=row.signature,
    )


async def list_intents(session: AsyncSession, page: PageRequest, filters: IntentFilter) -> Page[IntentWithAttempts]:
    """Return intents with their attempts, latest first."""
    conditions: list[ColumnElement[bool]] = []
    if filters.status is not None:
        conditions.append(IntentRow.status == filters.status)
    if filters.kind is not None:
        conditions.append(IntentRow.kind == filters.kind)
    if filters.wallet is not None:
        conditions.append(IntentRow.wallet == filters.wallet)
    if filters.is_open is not None:
        conditions.append(IntentRow.closed_at.is_(None) == filters.is_open)
    query = select(IntentRow).where(*conditions).options(selectinload(IntentRow.attempts))
    order = latest_first(IntentRow.created_at, IntentRow.id)
    return await fetch_page(session, query, page, intent_with_attempts_of, order=order)


async def get_intent(session: AsyncSession, intent_id: UUID) -> IntentWithAttempts:
    """Raises IntentNotFound."""
    query = select(IntentRow).where(IntentRow.id == intent_id).options(selectinload(IntentRow.attempts))
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise IntentNotFound(f"there is no intent {intent_id}")
    return intent_with_attempts_of(row)


async def get_wallet(session: AsyncSession, address: Address) -> WalletSummary:
    """Raises WalletNotFound."""
    found = next((wallet for wallet in await list_wallets(session) if wallet.address == address), None)
    if found is None:
        raise WalletNotFound(f"no sending key has the address {checksum(address)}")
    return found


async def list_actions(session: AsyncSession, target_id: UUID | Address) -> list[RecordedAction]:
    """Return the operator actions on an intent, or on a wallet's fault, oldest first."""
    if isinstance(target_id, UUID):
        condition = OperatorActionRow.intent_id == target_id
    else:
        condition = (OperatorActionRow.wallet == target_id) & OperatorActionRow.intent_id.is_(None)
    query = select(OperatorActionRow).where(condition).order_by(OperatorActionRow.requested_at, OperatorActionRow.nonce)
    return [recorded_action(row) for row in await session.scalars(query)]
