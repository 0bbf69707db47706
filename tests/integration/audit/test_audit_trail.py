"""The audit trail on a real PostgreSQL: entries come with their cause, are sealed once, and show what was done to them."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import func, select, text
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.fund import TestFund
from tests.support.database_roles import WITHOUT_TRIGGERS
from tests.support.signed_grants import grant

from paimon.application.audit.queries import export_lines
from paimon.application.audit.seal import TreeDiffers, seal
from paimon.application.audit.verify import verify_trail
from paimon.domain.audit.export import ExportInvalid, verify_export
from paimon.domain.audit.merkle_tree import leaf_hash, verify_consistency, verify_inclusion
from paimon.domain.kernel.chain import Hash32, checksum, parse_address
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.user.roles import UserRole
from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.leases import HeldLease, LeaseLost, try_acquire
from paimon.infrastructure.database.models.ops.audit import AuditEntryRow, AuditRootRow
from paimon.infrastructure.database.rights.audited import AUDITED
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database
from paimon_devkit.stack.embedded_postgres import ROLE_PREFIX, EmbeddedPostgres

pytestmark = pytest.mark.integration

SCOPE = SigningScope(31337, parse_address("0x" + "11" * 20))
ENTRIES_MAX = 1_000

Connect = Callable[[str], psycopg.Connection[Any]]


@pytest.fixture
async def lease(database: Database) -> HeldLease:
    held = await try_acquire(database, "auditor", "tests", ttl_seconds=600)
    assert held is not None
    return held


@pytest.fixture
def connect(postgres: EmbeddedPostgres, database_name: str) -> Connect:
    def opened(role: str) -> psycopg.Connection[Any]:
        return psycopg.connect(postgres.url(role, database_name).replace("+psycopg", ""), autocommit=True)

    return opened


async def decide(database: Database, number: int, *, roll_back: bool = False) -> None:
    """Write one audited row: a decision about an outbox message."""
    async with database.write() as session:
        await session.execute(
            text(
                "INSERT INTO ops.operator_decisions (kind, outbox_id, problem, reason, requested_by)"
                " VALUES ('replay_message', :number, 'it failed', 'mended', :by)"
            ),
            {"number": number, "by": bytes([number % 250]) * 20},
        )
        if roll_back:
            await session.rollback()


async def exported(database: Database) -> list[str]:
    async with database.read() as session:
        return [line async for line in export_lines(session, SCOPE)]


async def seal_all(database: Database, lease: HeldLease) -> int:
    sealed = 0
    while found := await seal(database, lease, entries_max=ENTRIES_MAX):
        sealed += found
    return sealed


async def test_entry_says_who_did_what_to_what_and_is_written_with_its_cause(
    api_client: ApiClient, fund: TestFund, database: Database
) -> None:
    await grant(database, fund, "ines", UserRole.VIEWER)
    ines, ada = (parse_address(fund.accounts.address(name)) for name in ("ines", "ada"))
    async with database.read() as session:
        row = await session.scalar(select(AuditEntryRow).order_by(AuditEntryRow.id.desc()).limit(1))
    assert row is not None
    assert (row.operation, row.outcome, row.actor) == ("user.granted", "DONE", ada)
    assert row.resource == f"user/0x{ines.hex()}"
    assert json.loads(str(row.payload))["role"] == "viewer"
    await decide(database, 1, roll_back=True)
    async with database.read() as session:
        assert await session.scalar(select(func.max(AuditEntryRow.id))) == row.id


async def test_change_of_a_row_names_what_changed(database: Database) -> None:
    await decide(database, 1)
    async with database.write() as session:
        await session.execute(text("UPDATE ops.operator_decisions SET status = 'DONE', outcome = 'replayed', ended_at = now()"))
    async with database.read() as session:
        made, ended = await session.scalars(select(AuditEntryRow).order_by(AuditEntryRow.id))
    assert (made.operation, ended.operation) == ("decision.made", "decision.ended")
    assert made.resource == ended.resource
    assert ended.actor is None
    payload = json.loads(str(ended.payload))
    assert payload["before"] == {"status": "REQUESTED", "outcome": None, "ended_at": None}
    assert payload["after"]["outcome"] == "replayed"


async def test_trail_keeps_nothing_of_where_a_person_was(database: Database) -> None:
    async with database.write() as session:
        await session.execute(
            text(
                "INSERT INTO ops.sessions (id, address, client, network_address, created_at, used_at, expires_at)"
                " VALUES (gen_random_uuid(), :address, 'a phone', '203.0.113.9', now(), now(), now())"
            ),
            {"address": bytes(20)},
        )
        await session.execute(text("UPDATE ops.sessions SET client = 'x', ended_at = now(), end_reason = 'REVOKED'"))
    async with database.read() as session:
        started, ended = await session.scalars(select(AuditEntryRow).order_by(AuditEntryRow.id))
    assert (started.operation, ended.operation) == ("session.started", "session.ended")
    assert started.actor == bytes(20)
    assert json.loads(str(ended.payload))["after"].keys() == {"ended_at", "end_reason"}
    assert all(personal not in f"{started.payload}{ended.payload}" for personal in ("a phone", "203.0.113.9", "client"))


async def test_writers_at_once_leave_no_gap_and_lose_nothing(database: Database, lease: HeldLease) -> None:
    """Ids commit in another order than they were given, and some never do; the tree has every committed entry once."""
    done = asyncio.Event()

    async def write(number: int) -> None:
        for step in range(15):
            await decide(database, number * 20 + step, roll_back=step % 4 == 3)

    async def seal_meanwhile() -> None:
        while not done.is_set():
            await seal(database, lease, entries_max=7)

    sealing = asyncio.create_task(seal_meanwhile())
    await asyncio.gather(*(write(number) for number in range(16)))
    done.set()
    await sealing
    await seal_all(database, lease)
    found = verify_export(await exported(database), now=datetime.now(UTC))
    async with database.read() as session:
        committed = await session.scalar(select(func.count()).select_from(AuditEntryRow))
        assert await session.scalar(select(AuditEntryRow.id).where(AuditEntryRow.position.is_(None)).limit(1)) is None
    assert found.entries == committed == 16 * 12


async def test_auditor_that_lost_its_lease_seals_nothing(database: Database, lease: HeldLease) -> None:
    await decide(database, 1)
    with pytest.raises(LeaseLost):
        await seal(database, HeldLease(lease.name, lease.owner, lease.epoch - 1), entries_max=ENTRIES_MAX)
    assert (await exported(database))[1:] == []
    assert await seal(database, lease, entries_max=ENTRIES_MAX) == 1


@pytest.mark.parametrize(
    "change",
    [
        "SET operation = 'forged'",
        "SET actor = '\\x0101010101010101010101010101010101010101'",
        "SET at = at - interval '1 microsecond'",
        "SET resource = 'decision/77'",
        "SET outcome = 'REFUSED'",
        "SET recorded_by = 'paimon_worker'",
        "SET payload = replace(payload, 'mended', 'minded')",
        "SET payload = 'x', payload_hash = sha256('x')",
        "SET id = DEFAULT",
        "SET retention = 'LOW'",
        "SET position = position + 100",
    ],
)
async def test_changed_row_is_found_and_named(database: Database, lease: HeldLease, owner_url: str, change: str) -> None:
    """By the owner of the tables, who switched the triggers off."""
    for number in range(5):
        await decide(database, number)
        await seal_all(database, lease)
    size = json.loads((await exported(database))[0])["size"]
    async with database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        changed = (
            await session.execute(text(f"UPDATE ops.audit_entries {change} WHERE position = 2 RETURNING id"))
        ).scalar_one()
    with pytest.raises(ExportInvalid) as found:
        verify_export(await exported(database), now=datetime.now(UTC))
    if "position" in change:
        assert "removed" in str(found.value)
    else:
        assert found.value.fault.entry_id == changed
    assert size == 5


async def test_removed_row_is_found(database: Database, lease: HeldLease) -> None:
    for number in range(3):
        await decide(database, number)
    await seal_all(database, lease)
    async with database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(text("DELETE FROM ops.audit_entries WHERE position = 1"))
    with pytest.raises(ExportInvalid, match="removed"):
        verify_export(await exported(database), now=datetime.now(UTC))


async def test_auditor_stops_at_a_tree_that_does_not_add_up(database: Database, lease: HeldLease) -> None:
    for number in range(3):
        await decide(database, number)
    await seal_all(database, lease)
    async with database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(text("UPDATE ops.audit_subtrees SET hash = sha256('other')"))
    await decide(database, 4)
    with pytest.raises(TreeDiffers):
        await seal(database, lease, entries_max=ENTRIES_MAX)


@pytest.mark.parametrize("role", [role for role in DatabaseRole if role is not DatabaseRole.AUDITOR])
def test_process_can_neither_write_nor_change_nor_seal_an_entry(
    role: DatabaseRole, database: Database, connect: Connect, owner_url: str
) -> None:
    migrate.grant_roles(owner_url)
    with connect(role.server_name(ROLE_PREFIX)) as process:
        for statement in (
            "INSERT INTO ops.audit_entries (operation, retention, outcome, resource, recorded_by, payload_hash)"
            " VALUES ('ticket.vote', 'LOW', 'DONE', 'ticket/1', 'paimon_api', sha256('x'))",
            "SELECT ops.add_audit_entry('ticket.vote', 'LOW', NULL, 'DONE', 'ticket/1', '{}')",
            "UPDATE ops.audit_entries SET position = 1, leaf = sha256('x')",
            "UPDATE ops.audit_entries SET payload = NULL",
            "DELETE FROM ops.audit_entries",
            "TRUNCATE ops.audit_entries",
            "INSERT INTO ops.audit_roots (size, root) VALUES (1, sha256('x'))",
            "DELETE FROM ops.audit_subtrees",
        ):
            with pytest.raises(InsufficientPrivilege):
                process.execute(statement)


async def test_auditor_may_seal_and_nothing_else(
    database: Database, lease: HeldLease, connect: Connect, owner_url: str
) -> None:
    migrate.grant_roles(owner_url)
    await decide(database, 1)
    await seal_all(database, lease)
    await decide(database, 2)
    with connect(DatabaseRole.AUDITOR.server_name(ROLE_PREFIX)) as auditor:
        for statement in (
            "UPDATE ops.audit_entries SET payload = NULL",
            "UPDATE ops.audit_entries SET operation = 'forged'",
            "UPDATE ops.audit_entries SET leaf = sha256('other') WHERE position = 0",
            "UPDATE ops.audit_entries SET position = NULL, leaf = NULL WHERE position = 0",
            "UPDATE ops.audit_roots SET root = sha256('other')",
            "DELETE FROM ops.audit_entries",
            "INSERT INTO ops.operator_decisions (kind, problem, reason, requested_by) VALUES ('skip_log', '', '', '')",
        ):
            with pytest.raises(InsufficientPrivilege):
                auditor.execute(statement)
        auditor.execute("UPDATE ops.audit_entries SET position = 1, leaf = sha256('x') WHERE position IS NULL")


async def test_api_records_refusals_only(database: Database, connect: Connect, owner_url: str) -> None:
    migrate.grant_roles(owner_url)
    with connect(DatabaseRole.API.server_name(ROLE_PREFIX)) as api:
        api.execute("SELECT ops.record_audit('permission.refused', 'MEDIUM', NULL, 'route/x', '{}')")
        with pytest.raises(InsufficientPrivilege):
            api.execute("SELECT ops.record_audit('ticket.vote', 'MEDIUM', NULL, 'ticket/1', '{}')")
    async with database.read() as session:
        row = await session.scalar(select(AuditEntryRow))
    assert row is not None
    assert (row.outcome, row.recorded_by) == ("REFUSED", DatabaseRole.API.server_name(ROLE_PREFIX))


async def test_retention_removes_payloads_and_leaves_the_tree_whole(
    database: Database, lease: HeldLease, connect: Connect, owner_url: str
) -> None:
    migrate.grant_roles(owner_url)
    for number in range(3):
        await decide(database, number)
    async with database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(text("UPDATE ops.audit_entries SET at = at - interval '3000 days'"))
    await seal_all(database, lease)
    await decide(database, 9)
    await seal_all(database, lease)
    with connect(DatabaseRole.RETENTION.server_name(ROLE_PREFIX)) as retention:
        remove = "SELECT ops.remove_audit_payloads('HIGH', now() - %s::interval, 2)"
        assert [retention.execute(remove, ("2500 days",)).fetchone() for _ in range(3)] == [(2,), (1,), (0,)]
        with pytest.raises(InsufficientPrivilege, match="2190 days at least"):
            retention.execute(remove, ("2000 days",))
        with pytest.raises(InsufficientPrivilege):
            retention.execute("UPDATE ops.audit_entries SET payload = NULL")
    found = verify_export(await exported(database), now=datetime.now(UTC))
    assert (found.entries, found.removed_payloads) == (4, 3)


async def test_every_audited_table_has_its_triggers(owner_url: str) -> None:
    with psycopg.connect(owner_url.replace("+psycopg", "")) as owner:
        found = owner.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgname LIKE 'audit\\_%' AND tgenabled = 'O'"
        ).fetchall()
    assert {tuple(row) for row in found} == {
        (table, audited.name) for table, operations in AUDITED.items() for audited in operations
    }


@pytest.fixture
async def sealed_grants(api_client: ApiClient, fund: TestFund, database: Database, lease: HeldLease) -> int:
    """Seal the grants of the demo's people, and one more afterwards. Return the size of the tree before the last one."""
    await seal_all(database, lease)
    async with database.read() as session:
        size = await session.scalar(select(func.max(AuditRootRow.size)))
    await grant(database, fund, "ines", UserRole.VIEWER)
    await seal_all(database, lease)
    assert size is not None
    return int(size)


