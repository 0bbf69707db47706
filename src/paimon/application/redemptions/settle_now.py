"""An operator asks for one settlement now, rather than at the next sweep. What is due stays the chain's to say."""

import structlog

from paimon.application.common.chain_position import CHAIN_POSITION
from paimon.application.redemptions.queries import RedemptionNotFound
from paimon.application.redemptions.settlement import request_settlement, window_date
from paimon.application.redemptions.store import REDEMPTION
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.user.roles import User
from paimon.errors import Unavailable
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.sessions import Database

log = structlog.get_logger(__name__)


class NothingRecorded(Unavailable):
    """The listener has not recorded a block yet, so the chain's time is not known here."""


async def settle_request_now(
    request_id: int, *, by: User, database: Database, contracts: FundContracts, keeper: Address
) -> IntentRow:
    """The intent that settles this request.

    Raises:
        RedemptionNotFound, NothingRecorded, NotSettleable, NotDue, RetriesExhausted, RpcUnavailable.
    """
    redemption = await database.find(REDEMPTION, request_id=request_id)
    if redemption is None:
        raise RedemptionNotFound(f"there is no redemption request {request_id}")
    # A later block than the request was read at does no harm: what is due stays due, and the contract has the last word.
    if (here := await database.find(CHAIN_POSITION)) is None:
        raise NothingRecorded(NothingRecorded.__doc__)
    date = await window_date(contracts, redemption, at=here)
    async with database.write() as session:
        intent = await request_settlement(
            session, redemption, chain_time=here.timestamp, window_date=date, contracts=contracts, keeper=keeper
        )
    log.info("settlement.requested", redemption_id=request_id, by=checksum(by.address), intent_id=str(intent.id))
    return intent
