"""The dry run: what this plan would need, and what it would do. Nothing is written, and nothing is reserved."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from paimon.application.transactions.plans.calls import WantedPlan, read_calls
from paimon.application.transactions.plans.context import PlanDesk
from paimon.application.transactions.plans.idempotency import find_known
from paimon.application.transactions.plans.select_wallet import Valued, value_calls, weigh
from paimon.application.transactions.plans.simulate import Simulated, simulate
from paimon.domain.kernel.chain import Hash32
from paimon.domain.transaction.plan import PlanOrder, payload_hash, plan_document
from paimon.domain.transaction.wallet_selection import Choice
from paimon.infrastructure.database.clock import database_now


@dataclass(frozen=True, slots=True)
class Preview:
    """`simulated` and `document`, what to sign to have it carried out so, are there when a wallet may do it."""

    choice: Choice
    valued: Valued
    simulated: list[Simulated]
    document: dict[str, Any] | None
    expires_at: datetime


async def preview_plan(wanted: WantedPlan, desk: PlanDesk) -> Preview:
    """Raises BadPlan, PayloadConflict, RpcUnavailable, RpcError."""
    calls = read_calls(wanted.calls, desk.contracts)
    valued = await value_calls(calls, desk)
    async with desk.database.read() as session:
        await find_known(session, wanted.key, payload_hash(wanted.plan, [each.step.call for each in calls]))
        choice = await weigh(session, desk, wanted.plan, valued)
        now = await database_now(session)
    expires_at = now.replace(microsecond=0) + timedelta(seconds=desk.signature_ttl_seconds_max)
    if choice.wallet is None or (sender := desk.address(choice.wallet)) is None:
        return Preview(choice, valued, [], None, expires_at)
    order = PlanOrder(
        wanted.key, wanted.plan, tuple(each.step for each in valued.calls), choice.wallet, choice.amount, wanted.reason
    )
    document = plan_document(order, nonce=Hash32(secrets.token_bytes(32)), expires_at=expires_at, scope=desk.scope)
    return Preview(choice, valued, await simulate(valued, sender, desk.contracts), document, expires_at)
