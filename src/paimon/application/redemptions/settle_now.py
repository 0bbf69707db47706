"""Settle one request now by an operator's signed action, before the next sweep. The chain still decides whether it is due."""

from dataclasses import dataclass
from datetime import datetime

import structlog

from paimon.application.common.chain_position import CHAIN_POSITION, NothingRecorded
from paimon.application.common.signed_action import ProposedAction
from paimon.application.identity.accept_action import SignedRequest, SigningContext, accept_action
from paimon.application.redemptions.queries import RedemptionNotFound
from paimon.application.redemptions.settlement import NotDue, NotSettleable, request_settlement, require_due, window_date
from paimon.application.redemptions.store import REDEMPTION
from paimon.application.transactions.intents import settle_call
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.signed_action import ActionContent, ActionName
from paimon.domain.redemption.request import Redemption
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.lifecycle import IntentKind, payload_hash
from paimon.domain.user.roles import Permission
from paimon.infrastructure.blockchain.contracts.fund import FundContracts

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DueSettlement:
    """A request with the chain's time at which it is judged. `window_date` is None for other channels than scheduled."""

    redemption: Redemption
    chain_time: datetime
    window_date: datetime | None


async def settle_request_now(
    request_id: int, request: SignedRequest, *, context: SigningContext, contracts: FundContracts, keeper: Address
) -> Intent:
    """Return the intent that settles this request.

    Raises:
        RedemptionNotFound, NothingRecorded, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, NotPermitted,
        NotSettleable, NotDue, RetriesExhausted, RpcUnavailable.
    """
    settlement, proposed = await propose_settlement(request_id, context=context, contracts=contracts, keeper=keeper)
    accepted = await accept_action(request, proposed, context)
    async with context.database.write() as session:
        await accepted.record(session)
        intent = await request_settlement(
            session,
            settlement.redemption,
            chain_time=settlement.chain_time,
            window_date=settlement.window_date,
            contracts=contracts,
            keeper=keeper,
        )
    log.info(
        "settlement.requested",
        redemption_id=request_id,
        by=checksum(request.user.address),
        reason=request.reason,
        intent_id=str(intent.id),
    )
    return intent


async def propose_settlement(
    request_id: int, *, context: SigningContext, contracts: FundContracts, keeper: Address
) -> tuple[DueSettlement, ProposedAction]:
    """Return the settlement as it would be queued now, and what a person signs for it.

    Raises:
        RedemptionNotFound, NothingRecorded, RpcUnavailable.
    """
    redemption = await context.database.find(REDEMPTION, request_id=request_id)
    if redemption is None:
        raise RedemptionNotFound(f"there is no redemption request {request_id}")
    # A later block than the request was read at is safe: a due request stays due, and the contract checks again.
    if (position := await context.database.find(CHAIN_POSITION)) is None:
        raise NothingRecorded
    date = await window_date(contracts, redemption, at=position)
    call = settle_call(contracts, request_id, redemption.channel)
    content = ActionContent(
        action=ActionName.SETTLE_REDEMPTION,
        resource=f"/redemptions/{request_id}",
        statement=f"Settle redemption request {request_id}: pay {checksum(redemption.receiver)}",
        effect=payload_hash(IntentKind.SETTLE_REDEMPTION, keeper, call),
        amount=redemption.gross_amount,
    )
    settlement = DueSettlement(redemption, position.timestamp, date)
    return settlement, ProposedAction(content, Permission.SETTLE, _rejection(settlement))


def _rejection(settlement: DueSettlement) -> NotSettleable | NotDue | None:
    try:
        require_due(settlement.redemption, chain_time=settlement.chain_time, window_date=settlement.window_date)
    except (NotSettleable, NotDue) as rejection:
        return rejection
    return None