def hashed(text_: str) -> Hash32:
    return Hash32(bytes.fromhex(text_.removeprefix("0x")))


async def test_entry_is_proven_over_rest(api_client: ApiClient, sealed_grants: int) -> None:
    answer = await api_client.get("/audit/entries", by="ada", pageSize=100)
    require_example(await api_client.get("/audit/entries", by="ada", pageSize=3), "audit_entries")
    listed = answer.json()["data"]["items"]
    assert len(listed) > sealed_grants
    require_example(await api_client.get(f"/audit/entries/{listed[0]['id']}", by="ada"), "audit_entry")
    require_example(await api_client.get("/audit/roots", by="ada"), "audit_roots")
    for item in listed:
        shown = (await api_client.get(f"/audit/entries/{item['id']}", by="ada")).json()["data"]
        inclusion, tree = shown["inclusion"], shown["inclusion"]["tree"]
        assert leaf_hash(inclusion["content"].encode()) == hashed(inclusion["leaf"])
        proof = [hashed(step) for step in inclusion["proof"]]
        verify_inclusion(hashed(inclusion["leaf"]), shown["position"], tree["size"], proof, hashed(tree["root"]))
    answer = await api_client.get("/audit/consistency", by="ada", **{"from": sealed_grants, "to": len(listed)})
    require_example(answer, "audit_consistency")
    answer = answer.json()["data"]
    verify_consistency(
        sealed_grants,
        hashed(answer["from"]["root"]),
        len(listed),
        hashed(answer["to"]["root"]),
        [hashed(step) for step in answer["proof"]],
    )


