"""Handlers of outbox messages: one use case for each kind of message.

A handler acts on the aggregate's present state, so order and repetition do no harm.
"""

from uuid import UUID

from paimon.application.approval_policy.publications import get_current_policy
from paimon.application.approval_tickets.plan_tickets import PLAN_TICKET
from paimon.application.approval_tickets.store import get_ticket
from paimon.application.common.live import LiveMessage
from paimon.application.common.topics import CONTRACTS, FUND, RECONCILE, REDEMPTION
from paimon.application.deployment.examine import examine_contracts
from paimon.application.emergency.advance import EMERGENCY
from paimon.application.emergency.store import get_emergency
from paimon.application.nav.snapshots import defer_if_due, snapshot_after_events
from paimon.application.quarantine.submit_decision import APPLY_QUARANTINE_DECISIONS
from paimon.application.rebalance_engine.conclude import REBALANCE
from paimon.application.rebalance_engine.queries import get_rebalance
from paimon.application.rebalance_engine.report_deviation import report_deviation
from paimon.application.reconciliation.publish import reconcile_if_due
from paimon.application.redemptions.handle_redemption import OBSERVE_LOCKED_NAV, handle_redemption, observe_locked_nav
from paimon.application.replay.apply_decisions import apply_quarantine_decisions
from paimon.application.risk_control.record_findings import RISK_EVENT
from paimon.application.risk_control.triage import alert_if_open
from paimon.application.transactions.driver.driver import drive
from paimon.application.transactions.intents import DRIVE_WALLET
from paimon.application.vault.tokens import observe_tokens
from paimon.composition import AppContext
from paimon.domain.kernel.chain import parse_address
from paimon.gateway.fund_documents import FundDocuments
from paimon.gateway.tasks.fund_risk import assess_fund_risk
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.queue.handler import DueMessage, Handler


def handlers(context: AppContext) -> dict[str, Handler[LiveMessage]]:
    """Return the handler of each kind of message."""

    async def on_redemption(session: WriteSession, message: DueMessage) -> list[LiveMessage]:
        return await handle_redemption(
            session,
            int(message.aggregate_id),
            events=message.payload.get("events", ()),
            policy=await get_current_policy(session, context.signing_rules.scope),
            now=await database_now(session),
        )

    async def on_locked_nav(message: DueMessage) -> None:
        await observe_locked_nav(context.database, context.contracts, int(message.aggregate_id))

    nav = context.settings.nav
    documents = FundDocuments(context.database, context.redis)

    async def on_fund(_message: DueMessage) -> None:
        await observe_tokens(context.database, context.contracts)
        await snapshot_after_events(
            context.database,
            context.contracts,
            documents,
            context.redis.client,
            material_threshold=nav.material_threshold_bps,
            prices=context.settings.prices.policy(),
            pause_seconds=nav.snapshot_pause_seconds,
        )
        await assess_fund_risk(context, only_if_due=False)

    async def defer_snapshot(session: WriteSession, _message: DueMessage) -> list[LiveMessage]:
        await defer_if_due(session, FUND, pause_seconds=nav.snapshot_pause_seconds)
        return []

    async def on_reconcile(message: DueMessage) -> None:
        since = message.payload["block"]
        await reconcile_if_due(
            context.database, context.contracts, documents, since=since, material_threshold=nav.material_threshold_bps
        )

    async def on_contracts(_message: DueMessage) -> None:
        await examine_contracts(context.database, context.contracts)

    async def on_quarantine_decisions(_message: DueMessage) -> None:
        await apply_quarantine_decisions(context.database, context.contracts)

    async def on_risk_event(session: WriteSession, message: DueMessage) -> list[LiveMessage]:
        return await alert_if_open(session, int(message.aggregate_id))

    async def on_plan_ticket(session: WriteSession, message: DueMessage) -> list[LiveMessage]:
        ticket = await get_ticket(session, message.aggregate_id)
        return [LiveMessage("approval:new" if ticket.is_open else "approval:resolved", ticket)]

    async def on_rebalance(session: WriteSession, message: DueMessage) -> list[LiveMessage]:
        record = await get_rebalance(session, UUID(message.aggregate_id))
        await report_deviation(session, record)
        return [LiveMessage("rebalance:executed", record)]

    async def on_emergency(session: WriteSession, message: DueMessage) -> list[LiveMessage]:
        return [LiveMessage("risk:emergency", (await get_emergency(session, int(message.aggregate_id))).emergency)]

    async def on_wallet(message: DueMessage) -> None:
        await drive_wallet(context, message.aggregate_id)

    return {
        REDEMPTION: Handler(apply=on_redemption),
        OBSERVE_LOCKED_NAV: Handler(prepare=on_locked_nav),
        FUND: Handler(prepare=on_fund, apply=defer_snapshot),
        RECONCILE: Handler(prepare=on_reconcile),
        CONTRACTS: Handler(prepare=on_contracts),
        APPLY_QUARANTINE_DECISIONS: Handler(prepare=on_quarantine_decisions),
        RISK_EVENT: Handler(apply=on_risk_event),
        PLAN_TICKET: Handler(apply=on_plan_ticket),
        REBALANCE: Handler(apply=on_rebalance),
        EMERGENCY: Handler(apply=on_emergency),
        DRIVE_WALLET: Handler(prepare=on_wallet),
    }


async def drive_wallet(context: AppContext, address: str) -> None:
    """Advance the transactions of one wallet as far as possible now."""
    await drive(parse_address(address), context.new_sending_context())
