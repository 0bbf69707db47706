"""Verify the stored grants of users: one that does not fit the chain gives no right, and is a critical risk event."""

from paimon.application.identity.signed_users import load_chain
from paimon.application.risk_control.record_findings import record_facts
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity
from paimon.infrastructure.database.sessions import WriteSession


async def check_users(session: WriteSession, scope: SigningScope, *, block: int) -> list[Finding]:
    """Record each grant that does not fit as a critical risk event, once since it stays, and return all of them."""
    rejected = [
        Finding(
            RiskKind.UNSIGNED_GRANT, f"grant {grant.id} to {checksum(grant.user)}", grant.reason, "signed", Severity.CRITICAL
        )
        for grant in (await load_chain(session, scope)).rejected
    ]
    await record_facts(session, rejected, block=block)
    return rejected