async def test_list_is_filtered(api_client: ApiClient, fund: TestFund, sealed_grants: int) -> None:
    ines = parse_address(fund.accounts.address("ines"))
    found = await api_client.get("/audit/entries", by="ada", resource=f"user/{checksum(ines)}")
    assert [item["operation"] for item in found.json()["data"]["items"]] == ["user.granted"]
    found = await api_client.get("/audit/entries", by="ada", operation="user.granted", resource="user/", pageSize=100)
    granted = {item["resource"] for item in found.json()["data"]["items"]}
    assert {f"user/0x{ines.hex()}"} < granted
    for nothing in ({"operation": "ticket.vote"}, {"outcome": "REFUSED"}, {"until": "2020-01-01T00:00:00Z"}):
        assert (await api_client.get("/audit/entries", by="ada", **nothing)).json()["data"]["items"] == []
    ada = checksum(parse_address(fund.accounts.address("ada")))
    assert len((await api_client.get("/audit/entries", by="ada", actor=ada, pageSize=100)).json()["data"]["items"]) > 1


@pytest.mark.parametrize("path", ["/audit/entries", "/audit/entries/1", "/audit/roots", "/audit/consistency?from=1&to=2"])
async def test_operator_may_not_read_the_trail(api_client: ApiClient, path: str) -> None:
    assert (await api_client.get(path, by="otto")).status_code == 403


