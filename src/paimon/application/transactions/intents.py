"""Queue intents: an intent is written in the transaction of the decision it follows from.

The idempotency key names what the intent is for (`approve-redemption:17`, `settle-redemption:17`). A second request with the
same key gets the intent that exists; the same key with another payload is refused. Nothing is sent here. An outbox row wakes
the wallet's driver and commits with the intent, and a sweep drives every wallet that has open intents anyway.
"""

from datetime import datetime

import structlog

from paimon.application.common.idempotency import PayloadConflict
from paimon.application.transactions.store import get_intent_by_key, insert_intent, register_wallet
from paimon.domain.kernel.chain import Address, ContractName, checksum, hex0x
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import WALLET_BY_INTENT_KIND, Call, IntentKind, payload_hash
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)

DRIVE_WALLET = "drive_wallet"
"""Kind of the outbox message that wakes a driver; its aggregate is the wallet's checksummed address."""


async def queue_intent(
    session: WriteSession,
    *,
    key: str,
    kind: IntentKind,
    wallet: Address,
    call: Call,
    subject: IntentSubject,
    ticket_id: str | None = None,
    expires_at: datetime | None = None,
    created_at: datetime | None = None,
) -> Intent:
    """Return the intent of this key, which is written now or exists already.

    The driver aborts the intent at `expires_at`. `created_at` orders intents that are queued in one transaction.

    Raises:
        PayloadConflict: the key exists with another payload.
    """
    await register_wallet(session, wallet, WALLET_BY_INTENT_KIND[kind])
    digest = payload_hash(kind, wallet, call)
    new = await insert_intent(
        session,
        key=key,
        payload_hash=digest,
        kind=kind,
        wallet=wallet,
        call=call,
        subject=subject,
        ticket_id=ticket_id,
        expires_at=expires_at,
        created_at=created_at,
    )
    if new is None:
        intent, existing_hash = await get_intent_by_key(session, key)
        if existing_hash != digest:
            raise PayloadConflict(
                f"intent {key!r} exists with payload {hex0x(existing_hash)[:10]}, requested with {hex0x(digest)[:10]}:"
                " one key stands for one call"
            )
        return intent
    await outbox.add(session, DRIVE_WALLET, checksum(wallet), priority=OutboxPriority.CHAIN)
    log.info("intent.queued", intent_id=str(new.id), key=key, kind=kind, subject_type=subject.type, subject_id=subject.id)
    return new


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
