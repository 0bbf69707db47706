"""Which use case answers which outbox row. Each reads the aggregate's present state and does what is due."""

from paimon.application.common.live import LiveMessage
from paimon.application.common.topics import FUND, RECONCILE, REDEMPTION
from paimon.application.nav.snapshots import defer_if_due, snapshot_after_events
from paimon.application.quarantine.submit_decision import CARRY_OUT_VERDICTS
from paimon.application.reconciliation.publish import compare_if_due
from paimon.application.redemptions.reactions import OBSERVE_LOCKED_NAV, observe_locked_nav, react
from paimon.application.replay.apply_decisions import carry_out_verdicts
from paimon.application.risk_control.record_findings import RISK_EVENT
from paimon.application.risk_control.triage import tell_if_open
from paimon.application.transactions.driver.driver import drive
from paimon.application.transactions.intents import DRIVE_WALLET
from paimon.application.vault.tokens import observe_tokens
from paimon.composition import House
from paimon.domain.kernel.chain import parse_address
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.queue.handler import Due, Handler


def handlers(house: House) -> dict[str, Handler[LiveMessage]]:
    """The handler of each kind of row."""

    async def on_redemption(session: WriteSession, due: Due) -> list[LiveMessage]:
        return await react(
            session,
            int(due.aggregate_id),
            events=due.payload.get("events", ()),
            policy=house.settings.approval.policy(),
            now=await database_now(session),
        )

    async def on_locked_nav(due: Due) -> None:
        await observe_locked_nav(house.database, house.contracts, int(due.aggregate_id))

    nav = house.settings.nav

    async def on_fund(_due: Due) -> None:
        await observe_tokens(house.database, house.contracts)
        await snapshot_after_events(
            house.database,
            house.contracts,
            house.redis,
            material=nav.material_bps,
            pause_seconds=nav.snapshot_pause_seconds,
        )

    async def defer_snapshot(session: WriteSession, _due: Due) -> list[LiveMessage]:
        await defer_if_due(session, FUND, pause_seconds=nav.snapshot_pause_seconds)
        return []

    async def on_reconcile(due: Due) -> None:
        since = due.payload["block"]
        await compare_if_due(house.database, house.contracts, house.redis, since=since, material=nav.material_bps)

    async def on_verdicts(_due: Due) -> None:
        await carry_out_verdicts(house.database, house.contracts)

    async def on_risk_event(session: WriteSession, due: Due) -> list[LiveMessage]:
        return await tell_if_open(session, int(due.aggregate_id))

    async def on_wallet(due: Due) -> None:
        await drive_wallet(house, due.aggregate_id)

    return {
        REDEMPTION: Handler(within=on_redemption),
        OBSERVE_LOCKED_NAV: Handler(before=on_locked_nav),
        FUND: Handler(before=on_fund, within=defer_snapshot),
        RECONCILE: Handler(before=on_reconcile),
        CARRY_OUT_VERDICTS: Handler(before=on_verdicts),
        RISK_EVENT: Handler(within=on_risk_event),
        DRIVE_WALLET: Handler(before=on_wallet),
    }


async def drive_wallet(house: House, address: str) -> None:
    """Move one wallet's transactions forward as far as they go now."""
    await drive(
        parse_address(address),
        database=house.database,
        contracts=house.contracts,
        chain=house.chain,
        signer=house.signer,
        options=house.settings.sending,
        chain_id=house.settings.chain.chain_id,
        private=house.private_rpc,
    )
