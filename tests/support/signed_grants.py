"""Submit grants of users in tests, signed by one of the demo's accounts."""

from dataclasses import replace

from tests.support.api_client import fund_signing_rules
from tests.support.chain.fund import TestFund

from paimon.application.common.signed_action import SignedAction
from paimon.application.identity.submit_grant import SubmitGrant, UserChange, propose_grant, submit_grant
from paimon.domain.kernel.chain import Address, parse_address
from paimon.domain.user.roles import Permission, UserRole
from paimon.infrastructure.database.sessions import Database


async def grant(
    database: Database,
    fund: TestFund,
    name: str,
    role: UserRole | None,
    *,
    by: str = "ada",
    signed_for: UserRole | None = None,
    address: Address | None = None,
    **exceptions: frozenset[Permission],
) -> SignedAction:
    """Submit a grant for an account, signed by another one; `signed_for` is the role in what is signed, if another.

    `address` is the user's, if the name is no account's.
    """
    rules = fund_signing_rules(fund)
    user = address or parse_address(fund.accounts.address(name))
    change = UserChange(user, role, name, **exceptions)
    unsigned = await propose_grant(replace(change, role=signed_for or role), database=database, rules=rules)
    signature = fund.accounts.account(by).sign_typed_data(full_message=unsigned.document(rules.scope)).signature
    signed = SignedAction(unsigned.terms, "0x" + signature.hex().removeprefix("0x"))
    signer = parse_address(fund.accounts.address(by))
    await submit_grant(SubmitGrant(change, signer, signed), database=database, rules=rules)
    return signed
