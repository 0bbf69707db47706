"""A change of a contract waits for a person's confirmation: until then nothing is signed for the contract.

The critical risk event of the change names the functions that came and went. Its resolution is the confirmation, and takes the
signature of a person who may handle risk.
"""

from collections.abc import Collection

from paimon.application.risk_control.queries import list_unresolved
from paimon.domain.deployment.contract_change import is_change_of
from paimon.domain.kernel.chain import Address
from paimon.domain.risk.risk_event import RiskKind
from paimon.infrastructure.database.sessions import WriteSession


async def find_unconfirmed_change(session: WriteSession, contracts: Collection[Address]) -> str | None:
    """Return which of these contracts changed without a confirmation, and what confirms it; None if none did."""
    for event in await list_unresolved(session, RiskKind.CONTRACT_CHANGED):
        if any(is_change_of(event.finding.subject, contract) for contract in contracts):
            return (
                f"{event.finding.subject} is another program than before, and no one has confirmed the difference: compare it"
                f" with what was announced, then resolve risk event {event.id}"
            )
    return None
