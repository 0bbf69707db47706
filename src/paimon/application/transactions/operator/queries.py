"""Reads of the desk. What is known of the chain here is what the drivers wrote down; no read asks a node."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from paimon.application.transactions.queries import WalletSummary, list_wallets
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.transaction.lifecycle import IntentKind, IntentStatus
from paimon.errors import NotFound
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page


class IntentNotFound(NotFound):
    """No intent has this id."""


class WalletNotFound(NotFound):
    """No sending key of this house has this address."""


@dataclass(frozen=True, slots=True)
class IntentFilter:
    """Which intents; what is None does not matter. `is_open` is False for those that have ended."""

    status: IntentStatus | None = None
    kind: IntentKind | None = None
    wallet: Address | None = None
    is_open: bool | None = None


async def list_intents(session: AsyncSession, page: PageRequest, wanted: IntentFilter) -> Page[IntentRow]:
    """Intents with their attempts, latest first."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.status is not None:
        conditions.append(IntentRow.status == wanted.status)
    if wanted.kind is not None:
        conditions.append(IntentRow.kind == wanted.kind)
    if wanted.wallet is not None:
        conditions.append(IntentRow.wallet == wanted.wallet)
    if wanted.is_open is not None:
        conditions.append(IntentRow.closed_at.is_(None) == wanted.is_open)
    query = (
        select(IntentRow)
        .where(*conditions)
        .options(selectinload(IntentRow.attempts))
        .order_by(IntentRow.created_at.desc(), IntentRow.id.desc())
    )

    def unchanged(intent: IntentRow) -> IntentRow:
        return intent

    return await fetch_page(session, query, page, unchanged)


async def get_intent(session: AsyncSession, intent_id: UUID) -> IntentRow:
    """Raises IntentNotFound."""
    query = select(IntentRow).where(IntentRow.id == intent_id).options(selectinload(IntentRow.attempts))
    intent = (await session.scalars(query)).one_or_none()
    if intent is None:
        raise IntentNotFound(f"there is no intent {intent_id}")
    return intent


async def get_wallet(session: AsyncSession, address: Address) -> WalletSummary:
    """Raises WalletNotFound."""
    found = next((each for each in await list_wallets(session) if each.address == address), None)
    if found is None:
        raise WalletNotFound(f"no sending key of this house has the address {checksum(address)}")
    return found


async def list_actions(session: AsyncSession, target_id: UUID | Address) -> Sequence[OperatorActionRow]:
    """What people told the desk about an intent, or about a wallet's trouble, oldest first."""
    if isinstance(target_id, UUID):
        wanted = OperatorActionRow.intent_id == target_id
    else:
        wanted = (OperatorActionRow.wallet == target_id) & OperatorActionRow.intent_id.is_(None)
    return (
        await session.scalars(
            select(OperatorActionRow).where(wanted).order_by(OperatorActionRow.requested_at, OperatorActionRow.nonce)
        )
    ).all()
