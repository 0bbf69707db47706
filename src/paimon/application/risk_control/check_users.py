"""Compare the rows of users with the signed grants: an unsigned row gives no right, and is a critical risk event."""

from paimon.application.identity.signed_users import confirmed, load_chain
from paimon.application.identity.store import list_user_rows
from paimon.application.risk_control.record_findings import record_check_results, record_facts
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity
from paimon.infrastructure.database.sessions import WriteSession


async def check_users(session: WriteSession, scope: SigningScope, *, block: int) -> list[Finding]:
    """Compare every row with the grants, record what does not fit as critical risk events, and return it.

    An unsigned row is a finding until it is gone. A grant that does not fit stays, so it is recorded once.
    """
    chain = await load_chain(session, scope)
    unsigned = [
        Finding(
            RiskKind.UNSIGNED_USER,
            f"user {checksum(user.address)}",
            user.role,
            chain.users[user.address].role if user.address in chain.users else "no signed grant",
            Severity.CRITICAL,
        )
        for user in await list_user_rows(session)
        if confirmed(user, chain) is None
    ]
    rejected = [
        Finding(
            RiskKind.UNSIGNED_GRANT, f"grant {grant.id} to {checksum(grant.user)}", grant.reason, "signed", Severity.CRITICAL
        )
        for grant in chain.rejected
    ]
    await record_check_results(session, RiskKind.UNSIGNED_USER, unsigned, block=block)
    await record_facts(session, rejected, block=block)
    return [*unsigned, *rejected]
