"""What the API's role can make of a risk event: triage, in its own columns. It cannot rewrite or quietly end what was found."""

from collections.abc import Callable
from typing import Any, Final

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import text
from tests.support.factories import multisig_rows
from tests.support.factories.rows import VALID, insert_dependencies, insert_row

from paimon.domain.kernel.signed_action import ActionName
from paimon.domain.risk.risk_event import RiskKind
from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.models.ops.multisig import SafeSignatureRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database
from paimon_devkit.stack.embedded_postgres import ROLE_PREFIX, EmbeddedPostgres

pytestmark = pytest.mark.integration

PERSON: Final = b"\x11" * 20
ANOTHER: Final = b"\x12" * 20
RESOLUTION: Final = "UPDATE ops.risk_events SET status = 'RESOLVED', resolved_at = now(), resolved_by = %s"
Connect = Callable[[DatabaseRole], psycopg.Connection[Any]]


@pytest.fixture
def connect(postgres: EmbeddedPostgres, database_name: str, owner_url: str) -> Connect:
    """Return a function that opens an autocommit session as a process' role."""
    migrate.grant_roles(owner_url)

    def opened(role: DatabaseRole) -> psycopg.Connection[Any]:
        name = role.server_name(ROLE_PREFIX)
        return psycopg.connect(postgres.url(name, database_name).replace("+psycopg", ""), autocommit=True)

    return opened


@pytest.fixture(autouse=True)
async def found(database: Database, connect: Connect) -> None:
    """Record one critical finding."""
    async with database.write() as session:
        columns = VALID[RiskEventRow] | {"kind": RiskKind.UNSIGNED_MOVEMENT, "severity": "CRITICAL"}
        session.add(RiskEventRow(**columns))


def sign_resolution(session: psycopg.Connection[Any], *, signer: bytes, resource: str, action: str, nonce: int) -> None:
    session.execute(
        "INSERT INTO ops.signed_actions (nonce, action, resource, signer, typed_data, signature, expires_at)"
        " VALUES (%s, %s, %s, %s, '{}', '\\x01', now())",
        (nonce.to_bytes(32, "big"), action, resource, signer),
    )


@pytest.mark.parametrize(
    "rewriting",
    [
        "severity = 'WARNING'",
        "observed = 'nothing'",
        "expected = 'nothing'",
        "subject = 'another'",
        "kind = 'LOW_GAS'",
        "last_seen_block = 9",
        "status = 'RESOLVED', resolved_at = now(), resolved_block = 9",
    ],
)
def test_api_cannot_rewrite_what_a_check_found(connect: Connect, rewriting: str) -> None:
    with connect(DatabaseRole.API) as session, pytest.raises(InsufficientPrivilege):
        session.execute(f"UPDATE ops.risk_events SET {rewriting}".encode())


@pytest.mark.parametrize("role", [DatabaseRole.API, DatabaseRole.WORKER, DatabaseRole.CLI, DatabaseRole.LISTENER])
def test_no_role_resolves_an_event_in_the_name_of_a_person_who_did_not_sign(connect: Connect, role: DatabaseRole) -> None:
    with connect(role) as session, pytest.raises(InsufficientPrivilege):
        session.execute(RESOLUTION, (PERSON,))


def test_signature_counts_for_its_signer_event_and_action_only(connect: Connect) -> None:
    resolve = ActionName.RESOLVE_RISK_EVENT
    with connect(DatabaseRole.API) as session:
        row = session.execute("SELECT id FROM ops.risk_events").fetchone()
        assert row is not None
        path = f"/risk/events/{row[0]}"
        sign_resolution(session, signer=ANOTHER, resource=path, action=resolve, nonce=1)
        sign_resolution(session, signer=PERSON, resource=f"{path}0", action=resolve, nonce=2)
        sign_resolution(session, signer=PERSON, resource=path, action="settle_redemption", nonce=3)
        with pytest.raises(InsufficientPrivilege, match="did not sign that"):
            session.execute(RESOLUTION, (PERSON,))
        sign_resolution(session, signer=PERSON, resource=path, action=resolve, nonce=4)
        session.execute(RESOLUTION, (PERSON,))


@pytest.mark.parametrize("change", ["submitted_by = '\\x1111111111111111111111111111111111111111'", "signed_at = 'epoch'"])
async def test_change_of_a_safe_signature_leaves_an_audit_entry(database: Database, connect: Connect, change: str) -> None:
    assert SafeSignatureRow in multisig_rows.VALID
    async with database.write() as session:
        await insert_dependencies(session, SafeSignatureRow)
        await insert_row(session, SafeSignatureRow)
    with connect(DatabaseRole.API) as api:
        api.execute(f"UPDATE ops.safe_signatures SET {change}".encode())
    async with database.read() as session:
        entries = "SELECT recorded_by FROM ops.audit_entries WHERE operation = 'proposal.signed_again'"
        assert (await session.scalars(text(entries))).all() == [DatabaseRole.API.server_name(ROLE_PREFIX)]
