"""Setting out to do something on chain: an intent is written in the transaction of the decision it follows from.

The idempotency key says what the intent is for (`approve-redemption:17`, `settle-redemption:17`); whoever queues the same
again gets the row that is there, and the same key with another payload is refused. Nothing is sent here: the wallet's
driver is woken by an outbox row that commits with the intent, and a sweep drives every wallet with open intents anyway.
"""

from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from paimon.application.common.idempotency import PayloadConflict
from paimon.domain.kernel.chain import Address, ContractName, checksum, hex0x
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.transaction.lifecycle import WALLET_BY_INTENT_KIND, Call, IntentKind, WalletName, payload_hash
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.models.ops.outbox import OutboxPriority
from paimon.infrastructure.database.models.ops.transaction import IntentRow, WalletRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)

DRIVE_WALLET = "drive_wallet"
"""Outbox kind; the aggregate is the wallet's checksummed address."""


async def queue_intent(
    session: WriteSession,
    *,
    key: str,
    kind: IntentKind,
    wallet: Address,
    call: Call,
    request_id: int,
    ticket_id: str | None = None,
    expires_at: datetime | None = None,
) -> IntentRow:
    """The intent of this key: written now, or the one that is there already. Past `expires_at` it is not sent, or given up.

    Raises:
        PayloadConflict: the key is taken by another payload.
    """
    await register_wallet(session, wallet, WALLET_BY_INTENT_KIND[kind])
    digest = payload_hash(kind, wallet, call)
    # A concurrent insert of the same key makes this one wait for its commit, and the read below then sees that row.
    inserted = await session.execute(
        insert(IntentRow)
        .values(
            idempotency_key=key,
            payload_hash=digest,
            kind=kind,
            wallet=wallet,
            to_address=call.to,
            data=call.data,
            value_wei=call.value_wei,
            request_id=request_id,
            ticket_id=ticket_id,
            expires_at=expires_at,
        )
        .on_conflict_do_nothing(index_elements=[IntentRow.idempotency_key])
        .returning(IntentRow)
    )
    intent = new = inserted.scalar_one_or_none()
    if intent is None:
        found = await session.execute(select(IntentRow).where(IntentRow.idempotency_key == key))
        intent = found.scalar_one()
    if intent.payload_hash != digest:
        raise PayloadConflict(
            f"intent {key!r} exists with payload {hex0x(intent.payload_hash)[:10]}, asked for {hex0x(digest)[:10]}:"
            " one key stands for one call"
        )
    if new is not None:
        await outbox.add(session, DRIVE_WALLET, checksum(wallet), priority=OutboxPriority.CHAIN)
        log.info("intent.queued", intent_id=str(intent.id), key=key, kind=kind, redemption_id=request_id)
    return intent


async def register_wallet(session: WriteSession, address: Address, name: WalletName) -> None:
    """Make sure that the sending key has its row. Its first nonce is read from the chain when it first sends."""
    await session.execute(
        insert(WalletRow)
        .values(address=address, name=name, next_nonce=0)
        .on_conflict_do_nothing(index_elements=[WalletRow.address])
    )


def approve_call(contracts: FundContracts, request_id: int) -> Call:
    return _manager_call(contracts, "approveRedemption", request_id)


def reject_call(contracts: FundContracts, request_id: int, reason: str) -> Call:
    return _manager_call(contracts, "rejectRedemption", request_id, reason)


def settle_call(contracts: FundContracts, request_id: int, channel: RedemptionChannel) -> Call:
    function = "settleScheduledRedemption" if channel is RedemptionChannel.SCHEDULED else "settleRedemption"
    return _manager_call(contracts, function, request_id)


def _manager_call(contracts: FundContracts, function: str, *args: int | str) -> Call:
    manager = ContractName.REDEMPTION_MANAGER
    return Call(contracts.address(manager), contracts.abis[manager].encode_call(function, *args))
