"""Open a risk event for an intent whose effect the node has not reported for minutes.

The event is resolved when the node reports the effect, or when the intent ends.

The effect may have happened or not. Nothing waits behind the intent, so that no other step would notice it.
"""

from datetime import datetime

from paimon.application.risk_control.queries import list_unresolved
from paimon.application.risk_control.record_findings import record_check_result
from paimon.application.transactions.store import list_unknown
from paimon.domain.kernel.chain import Address
from paimon.domain.risk.risk_event import (
    EFFECT_UNKNOWN_AFTER,
    Finding,
    RiskKind,
    effect_unknown_finding,
    effect_unknown_subject,
)
from paimon.infrastructure.database.sessions import WriteSession


async def record_unknown_effects(session: WriteSession, wallet: Address, *, now: datetime, block: int) -> None:
    """Open and end the risk events of this wallet's intents. The caller holds the wallet's lock."""
    found: dict[str, Finding] = {}
    for intent in await list_unknown(session, wallet, since=now - EFFECT_UNKNOWN_AFTER):
        finding = effect_unknown_finding(intent.idempotency_key, wallet, intent.reason or "")
        found[finding.subject] = finding
    open_before = [event.finding.subject for event in await list_unresolved(session, RiskKind.EFFECT_UNKNOWN)]
    of_wallet = [subject for subject in open_before if subject.endswith(effect_unknown_subject("", wallet))]
    for subject in dict.fromkeys([*of_wallet, *found]):
        await record_check_result(session, RiskKind.EFFECT_UNKNOWN, subject, found.get(subject), block=block)
