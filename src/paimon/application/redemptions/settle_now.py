"""Settle one request now on an operator's request, before the next sweep. The chain still decides whether it is due."""

import structlog

from paimon.application.common.chain_position import CHAIN_POSITION, NothingRecorded
from paimon.application.redemptions.queries import RedemptionNotFound
from paimon.application.redemptions.settlement import request_settlement, window_date
from paimon.application.redemptions.store import REDEMPTION
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.transaction.intent import Intent
from paimon.domain.user.roles import User
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.sessions import Database

log = structlog.get_logger(__name__)


async def settle_request_now(
    request_id: int, *, by: User, database: Database, contracts: FundContracts, keeper: Address
) -> Intent:
    """Return the intent that settles this request.

    Raises:
        RedemptionNotFound, NothingRecorded, NotSettleable, NotDue, RetriesExhausted, RpcUnavailable.
    """
    redemption = await database.find(REDEMPTION, request_id=request_id)
    if redemption is None:
        raise RedemptionNotFound(f"there is no redemption request {request_id}")
    # A later block than the request was read at is safe: a due request stays due, and the contract checks again.
    if (position := await database.find(CHAIN_POSITION)) is None:
        raise NothingRecorded
    date = await window_date(contracts, redemption, at=position)
    async with database.write() as session:
        intent = await request_settlement(
            session, redemption, chain_time=position.timestamp, window_date=date, contracts=contracts, keeper=keeper
        )
    log.info("settlement.requested", redemption_id=request_id, by=checksum(by.address), intent_id=str(intent.id))
    return intent
