"""Check the stored versions of the approval policy: who published each, and the version in force against the settings of now.

One that no one may have published is a critical risk event. The version in force was checked as it was published; a limit of
the hot key that was raised afterwards may have made a rule of it one that only this system keeps.
"""

import structlog

from paimon.application.approval_policy.publications import get_current_policy, list_unsigned_versions
from paimon.application.risk_control.record_findings import record_facts
from paimon.domain.approval.policy_check import PolicyBounds, check_policy
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

log = structlog.get_logger(__name__)


async def check_versions(session: WriteSession, scope: SigningScope, *, block: int) -> list[Finding]:
    """Record each version that counts for nothing as a critical risk event, and return it. The row stays as evidence."""
    unsigned = [
        Finding(RiskKind.UNSIGNED_POLICY, f"policy version {stored.version}", fault, "signed", Severity.CRITICAL)
        for stored, fault in await list_unsigned_versions(session, scope)
    ]
    await record_facts(session, unsigned, block=block)
    return unsigned


async def list_faults(session: ReadSession | WriteSession, scope: SigningScope, bounds: PolicyBounds) -> list[str]:
    """Return what is wrong with the version in force, in one sentence each."""
    policy = await get_current_policy(session, scope)
    return [f"{found.fault}: policy {policy.version}: {found.message}" for found in check_policy(policy, bounds)]


async def log_faults(session: ReadSession | WriteSession, scope: SigningScope, bounds: PolicyBounds) -> None:
    """Log each fault of the version in force as an error."""
    for fault in await list_faults(session, scope, bounds):
        log.error("policy.faulty", reason=fault)
