"""Who can sign now: the owners of each Safe, and the voters of each group of the policy in force."""

from paimon.application.approval_policy.publications import get_current_policy
from paimon.application.approval_tickets.stand_ins import find_pairs
from paimon.application.identity.session_store import list_last_seen
from paimon.application.identity.signed_users import list_users
from paimon.application.identity.store import list_chain_roles_of
from paimon.application.transactions.multisig.context import SafeContext
from paimon.application.transactions.multisig.queries import list_safes
from paimon.domain.approval.readiness import People, SignerGroup, safe_group, voter_groups
from paimon.domain.kernel.eip712 import SigningScope
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import ReadSession


async def list_signer_groups(session: ReadSession, context: SafeContext, scope: SigningScope) -> list[SignerGroup]:
    """List the Safes' owners, then the groups of voters in the order of the policy's rules."""
    users = {user.address: user for user in await list_users(session, scope)}
    pairs = await find_pairs(session, scope, await database_now(session))
    people = People(users, await list_chain_roles_of(session, users), await list_last_seen(session), pairs)
    safes = [safe_group(safe.name, safe.owners, safe.threshold, people) for safe in await list_safes(session, context)]
    return [*safes, *voter_groups(await get_current_policy(session, scope), people)]
