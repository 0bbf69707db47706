"""What a process can do in the database that is not its to do, with its own role and password alone: nothing.

With the one role that all processes shared before, each of these was possible.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from tests.support.api_client import topic_of

from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.rights.evidence import EVIDENCE, OUTCOME_TOPICS
from paimon.infrastructure.database.rights.policies import INTENT_KINDS
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon_devkit.stack.embedded_postgres import ROLE_PREFIX, EmbeddedPostgres

pytestmark = pytest.mark.integration

VOTER, OWNER, RECEIVER, HOT, VAULT = (bytes([number]) * 20 for number in range(1, 6))
VOTE_NONCE: Final = bytes([7]) * 32
HASH: Final = bytes([8]) * 32
PLAN_ID: Final = UUID(int=1)
PROCESSES: Final = tuple(role for role in DatabaseRole if role is not DatabaseRole.RETENTION)

Connect = Callable[[str], psycopg.Connection[Any]]


@pytest.fixture
def connect(postgres: EmbeddedPostgres, database_name: str) -> Connect:
    """Return a function that opens an autocommit session as a role of the server."""

    def opened(role: str) -> psycopg.Connection[Any]:
        return psycopg.connect(postgres.url(role, database_name).replace("+psycopg", ""), autocommit=True)

    return opened


@pytest.fixture(autouse=True)
def evidence(connect: Connect, owner_url: str) -> None:
    """Fill in one open ticket with one of its two votes, a plan with its call, its intent and its signed transaction."""
    migrate.grant_roles(owner_url)
    with connect("paimon_owner") as owner, owner.transaction():
        owner.execute(
            """
            INSERT INTO ops.approval_tickets (id, type, request_id, owner, receiver, gross_amount, policy_version, rules,
                   required_approvals, status, opened_at, warn_at, escalate_at, deadline_at)
            VALUES ('TKT-R000001', 'STANDARD_REDEMPTION', 1, %s, %s, 5, 1, ARRAY['standard_redemption'], 2,
                   'PARTIALLY_APPROVED', now(), now(), now(), now())
            """,
            (OWNER, RECEIVER),
        )
        owner.execute(
            """
            INSERT INTO ops.approval_records (nonce, ticket_id, voter, verdict, reason, typed_data, signature, expires_at,
                   decided_at)
            VALUES (%s, 'TKT-R000001', %s, 'APPROVE', 'agreed', '{}', '\\x01', now(), now())
            """,
            (VOTE_NONCE, VOTER),
        )
        owner.execute("INSERT INTO ops.wallets (address, name, next_nonce) VALUES (%s, 'hot', 0)", (HOT,))
        owner.execute(
            """
            INSERT INTO ops.plans (id, idempotency_key, payload_hash, name, reason, wallet, amount, rejected_wallets,
                   requested_by, nonce, typed_data, signature, signature_expires_at)
            VALUES (%s, 'plan', %s, 'plan', 'a reason', 'hot', 5, '[]', %s, %s, '{}', '\\x01', now())
            """,
            (PLAN_ID, VOTE_NONCE, VOTER, VOTE_NONCE),
        )
        intent = add_intent(owner, kind="plan_step", subject=("plan_call", f"{PLAN_ID}:0"), data=b"\x01")
        owner.execute(
            """
            INSERT INTO ops.plan_calls (plan_id, call_index, contract, function, description, to_address, data, amount,
                   intent_id)
            VALUES (%s, 0, 'Vault', 'f', 'a call', %s, '\\x01', 5, %s)
            """,
            (PLAN_ID, VAULT, intent),
        )
        owner.execute(
            """
            INSERT INTO ops.transaction_attempts (hash, intent_id, wallet, nonce, gas_limit, max_fee_wei, priority_fee_wei, raw)
            VALUES (%s, %s, %s, 0, 1, 1, 1, '\\x0a')
            """,
            (VOTE_NONCE, intent, HOT),
        )


def add_intent(session: psycopg.Connection[Any], *, kind: str, subject: tuple[str, str], data: bytes) -> UUID:
    row = session.execute(
        """
        INSERT INTO ops.transaction_intents (idempotency_key, payload_hash, kind, wallet, to_address, data, value_wei,
               subject_type, subject_id)
        VALUES (gen_random_uuid()::text, %s, %s, %s, %s, %s, 0, %s, %s) RETURNING id
        """,
        (VOTE_NONCE, kind, HOT, VAULT, data, *subject),
    ).fetchone()
    assert row is not None
    return UUID(str(row[0]))


def state(connect: Connect, table: str) -> list[Any]:
    with connect("paimon_owner") as owner:
        return owner.execute(f"SELECT to_jsonb(found) FROM {table} AS found ORDER BY 1").fetchall()


def refusals(connect: Connect, role: DatabaseRole, statements: Sequence[str]) -> dict[str, str]:
    """Run statements as a role, each by itself; return what refused each, and nothing for one that was not refused."""
    found: dict[str, str] = {}
    with connect(role.server_name(ROLE_PREFIX)) as session:
        for statement in statements:
            try:
                session.execute(statement)
            except InsufficientPrivilege as error:
                found[statement] = str(error)
    return found


def test_no_process_makes_a_super_admin(connect: Connect) -> None:
    attack = (
        "INSERT INTO ops.first_super_admins (address, name) VALUES (decode(repeat('aa', 20), 'hex'), 'Eve')",
        "UPDATE ops.first_super_admins SET address = decode(repeat('aa', 20), 'hex')",
        "DELETE FROM ops.first_super_admins",
        "UPDATE ops.user_grants SET role = 'super_admin'",
        "DELETE FROM ops.user_grants",
    )
    for role in PROCESSES:
        assert list(refusals(connect, role, attack)) == list(attack), role


TAMPERING: Final = (
    "UPDATE ops.approval_records SET verdict = 'REJECT'",
    "UPDATE ops.approval_records SET signature = '\\x02'",
    "DELETE FROM ops.approval_records",
    "TRUNCATE ops.approval_records CASCADE",
    "UPDATE ops.approval_tickets SET required_approvals = 1",
    "UPDATE ops.approval_tickets SET gross_amount = 6",
    "UPDATE ops.transaction_attempts SET raw = '\\x0b'",
    "UPDATE ops.transaction_intents SET data = '\\x02'",
    "UPDATE ops.plan_calls SET amount = 6",
    "DELETE FROM ops.plans",
    "ALTER TABLE ops.approval_records DISABLE TRIGGER ALL",
    "DROP TRIGGER keep_rows ON ops.approval_records",
    "DROP FUNCTION ops.keep_evidence() CASCADE",
    "SET session_replication_role = 'replica'",
)


def test_no_process_changes_or_deletes_evidence(connect: Connect) -> None:
    before = {table: state(connect, table) for table in EVIDENCE}
    for role in DatabaseRole:
        assert list(refusals(connect, role, TAMPERING)) == list(TAMPERING), role
    assert {table: state(connect, table) for table in EVIDENCE} == before


def test_owner_cannot_change_evidence_by_accident(connect: Connect) -> None:
    """The triggers hold for the owner too, and name what is refused."""
    with connect("paimon_owner") as session:
        for statement, what in (
            ("UPDATE ops.approval_records SET verdict = 'REJECT'", "to change it"),
            ("DELETE FROM ops.approval_records", "to delete it"),
            ("TRUNCATE ops.approval_records CASCADE", "to empty it"),
            ("UPDATE ops.transaction_attempts SET raw = '\\x0b'", "to change it"),
        ):
            with pytest.raises(InsufficientPrivilege, match=f"is evidence: {what} is refused"):
                session.execute(statement)


def test_administrator_in_the_owners_role_cannot_delete_evidence_by_accident(
    postgres: EmbeddedPostgres, connect: Connect, database_name: str
) -> None:
    """The triggers let such a session through before: it looked like the retention job."""
    filled = [table for table in EVIDENCE if state(connect, table)]
    assert len(filled) >= 6
    login = postgres.admin_dsn.rpartition("/")[0]
    with psycopg.connect(f"{login}/{database_name}", autocommit=True) as session:
        session.execute("SET ROLE paimon_owner")
        for table in filled:
            with pytest.raises(InsufficientPrivilege, match="is evidence: to delete it is refused"):
                session.execute(f"DELETE FROM {table}".encode())


def test_ticket_is_not_decided_without_votes_or_the_chain(connect: Connect) -> None:
    decisions = (
        "status = 'APPROVED', decided_at = now()",
        "status = 'REJECTED', decided_at = now()",
        "status = 'APPROVED', decided_at = now(), decided_externally = true, closed_at = now()",
        "status = 'CANCELLED', decided_at = now()",
    )
    attack = [f"UPDATE ops.approval_tickets SET {decision}" for decision in decisions]
    before = state(connect, "ops.approval_tickets")
    for role in (DatabaseRole.API, DatabaseRole.WORKER):
        assert [statement for statement, why in refusals(connect, role, attack).items() if "decide" in why] == attack, role
    assert state(connect, "ops.approval_tickets") == before


def test_worker_cannot_invent_the_chain_s_outcome(connect: Connect) -> None:
    """A worker may rewrite projections: a request that it calls rejected closes no ticket without the event that says so.

    Before, the request's row was believed.
    """
    with connect("paimon_owner") as owner:
        owner.execute(
            """
            INSERT INTO derived.redemption_requests (request_id, owner, receiver, shares, gross_amount, estimated_fee, channel,
                   requires_approval, window_id, status, requested_at, updated_block)
            VALUES (1, %s, %s, 5, 5, 0, 'STANDARD', true, 0, 'PENDING_APPROVAL', now(), 1)
            """,
            (OWNER, RECEIVER),
        )
        owner.execute(
            "INSERT INTO derived.blocks (number, hash, parent_hash, timestamp, previous_kept_number)"
            " VALUES (1, %s, %s, now(), 0)",
            (HASH, HASH),
        )
        for index, (event, request_id) in enumerate((("RedemptionApproved", 1), ("RedemptionRejected", 2))):
            owner.execute(
                """
                INSERT INTO derived.raw_logs (block_number, log_index, block_hash, tx_hash, tx_index, address, contract, topics,
                       data, event, request_id, status)
                VALUES (1, %s, %s, %s, 0, %s, 'RedemptionManager', %s, '', %s, %s, 'APPLIED')
                """,
                (index, HASH, HASH, VAULT, [topic_of(event), request_id.to_bytes(32, "big")], event, request_id),
            )
    close = "UPDATE ops.approval_tickets SET status = '{}', decided_at = now(), closed_at = now(), decided_externally = true"
    with connect("paimon_worker") as worker:
        worker.execute("UPDATE derived.raw_logs SET request_id = 1, event = 'RedemptionRejected'")
        for status in ("REJECTED", "CANCELLED"):
            reason = "a reason" if status == "REJECTED" else None
            worker.execute(
                "UPDATE derived.redemption_requests SET status = %s, closed_at = now(), rejection_reason = %s", (status, reason)
            )
            with pytest.raises(InsufficientPrivilege, match=f"the chain has not decided {status}"):
                worker.execute(close.format(status))
        worker.execute("UPDATE derived.redemption_requests SET status = 'APPROVED', closed_at = NULL, rejection_reason = NULL")
        worker.execute(close.format("APPROVED"))
    assert [row["status"] for (row,) in state(connect, "ops.approval_tickets")] == ["APPROVED"]


def test_outcome_topics_are_those_of_the_contract() -> None:
    assert {name: topic for events in OUTCOME_TOPICS.values() for name, topic in events.items()} == {
        name: topic_of(name).hex()
        for name in ("RedemptionApproved", "RedemptionSettled", "RedemptionRejected", "RedemptionCancelled")
    }


def test_ticket_is_decided_by_its_votes(connect: Connect) -> None:
    with connect("paimon_api") as session:
        session.execute(
            """
            INSERT INTO ops.approval_records (nonce, ticket_id, voter, verdict, reason, typed_data, signature, expires_at,
                   decided_at)
            VALUES (%s, 'TKT-R000001', %s, 'APPROVE', 'agreed', %s, '\\x01', now(), now())
            """,
            (bytes([8]) * 32, bytes([9]) * 20, json.dumps({})),
        )
        session.execute("UPDATE ops.approval_tickets SET status = 'APPROVED', decided_at = now()")
    assert [row["status"] for (row,) in state(connect, "ops.approval_tickets")] == ["APPROVED"]


def test_no_process_adds_an_intent_of_another_kind(connect: Connect) -> None:
    """By the policy of each role, before a trigger looks at the row; by no right on the table for the others."""
    for role, kind, subject in (
        (DatabaseRole.WORKER, "plan_step", ("plan_call", f"{PLAN_ID}:0")),
        (DatabaseRole.API, "execute_safe", ("safe_transaction", "0x" + "ab" * 32)),
        (DatabaseRole.CLI, "approve_redemption", ("redemption", "1")),
        (DatabaseRole.PLANNER, "settle_redemption", ("redemption", "1")),
        (DatabaseRole.LISTENER, "settle_redemption", ("redemption", "1")),
        (DatabaseRole.SCHEDULER, "settle_redemption", ("redemption", "1")),
    ):
        why = "row-level security" if role in INTENT_KINDS else "permission denied"
        with connect(role.server_name(ROLE_PREFIX)) as session, pytest.raises(InsufficientPrivilege, match=why):
            add_intent(session, kind=kind, subject=subject, data=b"\x01")
    assert len(state(connect, "ops.transaction_intents")) == 1


def test_hot_call_without_its_recorded_plan_is_refused(connect: Connect) -> None:
    """The first finding: an intent of the hot key that no plan has, or a second one of a plan's call."""
    for role in (DatabaseRole.API, DatabaseRole.PLANNER, DatabaseRole.CLI):
        for subject in (f"{PLAN_ID}:0", f"{PLAN_ID}:1", f"{UUID(int=2)}:0"):
            with connect(role.server_name(ROLE_PREFIX)) as session, pytest.raises(InsufficientPrivilege, match="no recorded"):
                add_intent(session, kind="plan_step", subject=("plan_call", subject), data=b"\x01")
    assert len(state(connect, "ops.transaction_intents")) == 1


def test_only_the_retention_role_removes_what_is_expired(connect: Connect) -> None:
    call = "SELECT ops.remove_expired('event_processing_logs', now() - interval '2 days', 1)"
    for role in PROCESSES:
        with connect(role.server_name(ROLE_PREFIX)) as session, pytest.raises(InsufficientPrivilege):
            session.execute(call)
    with connect("paimon_retention") as session:
        assert session.execute(call).fetchone() == (0,)
