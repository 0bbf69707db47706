"""Bring everything that depends on a redemption up to date with its state.

Level-triggered: the request's present state decides, not the event, so a repeated or late call does no harm.

    awaits approval, has no ticket       → open the ticket
    ticket open, the chain has decided   → close the ticket with the outcome on chain
    locked NAV not recorded              → queue the message that reads it
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog

from paimon.application.approval_workflow.open_ticket import adopt_chain_outcome, open_ticket_if_needed
from paimon.application.common.chain_position import chain_position
from paimon.application.common.live import LiveMessage
from paimon.application.common.recorded_block import lock_recorded_block
from paimon.application.redemptions.store import find_redemption, has_locked_nav, insert_locked_nav
from paimon.domain.approval.policy import ApprovalPolicy
from paimon.domain.operations.outbox import OutboxPriority
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)

OBSERVE_LOCKED_NAV: Final = "observe_locked_nav"
"""Kind of the outbox message that has a request's locked NAV read."""

_CHANNELS: Final = {"RedemptionRequested": "redemption:new", "RedemptionSettled": "redemption:settled"}


async def handle_redemption(
    session: WriteSession, request_id: int, *, events: Sequence[str], policy: ApprovalPolicy, now: datetime
) -> list[LiveMessage]:
    """Do what the request's present state requires; return the live messages to publish after the commit."""
    redemption = await find_redemption(session, request_id)
    if redemption is None:
        # Its event is quarantined: there is nothing to act on, and the operator sees the quarantine.
        log.warning("redemption.unknown", redemption_id=request_id)
        return []
    messages = [LiveMessage(channel, redemption) for event, channel in _CHANNELS.items() if event in events]
    if (opened := await open_ticket_if_needed(session, redemption, policy, now=now)) is not None:
        messages.append(LiveMessage("approval:new", opened))
    if (closed := await adopt_chain_outcome(session, redemption, now=now)) is not None:
        messages.append(LiveMessage("approval:resolved", closed))
    if not await has_locked_nav(session, request_id):
        await outbox.add(session, OBSERVE_LOCKED_NAV, str(request_id), priority=OutboxPriority.NORMAL)
    return messages


async def observe_locked_nav(database: Database, contracts: FundContracts, request_id: int) -> None:
    """Read and record the NAV the request was locked at. No event carries it, and it never changes: one reading is enough."""
    async with database.read() as session:
        at = await chain_position(session)
        known = await has_locked_nav(session, request_id)
    if at is None or known:
        return
    request = await contracts.read_one(contracts.redemption_manager.request(request_id), at=at)
    async with database.write() as session:
        if not await lock_recorded_block(session, at):
            return
        await insert_locked_nav(session, request_id, request.locked_nav, at=at)
    log.info("redemption.locked_nav_observed", redemption_id=request_id, block=at.number)
