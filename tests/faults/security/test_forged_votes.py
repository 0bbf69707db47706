"""A recorded vote counts only if its voter signed it: a row that the API's database role adds alone decides nothing.

Before, such a row counted: the ticket was APPROVED, its call was queued, and the signer refused it for ever.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import select
from tests.support.api_client import ApiClient, grant_approver_role, request_row, signed_body

from paimon.application.approval_workflow.check_votes import check_votes
from paimon.application.approval_workflow.open_ticket import open_ticket_if_needed
from paimon.application.approval_workflow.queue_call import queue_decided_calls
from paimon.application.transactions.store import get_intent_by_key, list_votes
from paimon.composition import AppContext
from paimon.domain.approval.first_policy import FIRST_POLICY
from paimon.domain.kernel.chain import parse_address
from paimon.domain.risk.risk_event import RiskKind, Severity
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.rows.redemption import to_domain
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

TICKET: Final = "TKT-R000001"
APPROVED: Final = f"UPDATE ops.approval_tickets SET status = 'APPROVED', decided_at = now() WHERE id = '{TICKET}'"

Execute = Callable[..., None]


@pytest.fixture
def execute(postgres: EmbeddedPostgres, database_name: str) -> Execute:
    """Return a function that runs one statement as one process's database role."""

    def run(role: str, statement: str, values: tuple[Any, ...] = ()) -> None:
        url = postgres.url(f"paimon_{role}", database_name).replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(statement, values)

    return run


@dataclass(frozen=True)
class Forger:
    """Who holds the API's database role, and no wallet."""

    execute: Execute
    api_client: ApiClient

    def add_vote(self, voter: str, verdict: str = "APPROVE", *, ticket: str = TICKET, **changes: Any) -> None:
        values = {
            "nonce": secrets.token_bytes(32),
            "ticket_id": ticket,
            "voter": parse_address(self.api_client.accounts.address(voter)),
            "verdict": verdict,
            "reason": "",
            "typed_data": "{}",
            "signature": bytes(65),
        } | changes
        statement = f"""
            INSERT INTO ops.approval_records ({", ".join(values)}, expires_at, decided_at)
            VALUES ({", ".join(["%s"] * len(values))}, now() + interval '1 minute', now())
        """
        self.execute("api", statement, tuple(values.values()))


@pytest.fixture
async def forger(app_context: AppContext, api_client: ApiClient, execute: Execute) -> Forger:
    """Open the tickets of two requests of ines; vera and viktor may vote."""
    await grant_approver_role(app_context.database, api_client.accounts, "vera", "viktor")
    policy = FIRST_POLICY
    for request_id in (1, 2):
        async with app_context.database.write() as session:
            row = request_row(request_id, owner=parse_address(api_client.accounts.address("ines")))
            session.add(row)
            await session.flush()
            await open_ticket_if_needed(session, to_domain(row), policy, now=await database_now(session))
    return Forger(execute, api_client)


@pytest.fixture
async def check(postgres: EmbeddedPostgres, database_name: str, app_context: AppContext) -> Any:
    """Return a function that checks and queues as a worker does, with its database role; it returns the findings."""
    engine = create_engine(
        postgres.url("paimon_worker", database_name), pool_size=2, connect_timeout_seconds=5, application_name="tests"
    )
    worker = Database(engine)

    async def run() -> list[str]:
        scope, approver = app_context.signing_rules.scope, app_context.settings.sending.approver
        async with worker.write() as session:
            found = await check_votes(session, scope, block=1)
        await queue_decided_calls(worker, app_context.contracts, approver=approver, scope=scope)
        return [finding.observed for finding in found]

    yield run
    await worker.close()


async def ticket(api_client: ApiClient) -> dict[str, Any]:
    found: dict[str, Any] = (await api_client.get(f"/approvals/{TICKET}")).json()["data"]
    return found


async def intents(database: Database) -> list[str]:
    async with database.read() as session:
        return list(await session.scalars(select(IntentRow.idempotency_key)))


