"""Users are what signed grants make them: the role of the API, which adds grants, makes no one anything by itself.

At first a row of users alone was believed; then a role of its own wrote it, and no one could be added over the API.
"""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import select, text
from tests.support.api_client import ApiClient, fund_signing_rules
from tests.support.chain.fund import TestFund
from tests.support.signed_grants import grant

from paimon.application.common.signed_action import NonceUsed, SignerMismatch
from paimon.application.identity import signed_users
from paimon.application.identity import submit_grant as submit_grant_module
from paimon.application.identity.permissions import NotPermitted
from paimon.application.identity.store import insert_grant
from paimon.application.identity.submit_grant import SubmitGrant, UserChange, submit_grant
from paimon.application.risk_control.check_users import check_users
from paimon.domain.kernel.chain import Hash32, parse_address
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.domain.user.grants import GrantChain
from paimon.domain.user.roles import User, UserRole
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

Write = Callable[[str, tuple[Any, ...]], None]


@pytest.fixture
def write(postgres: EmbeddedPostgres, database_name: str) -> Write:
    """Return a function that runs one statement with the role of the API alone."""

    def run(statement: str, values: tuple[Any, ...] = ()) -> None:
        url = postgres.url("paimon_api", database_name).replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(statement, values)

    return run


@pytest.fixture
async def as_api(postgres: EmbeddedPostgres, database_name: str) -> AsyncIterator[Database]:
    url = postgres.url("paimon_api", database_name)
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


COLUMNS: Final = "address, role, name, sequence, previous, granted_by, nonce, typed_data, signature, expires_at"
PLAYED_AGAIN: Final = f"""
    INSERT INTO ops.user_grants ({COLUMNS})
    SELECT address, role, name, (SELECT max(sequence) + 1 FROM ops.user_grants), previous, granted_by,
           decode(repeat('05', 32), 'hex'), typed_data, signature, now() + interval '1 day'
      FROM ops.user_grants WHERE address = %s AND role = 'operator'
"""


async def test_forged_and_replayed_grants_give_nothing_and_block_no_other(
    api_client: ApiClient, database: Database, fund: TestFund, as_api: Database, write: Write
) -> None:
    await grant(as_api, fund, "otto", None)
    assert await role_of(api_client, "otto") == "AUTH_INVALID"
    otto, ines, ada = (parse_address(fund.accounts.address(name)) for name in ("otto", "ines", "ada"))
    write(PLAYED_AGAIN, (otto,))
    write(
        f"""
        INSERT INTO ops.user_grants ({COLUMNS})
        SELECT %s, 'super_admin', 'ines', max(sequence) + 1, '\\x{bytes(32).hex()}', %s, decode(repeat('06', 32), 'hex'),
               '{{}}', decode(repeat('07', 65), 'hex'), now() + interval '1 day' FROM ops.user_grants
        """,
        (ines, ada),
    )
    assert await role_of(api_client, "otto") == await role_of(api_client, "ines") == "AUTH_INVALID"
    assert await role_of(api_client, "vera") == "admin"
    async with database.write() as session:
        assert len(await check_users(session, fund_signing_rules(fund).scope, block=1)) == 2
    expected = (RiskKind.UNSIGNED_GRANT, Severity.CRITICAL, RiskStatus.OPEN)
    assert list((await risk_events(database)).values()) == [expected] * 2
    await grant(as_api, fund, "otto", UserRole.VIEWER)
    assert await role_of(api_client, "otto") == "viewer"


async def test_expired_grant_is_not_added_later(api_client: ApiClient, fund: TestFund, write: Write) -> None:
    """Who has the API's role, and a grant that a super_admin signed and did not send, cannot date it back."""
    rules = fund_signing_rules(fund)
    ada, ines = (parse_address(fund.accounts.address(name)) for name in ("ada", "ines"))
    before = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    terms = SignatureTerms(Hash32(bytes([9]) * 32), before)
    chain = GrantChain(User(ada, UserRole.SUPER_ADMIN, "ada"))
    found = fund.accounts.account("ada").sign_typed_data(
        full_message=chain.next_grant(ines, UserRole.ADMIN, "ines", terms).document(rules.scope)
    )
    values = (ines, "admin", "ines", 1, bytes(32), ada, terms.nonce, "{}", bytes(found.signature), before)
    places = ", ".join(["%s"] * len(values))
    with pytest.raises(psycopg.errors.CheckViolation, match="granted_in_time"):
        write(f"INSERT INTO ops.user_grants ({COLUMNS}) VALUES ({places})", values)
    dated = f"INSERT INTO ops.user_grants ({COLUMNS}, granted_at) VALUES ({places}, %s)"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        write(dated, (*values, before))
    assert await role_of(api_client, "ines") == "AUTH_INVALID"


async def test_grant_that_commits_after_a_forged_later_one_counts_at_once(
    api_client: ApiClient, fund: TestFund, as_api: Database, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The forged one has the newest number, so the head's last grant stays the same when the removal commits."""
    otto = parse_address(fund.accounts.address("otto"))
    roles: list[str] = []

    async def insert_then_forge(*arguments: Any) -> None:
        await insert_grant(*arguments)
        write(PLAYED_AGAIN, (otto,))
        roles.append(await role_of(api_client, "otto"))

    monkeypatch.setattr(submit_grant_module, "insert_grant", insert_then_forge)
    await grant(as_api, fund, "otto", None)
    assert [*roles, await role_of(api_client, "otto")] == ["operator", "AUTH_INVALID"]


async def test_grant_is_refused_unless_a_super_admin_signed_exactly_it(
    api_client: ApiClient, fund: TestFund, as_api: Database
) -> None:
    with pytest.raises(NotPermitted, match="needs the role super_admin"):
        await grant(as_api, fund, "ines", UserRole.SUPER_ADMIN, by="vera")
    with pytest.raises(NotPermitted, match="is not a user"):
        await grant(as_api, fund, "ines", UserRole.SUPER_ADMIN, by="ines")
    with pytest.raises(SignerMismatch, match="UserGrant"):
        await grant(as_api, fund, "ines", UserRole.ADMIN, signed_for=UserRole.VIEWER)
    signed = await grant(as_api, fund, "ines", UserRole.VIEWER)
    ada, ines = (parse_address(fund.accounts.address(name)) for name in ("ada", "ines"))
    again = SubmitGrant(UserChange(ines, UserRole.VIEWER, "ines"), ada, signed)
    with pytest.raises(NonceUsed):
        await submit_grant(again, database=as_api, rules=fund_signing_rules(fund))
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
