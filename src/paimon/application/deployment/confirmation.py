"""A change of a contract waits for a person's confirmation: until then nothing is signed for the fund.

The critical risk event of the change names the functions that came and went. Its resolution is the confirmation. That the row
says RESOLVED confirms nothing: the signature of a person who may administer the fund does, over exactly this event. It is
verified each time that something is to be signed. A resolution without it is undone, so that a person can resolve the event.

The fund's contracts move its money together, so a change of one holds the calls of all.
"""

from collections.abc import Collection

import structlog

from paimon.application.common.signed_action_store import list_stored
from paimon.application.common.stored_signature import StoredAction, find_signer
from paimon.application.identity.signed_users import list_past_holders
from paimon.application.risk_control.queries import list_all
from paimon.application.risk_control.record_findings import reopen_events
from paimon.application.risk_control.store import lock_findings
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.kernel.signed_action import ActionName
from paimon.domain.operations.refusals import UnsignedRow
from paimon.domain.risk.resolution import resolution_content, resolution_permission
from paimon.domain.risk.risk_event import RiskEvent, RiskKind, RiskStatus
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.observability.metrics import UNSIGNED_ROWS

log = structlog.get_logger(__name__)


async def find_unconfirmed_change(session: WriteSession, scope: SigningScope) -> str | None:
    """Return which contract changed without a confirmation, and what confirms it; None if none did."""
    for event in await _list_unconfirmed(session, scope):
        return (
            f"{event.finding.subject} is another program than before, and no administrator has confirmed the difference:"
            f" compare it with what was announced, then resolve risk event {event.id}"
        )
    return None


async def undo_unsigned_confirmations(session: WriteSession, scope: SigningScope) -> list[RiskEvent]:
    """Open each event again that was resolved without an administrator's signature, alert, and return these events."""
    await lock_findings(session)
    unsigned = [event for event in await _list_unconfirmed(session, scope) if event.status is RiskStatus.RESOLVED]
    for event in unsigned:
        log.critical("contract_change.not_signed", event_id=event.id, subject=event.finding.subject)
        UNSIGNED_ROWS.labels(UnsignedRow.CONFIRMATION).inc()
    return await reopen_events(session, unsigned)


async def _list_unconfirmed(session: WriteSession, scope: SigningScope) -> list[RiskEvent]:
    """List the changes that no one has confirmed, those that are resolved in the database's words only too, oldest first."""
    events = await list_all(session, RiskKind.CONTRACT_CHANGED)
    resolved = [event for event in events if event.status is RiskStatus.RESOLVED]
    if not resolved:
        return events
    resources = [resolution_content(event).resource for event in resolved]
    stored = await list_stored(session, ActionName.RESOLVE_RISK_EVENT, resources)
    people = await list_past_holders(session, resolution_permission(RiskKind.CONTRACT_CHANGED), scope)
    confirmed = {event.id for event in resolved if _is_signed(event, stored[resolution_content(event).resource], people, scope)}
    return [event for event in events if event.id not in confirmed]


def _is_signed(event: RiskEvent, stored: Collection[StoredAction], people: Collection[Address], scope: SigningScope) -> bool:
    """Report whether one of these people signed that exactly this event is resolved."""
    return any(find_signer(action, resolution_content(event), scope) in people for action in stored)
