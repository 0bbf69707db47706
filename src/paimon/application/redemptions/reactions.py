"""What a redemption's new state makes due. Level-triggered: the request's present state decides, not the event.

awaiting approval, no ticket yet   → raise the ticket
ticket open, the chain has decided → close the ticket with what the chain shows
`lockedNav` not yet read           → have it read
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert

from paimon.application.approval_workflow.open_ticket import adopt_chain_outcome, open_ticket_if_needed
from paimon.application.common.chain_position import chain_position
from paimon.application.common.live import LiveMessage
from paimon.application.common.recorded_block import lock_recorded_block
from paimon.application.redemptions.store import find_redemption
from paimon.domain.approval.ticket import ApprovalPolicy, Ticket
from paimon.domain.kernel.chain import checksum
from paimon.domain.redemption.request import Redemption
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.models.derived import ObservationRow
from paimon.infrastructure.database.models.ops.outbox import OutboxPriority
from paimon.infrastructure.database.sessions import Database, ReadSession, WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)

LOCKED_NAV: Final = "locked_nav"
OBSERVE_LOCKED_NAV: Final = "observe_locked_nav"


async def react(
    session: WriteSession, request_id: int, *, events: Sequence[str], policy: ApprovalPolicy, now: datetime
) -> list[LiveMessage]:
    """Do what the request's present state makes due; the live messages to publish once that is committed."""
    redemption = await find_redemption(session, request_id)
    if redemption is None:
        # Its event was quarantined: there is nothing to act on, and the quarantine is what an operator sees.
        log.warning("redemption.unknown", redemption_id=request_id)
        return []
    messages = [LiveMessage(channel, _present(redemption)) for event, channel in _CHANNELS.items() if event in events]
    if (raised := await open_ticket_if_needed(session, redemption, policy, now=now)) is not None:
        messages.append(LiveMessage("approval:new", _present_ticket(raised)))
    if (closed := await adopt_chain_outcome(session, redemption, now=now)) is not None:
        messages.append(LiveMessage("approval:resolved", _present_ticket(closed)))
    if not await _nav_is_known(session, request_id):
        await outbox.add(session, OBSERVE_LOCKED_NAV, str(request_id), priority=OutboxPriority.NORMAL)
    return messages


_CHANNELS: Final = {"RedemptionRequested": "redemption:new", "RedemptionSettled": "redemption:settled"}


async def _nav_is_known(session: ReadSession | WriteSession, request_id: int) -> bool:
    known = exists().where(ObservationRow.kind == LOCKED_NAV, ObservationRow.subject == str(request_id))
    return bool((await session.execute(select(known))).scalar())


async def observe_locked_nav(database: Database, contracts: FundContracts, request_id: int) -> None:
    """Read and store the NAV the request was locked at, which no event carries. It never changes: one reading is enough."""
    async with database.read() as session:
        at = await chain_position(session)
        known = await _nav_is_known(session, request_id)
    if at is None or known:
        return
    request = await contracts.redemption_request(request_id, at=at)
    async with database.write() as session:
        if not await lock_recorded_block(session, at):
            return
        await session.execute(
            insert(ObservationRow)
            .values(
                kind=LOCKED_NAV,
                subject=str(request_id),
                block_number=at.number,
                block_hash=at.hash,
                block_timestamp=at.timestamp,
                data={"lockedNav": str(request["lockedNav"])},
            )
            .on_conflict_do_nothing()
        )
    log.info("redemption.locked_nav_observed", redemption_id=request_id, block=at.number)


def _present(redemption: Redemption) -> dict[str, Any]:
    return {
        "requestId": str(redemption.request_id),
        "owner": checksum(redemption.owner),
        "receiver": checksum(redemption.receiver),
        "shares": str(redemption.shares),
        "grossAmount": str(redemption.gross_amount),
        "channel": redemption.channel.value,
        "status": redemption.status.value,
        "requiresApproval": redemption.requires_approval,
        "settledNetAmount": None if redemption.settled_net_amount is None else str(redemption.settled_net_amount),
    }


def _present_ticket(ticket: Ticket) -> dict[str, Any]:
    return {
        "ticketId": ticket.id,
        "type": ticket.type.value,
        "requestId": str(ticket.request_id),
        "grossAmount": str(ticket.gross_amount),
        "status": ticket.status.value,
        "deadlineAt": ticket.deadline_at.isoformat().replace("+00:00", "Z"),
        "decidedExternally": ticket.decided_externally,
    }
