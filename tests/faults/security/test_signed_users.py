"""A user's row counts only with the signed grant that made it: the role `user_admin` alone gives no right.

Before, the row alone was believed.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import select, text
from tests.support.api_client import ApiClient, fund_signing_rules
from tests.support.chain.fund import TestFund
from tests.support.signed_grants import grant

from paimon.application.common.signed_action import NonceUsed, SignerMismatch
from paimon.application.identity import signed_users
from paimon.application.identity.permissions import NotPermitted
from paimon.application.identity.submit_grant import SubmitGrant, submit_grant
from paimon.application.risk_control.check_users import check_users
from paimon.domain.kernel.chain import checksum, parse_address
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.domain.user.roles import UserRole
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

Write = Callable[[str, tuple[Any, ...]], None]


@pytest.fixture
def write(postgres: EmbeddedPostgres, database_name: str) -> Write:
    """Return a function that runs one statement with the role `user_admin` alone."""

    def run(statement: str, values: tuple[Any, ...] = ()) -> None:
        url = postgres.url("paimon_user_admin", database_name).replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(statement, values)

    return run


@pytest.fixture
async def as_user_admin(postgres: EmbeddedPostgres, database_name: str) -> AsyncIterator[Database]:
    url = postgres.url("paimon_user_admin", database_name)
    opened = Database(create_engine(url, pool_size=1, connect_timeout_seconds=5, application_name="tests"))
    yield opened
    await opened.close()


async def role_of(api_client: ApiClient, name: str) -> str:
    """Return the role that the API gives an account, or the error's code."""
    answer = (await api_client.get("/auth/me", by=name)).json()
    return str(answer["data"]["role"] if answer["success"] else answer["error"]["code"])


async def risk_events(database: Database) -> dict[str, tuple[str, Severity, RiskStatus]]:
    async with database.read() as session:
        rows = await session.scalars(select(RiskEventRow))
        return {row.subject: (row.kind, row.severity, row.status) for row in rows}


async def test_row_written_past_the_grants_gives_nothing_and_is_a_critical_event(
    api_client: ApiClient, database: Database, fund: TestFund, write: Write
) -> None:
    ines, willa = (parse_address(fund.accounts.address(name)) for name in ("ines", "willa"))
    write("INSERT INTO ops.users (address, role, name) VALUES (%s, 'super_admin', 'ines')", (ines,))
    write("UPDATE ops.users SET role = 'super_admin' WHERE address = %s", (willa,))
    assert await role_of(api_client, "ines") == await role_of(api_client, "willa") == "AUTH_INVALID"
    assert await role_of(api_client, "vera") == "admin"
    scope = fund_signing_rules(fund).scope
    async with database.write() as session:
        assert len(await check_users(session, scope, block=1)) == 2
    expected = (RiskKind.UNSIGNED_USER, Severity.CRITICAL)
    assert await risk_events(database) == {f"user {checksum(wallet)}": (*expected, RiskStatus.OPEN) for wallet in (ines, willa)}
    write("DELETE FROM ops.users WHERE address = %s", (ines,))
    write("UPDATE ops.users SET role = 'viewer' WHERE address = %s", (willa,))
    async with database.write() as session:
        assert await check_users(session, scope, block=1) == []
    assert {status for _, _, status in (await risk_events(database)).values()} == {RiskStatus.RESOLVED}
    assert await role_of(api_client, "willa") == "viewer"


async def test_forged_and_replayed_grants_give_nothing_and_block_no_other(
    api_client: ApiClient, database: Database, fund: TestFund, as_user_admin: Database, write: Write
) -> None:
    await grant(as_user_admin, fund, "otto", None)
    assert await role_of(api_client, "otto") == "AUTH_INVALID"
    otto = parse_address(fund.accounts.address("otto"))
    # What ada signed for otto before is played again, with a nonce and a place of its own.
    write(
        """
        INSERT INTO ops.user_grants (address, role, name, sequence, previous, granted_by, nonce, typed_data, signature,
               expires_at)
        SELECT address, role, name, (SELECT max(sequence) + 1 FROM ops.user_grants), previous, granted_by,
               decode(repeat('05', 32), 'hex'), typed_data, signature, now() + interval '1 day'
          FROM ops.user_grants WHERE address = %s AND role = 'operator'
        """,
        (otto,),
    )
    write("INSERT INTO ops.users (address, role, name) VALUES (%s, 'operator', 'otto')", (otto,))
    assert await role_of(api_client, "otto") == "AUTH_INVALID"
    async with database.write() as session:
        await check_users(session, fund_signing_rules(fund).scope, block=1)
    kinds = {kind for kind, _, _ in (await risk_events(database)).values()}
    assert kinds == {RiskKind.UNSIGNED_USER, RiskKind.UNSIGNED_GRANT}
    await grant(as_user_admin, fund, "otto", UserRole.VIEWER)
    assert await role_of(api_client, "otto") == "viewer"


async def test_grant_is_refused_unless_a_super_admin_signed_exactly_it(
    api_client: ApiClient, fund: TestFund, as_user_admin: Database
) -> None:
    with pytest.raises(NotPermitted, match="needs the role super_admin"):
        await grant(as_user_admin, fund, "ines", UserRole.SUPER_ADMIN, by="vera")
    with pytest.raises(NotPermitted, match="is not a user"):
        await grant(as_user_admin, fund, "ines", UserRole.SUPER_ADMIN, by="ines")
    with pytest.raises(SignerMismatch, match="UserGrant"):
        await grant(as_user_admin, fund, "ines", UserRole.ADMIN, signed_for=UserRole.VIEWER)
    signed = await grant(as_user_admin, fund, "ines", UserRole.VIEWER)
    ada, ines = (parse_address(fund.accounts.address(name)) for name in ("ada", "ines"))
    again = SubmitGrant(ines, UserRole.VIEWER, "ines", ada, signed)
    with pytest.raises(NonceUsed):
        await submit_grant(again, database=as_user_admin, rules=fund_signing_rules(fund))
    assert await role_of(api_client, "ines") == "viewer"


async def test_first_super_admin_is_the_owners_to_name(
    api_client: ApiClient, database: Database, fund: TestFund, write: Write
) -> None:
    ines = parse_address(fund.accounts.address("ines"))
    insert = "INSERT INTO ops.first_super_admins (address, name) VALUES (%s, 'ines')"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        write(insert, (ines,))
    async with database.write() as session:  # as the owner of the tables may
        await session.execute(text("INSERT INTO ops.first_super_admins (address, name) VALUES (:ines, 'ines')"), {"ines": ines})
    assert await role_of(api_client, "vera") == "AUTH_INVALID", "the former chain still counts"


async def test_requests_verify_no_signature_again(api_client: ApiClient) -> None:
    await role_of(api_client, "vera")
    before: Final = signed_users._recover.cache_info()
    for name in ("vera", "otto", "willa", "ada"):
        assert await role_of(api_client, name) != "AUTH_INVALID"
    assert signed_users._recover.cache_info() == before
