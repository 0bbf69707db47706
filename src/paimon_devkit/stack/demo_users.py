"""The demo's users: the owner of the database names ada the first super_admin, and ada signs a grant for each of the others."""

from paimon.application.common.signed_action import SignedAction
from paimon.application.common.signing_rules import SigningRules
from paimon.application.identity.signed_users import list_users
from paimon.application.identity.store import find_chain_head, insert_first_super_admin
from paimon.application.identity.submit_grant import SubmitGrant, UserChange, propose_grant, submit_grant
from paimon.domain.kernel.chain import hex0x, parse_address
from paimon.domain.user.roles import User, UserRole
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.local_key import LocalKey
from paimon.infrastructure.keys.signatures import typed_digest
from paimon_devkit.stack.accounts import ADMIN, USER_ROLES, DemoAccounts


async def name_first_super_admin(owner: Database, accounts: DemoAccounts) -> None:
    """Name ada the first super_admin, unless one is named. `owner` is open as the owner of the tables."""
    async with owner.write() as session:
        if (await find_chain_head(session)).first is None:
            await insert_first_super_admin(session, User(parse_address(accounts.address(ADMIN)), UserRole.SUPER_ADMIN, ADMIN))


async def grant_users(
    database: Database,
    accounts: DemoAccounts,
    rules: SigningRules,
) -> None:
    """Sign and store a grant for every user who lacks theirs. `database` is open as the role `cli`."""
    ada = LocalKey(bytes(accounts.account(ADMIN).key))
    async with database.read() as session:
        present = await list_users(session, rules.scope)
    for name, role in USER_ROLES.items():
        user = User(parse_address(accounts.address(name)), role, name)
        if name == ADMIN or user in present:
            continue
        change = UserChange(user.address, role, name)
        grant = await propose_grant(change, database=database, rules=rules)
        signature = await ada.sign_digest(typed_digest(grant.document(rules.scope)))
        signed = SignedAction(grant.terms, hex0x(signature.message_bytes))
        await submit_grant(SubmitGrant(change, ada.address, signed), database=database, rules=rules)