async def test_refused_permission_is_recorded(api_client: ApiClient, fund: TestFund) -> None:
    assert (await api_client.get("/audit/roots", by="otto")).status_code == 403
    assert (await api_client.get("/audit/roots", by=None)).status_code == 401
    (item,) = (await api_client.get("/audit/entries", by="ada", outcome="REFUSED")).json()["data"]["items"]
    assert item["actor"] == fund.accounts.address("otto")
    assert (item["operation"], item["resource"]) == ("permission.refused", "route/GET /api/v1/audit/roots")


async def test_what_is_not_there_is_said(api_client: ApiClient, sealed_grants: int) -> None:
    assert (await api_client.get("/audit/entries/999999", by="ada")).status_code == 404
    answer = await api_client.get("/audit/consistency", by="ada", **{"from": sealed_grants, "to": 10**9})
    assert answer.status_code == 400
    assert "no root was recorded for 1000000000 entries" in answer.json()["error"]["message"]


async def test_signatures_of_decisions_are_checked_in_an_export(database: Database, sealed_grants: int) -> None:
    lines = await exported(database)
    found = verify_trail(lines, {}, now=datetime.now(UTC))
    signed = [line for line in lines if '"typed_data\\":' in line]
    assert found.signatures == len(signed) > 1
    at, line = next((at, line) for at, line in enumerate(lines) if "user.granted" in line)
    forged = json.loads(line) | {"actor": "0x" + "42" * 20}
    with pytest.raises(ExportInvalid):
        verify_trail([*lines[:at], json.dumps(forged), *lines[at + 1 :]], {}, now=datetime.now(UTC))


async def test_unsealed_entry_is_shown_without_a_proof(api_client: ApiClient, database: Database) -> None:
    listed = (await api_client.get("/audit/entries", by="ada")).json()["data"]["items"]
    assert {item["position"] for item in listed} == {None}
    shown = (await api_client.get(f"/audit/entries/{listed[0]['id']}", by="ada")).json()["data"]
    assert shown["inclusion"] is None