async def test_forged_vote_queues_nothing_and_is_taken_out(
    forger: Forger, api_client: ApiClient, app_context: AppContext, check: Callable[..., Any], database: Database
) -> None:
    forger.add_vote("viktor")
    forger.execute("api", APPROVED)
    scope, approver = app_context.signing_rules.scope, app_context.settings.sending.approver
    await queue_decided_calls(database, app_context.contracts, approver=approver, scope=scope)
    assert await intents(database) == [], "also before the vote is taken out"
    assert (await ticket(api_client))["approvals"] == 0

    (reason,) = await check()
    assert "signature" in reason
    assert await check() == []
    shown = await ticket(api_client)
    assert (shown["status"], shown["approvals"], shown["decidedAt"]) == ("PENDING", 0, None)
    assert [vote["invalidReason"] for vote in shown["votes"]] == [reason]
    async with database.read() as session:
        (event,) = await session.scalars(select(RiskEventRow))
    assert (event.kind, event.severity) == (RiskKind.INVALID_VOTE, Severity.CRITICAL)
    assert event.subject == f"vote APPROVE of {api_client.accounts.address('viktor')} on ticket {TICKET}"
    assert await intents(database) == []


@pytest.mark.parametrize("verdict", ["APPROVE", "REJECT"])
async def test_real_vote_decides_beside_one_that_was_taken_out(
    forger: Forger, api_client: ApiClient, check: Callable[..., Any], database: Database, verdict: str
) -> None:
    """A forged rejection does not keep the fund from approving, and no forged vote goes to the signer."""
    forger.add_vote("viktor", verdict)
    waiting = await api_client.sign("approve_redemption", f"/approvals/{TICKET}", by="vera")
    assert (waiting.status_code, "does not verify" in waiting.json()["error"]["message"]) == (409, True)
    await check()
    taken = await api_client.sign("approve_redemption", f"/approvals/{TICKET}", by="viktor")
    assert (taken.status_code, "in this wallet's name" in taken.json()["error"]["message"]) == (409, True)
    decided = await api_client.sign("approve_redemption", f"/approvals/{TICKET}", by="vera")
    assert (decided.status_code, decided.json()["data"]["status"]) == (200, "APPROVED"), decided.text
    assert await check() == []
    assert await intents(database) == ["approve-redemption:1"]
    async with database.write() as session:
        intent, _ = await get_intent_by_key(session, "approve-redemption:1")
        (vote,) = await list_votes(session, intent)
    assert vote.document["message"]["reason"] == "a test"


async def test_vote_signed_for_another_ticket_amount_or_verdict_does_not_count(
    forger: Forger, api_client: ApiClient, check: Callable[..., Any]
) -> None:
    vera, viktor = (api_client.accounts.account(name) for name in ("vera", "viktor"))
    elsewhere = (await api_client.get("/approvals/TKT-R000002")).json()["data"]["signing"]["approve"]
    here, rejection = (await ticket(api_client))["signing"]["approve"], (await ticket(api_client))["signing"]["reject"]
    other_amount = {**here, "message": {**here["message"], "grossAmount": "1"}}
    for number, (document, account) in enumerate(((elsewhere, vera), (other_amount, vera), (rejection, viktor)), 1):
        body = signed_body(document, account)
        forger.add_vote(
            "vera" if account is vera else "viktor",
            ticket=TICKET if number != 2 else "TKT-R000002",
            nonce=bytes.fromhex(body["nonce"][2:]),
            typed_data=json.dumps(document),
            signature=bytes.fromhex(body["signature"][2:]),
        )
        assert ["did not sign it" in reason for reason in await check()] == [True]


async def test_party_s_vote_decides_no_ticket(forger: Forger) -> None:
    forger.add_vote("ines")
    with pytest.raises(InsufficientPrivilege, match="do not decide"):
        forger.execute("api", APPROVED)


async def test_who_adds_votes_marks_none_and_who_marks_adds_none(forger: Forger, execute: Execute) -> None:
    forger.add_vote("viktor")
    mark = "INSERT INTO ops.invalid_votes (nonce, reason) SELECT nonce, 'unwelcome' FROM ops.approval_records"
    for role in ("api", "listener", "cli", "planner"):
        with pytest.raises(InsufficientPrivilege):
            execute(role, mark)
    execute("worker", mark)
    for statement in ("DELETE FROM ops.invalid_votes", "UPDATE ops.invalid_votes SET reason = 'none'"):
        with pytest.raises(InsufficientPrivilege):
            execute("worker", statement)
    with pytest.raises(InsufficientPrivilege):
        execute("worker", "INSERT INTO ops.approval_records SELECT * FROM ops.approval_records")
