"""Verify the stored versions of the approval policy: one that no one may have published is a critical risk event."""

from paimon.application.approval_policy.publications import list_unsigned_versions
from paimon.application.risk_control.record_findings import record_facts
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity
from paimon.infrastructure.database.sessions import WriteSession


async def check_versions(session: WriteSession, scope: SigningScope, *, block: int) -> list[Finding]:
    """Record each version that counts for nothing as a critical risk event, and return it. The row stays as evidence."""
    unsigned = [
        Finding(RiskKind.UNSIGNED_POLICY, f"policy version {stored.version}", fault, "signed", Severity.CRITICAL)
        for stored, fault in await list_unsigned_versions(session, scope)
    ]
    await record_facts(session, unsigned, block=block)
    return unsigned
