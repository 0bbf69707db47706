"""What the node does not tell of an intent, for minutes on end: a risk event, until it tells or the intent ends.

It may have happened on chain or not, and nothing waits behind it, so that nobody would come upon it by themselves.
"""

from datetime import datetime

from sqlalchemy import select

from paimon.application.risk_control.queries import list_unresolved
from paimon.application.risk_control.record_findings import record_check_result
from paimon.domain.kernel.chain import Address
from paimon.domain.risk.risk_event import (
    EFFECT_UNKNOWN_AFTER,
    Finding,
    RiskKind,
    effect_unknown_finding,
    effect_unknown_subject,
)
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.sessions import WriteSession


async def record_unknown_effects(session: WriteSession, wallet: Address, *, now: datetime, block: int) -> None:
    """Open and end the events of this wallet's intents. The caller holds the wallet's lock."""
    query = select(IntentRow).where(
        IntentRow.wallet == wallet,
        IntentRow.closed_at.is_(None),
        IntentRow.unknown_since <= now - EFFECT_UNKNOWN_AFTER,
    )
    found: dict[str, Finding] = {}
    for intent in await session.scalars(query):
        finding = effect_unknown_finding(intent.idempotency_key, wallet, intent.reason or "")
        found[finding.subject] = finding
    open_before = [each.finding.subject for each in await list_unresolved(session, RiskKind.EFFECT_UNKNOWN)]
    ours = [each for each in open_before if each.endswith(effect_unknown_subject("", wallet))]
    for subject in dict.fromkeys([*ours, *found]):
        await record_check_result(session, RiskKind.EFFECT_UNKNOWN, subject, found.get(subject), block=block)
