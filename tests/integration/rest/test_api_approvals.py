"""Tests of voting on tickets over REST: the signed document, the required roles, and refused requests."""

import asyncio
import runpy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.support.api_client import (
    BLOCK_TIME,
    ApiClient,
    grant_approver_role,
    request_row,
    require_example,
    seconds_from_now,
    signed_body,
)
from tests.support.paths import DOCS

from paimon.application.approval_workflow.open_ticket import open_ticket_if_needed
from paimon.composition import AppContext
from paimon.domain.approval.first_policy import FIRST_POLICY
from paimon.domain.kernel.chain import parse_address
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.approval import ApprovalRecordRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.rows.redemption import to_domain
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration

TICKET = "TKT-R000001"
VIPS = ("vera", "viktor", "otto", "ines")


@pytest.fixture(autouse=True)
async def _ticket(app_context: AppContext, api_client: ApiClient) -> None:
    """Request 1 of ines awaits approval with a ticket. vera and viktor may vote; otto and ines have only the on-chain role."""
    await open_ticket_for(app_context, api_client, 1)
    await grant_approver_role(app_context.database, api_client.accounts, *VIPS)


async def open_ticket_for(app_context: AppContext, api_client: ApiClient, request_id: int) -> None:
    async with app_context.database.write() as session:
        row = request_row(request_id, owner=parse_address(api_client.accounts.address("ines")))
        session.add(row)
        await session.flush()
        await open_ticket_if_needed(session, to_domain(row), FIRST_POLICY, now=await database_now(session))


async def documents(api_client: ApiClient, ticket_id: str = TICKET) -> dict[str, Any]:
    answer = await api_client.get(f"/approvals/{ticket_id}", by="vera")
    signing: dict[str, Any] = answer.json()["data"]["signing"]
    return signing


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def rows(database: Database, table: Any) -> int:
    async with database.read() as session:
        return int((await session.execute(select(func.count()).select_from(table))).scalar_one())


async def test_signed_approval_decides_the_ticket_and_queues_its_call(api_client: ApiClient, database: Database) -> None:
    shown = await api_client.get(f"/approvals/{TICKET}", by="vera")
    require_example(shown, "ticket")
    body = signed_body(shown.json()["data"]["signing"]["approve"], api_client.accounts.account("vera"), reason="checked")
    answer = await api_client.post(f"/approvals/{TICKET}/approve", body, by="vera")
    assert answer.status_code == 200, answer.text
    require_example(answer, "decided")
    data = answer.json()["data"]
    assert (data["status"], data["approvals"], data["signing"]) == ("APPROVED", 1, None)
    assert [vote["reason"] for vote in data["votes"]] == ["checked"]
    assert [(intent["key"], intent["kind"], intent["status"]) for intent in data["intents"]] == [
        ("approve-redemption:1", "approve_redemption", "QUEUED")
    ]
    async with database.read() as session:
        intent = (await session.scalars(select(IntentRow))).one()
        message = (await session.scalars(select(OutboxMessageRow))).one()
    assert intent.wallet == api_client.settings.sending.approver
    assert (intent.ticket_id, message.kind) == (TICKET, "drive_wallet")
    assert message.correlation_id == answer.json()["requestId"], "the handler's log lines name the request"


async def test_documented_program_votes_on_a_ticket(api_client: ApiClient, tmp_path: Path) -> None:
    page = (DOCS / "reference" / "api.md").read_text()
    program = tmp_path / "example.py"
    program.write_text(page.split("```python\n")[1].split("```")[0])
    decide = runpy.run_path(str(program))["decide"]
    data = await decide(api_client.client, bytes(api_client.accounts.account("vera").key), TICKET, "approve", "checked")
    assert (data["status"], [vote["reason"] for vote in data["votes"]]) == ("APPROVED", ["checked"])


async def test_rejection_sends_its_signed_reason_to_the_chain(api_client: ApiClient, app_context: AppContext) -> None:
    body = signed_body(
        (await documents(api_client))["reject"], api_client.accounts.account("vera"), reason="Owner under sanctions: hold"
    )
    answer = await api_client.post("/redemptions/1/reject", body, by="vera")
    assert answer.json()["data"]["status"] == "REJECTED", answer.text
    async with app_context.database.read() as session:
        intent = (await session.scalars(select(IntentRow))).one()
    abi = next(abi for name, abi in app_context.contracts.abis.items() if name == "RedemptionManager")
    assert abi.decode_call(intent.data) == (
        "rejectRedemption",
        {"requestId": 1, "reason": "Owner under sanctions: hold"},
    )


async def test_vote_is_accepted_under_the_request_too(api_client: ApiClient) -> None:
    body = signed_body((await documents(api_client))["approve"], api_client.accounts.account("vera"))
    answer = await api_client.post("/redemptions/1/approve", body, by="vera")
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "APPROVED")


@pytest.mark.parametrize("signature", ["0x12", "", "hello", "0x" + "00" * 65])
async def test_malformed_signature_is_refused(api_client: ApiClient, signature: str) -> None:
    body = signed_body((await documents(api_client))["approve"], api_client.accounts.account("vera")) | {"signature": signature}
    answer = await api_client.post(f"/approvals/{TICKET}/approve", body, by="vera")
    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == "signature"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"nonce": "0x12"}, "nonce"),
        ({"expiresAt": "soon"}, "expiresAt"),
        ({"expiresAt": "99999999999"}, "expiresAt"),
        ({"reason": "two\nlines"}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"verdict": "APPROVE"}, "verdict"),
        ({"signature": None}, "signature"),
    ],
)
async def test_malformed_body_names_the_field(api_client: ApiClient, change: dict[str, Any], field: str) -> None:
    body = signed_body((await documents(api_client))["approve"], api_client.accounts.account("vera")) | change
    answer = await api_client.post(f"/approvals/{TICKET}/approve", body, by="vera")
    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [field]


async def test_rejection_without_a_reason_is_refused(api_client: ApiClient) -> None:
    body = signed_body((await documents(api_client))["reject"], api_client.accounts.account("vera"), reason="  ")
    answer = await api_client.post(f"/approvals/{TICKET}/reject", body, by="vera")
    assert refused(answer) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("seconds", [-5, 3_600])
async def test_vote_is_refused_when_expired_or_expiring_too_late(api_client: ApiClient, seconds: int) -> None:
    document = (await documents(api_client))["approve"]
    body = signed_body(document, api_client.accounts.account("vera"), expiresAt=seconds_from_now(seconds))
    answer = await api_client.post(f"/approvals/{TICKET}/approve", body, by="vera")
    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == "expiresAt"


async def test_signature_over_another_document_is_refused(api_client: ApiClient) -> None:
    signing, vera = await documents(api_client), api_client.accounts.account("vera")
    other_verdict = signed_body(signing["reject"], vera)
    other_reason = signed_body(signing["approve"], vera, reason="as signed") | {"reason": "as sent"}
    other_amount = signed_body(signing["approve"], vera, grossAmount="1")
    other_manager = signed_body(
        signing["approve"] | {"domain": signing["approve"]["domain"] | {"verifyingContract": "0x" + "11" * 20}}, vera
    )
    other_chain = signed_body(signing["approve"] | {"domain": signing["approve"]["domain"] | {"chainId": 56}}, vera)
    for body in (other_verdict, other_reason, other_amount, other_manager, other_chain):
        answer = await api_client.post(f"/approvals/{TICKET}/approve", body, by="vera")
        assert refused(answer) == (403, "FORBIDDEN")


async def test_signature_of_another_user_is_refused(api_client: ApiClient) -> None:
    body = signed_body((await documents(api_client))["approve"], api_client.accounts.account("vera"))
    assert refused(await api_client.post(f"/approvals/{TICKET}/approve", body, by="viktor")) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    ("name", "why"),
    [("otto", "needs the role admin"), ("ada", "VIP_APPROVER_ROLE"), ("willa", "needs the role admin")],
)
async def test_voter_needs_both_the_role_here_and_on_chain(api_client: ApiClient, name: str, why: str) -> None:
    body = signed_body((await documents(api_client))["approve"], api_client.accounts.account(name))
    answer = await api_client.post(f"/approvals/{TICKET}/approve", body, by=name)
    assert refused(answer) == (403, "FORBIDDEN")
    assert why in answer.json()["error"]["message"]


async def test_owner_may_not_vote_on_their_own_request(api_client: ApiClient, app_context: AppContext) -> None:
    async with app_context.database.write() as session:
        row = request_row(2, owner=parse_address(api_client.accounts.address("vera")))
        session.add(row)
        await open_ticket_if_needed(session, to_domain(row), FIRST_POLICY, now=BLOCK_TIME)
    body = signed_body((await documents(api_client, "TKT-R000002"))["approve"], api_client.accounts.account("vera"))
    answer = await api_client.post("/approvals/TKT-R000002/approve", body, by="vera")
    assert refused(answer) == (403, "FORBIDDEN")
    assert "owner or receiver" in answer.json()["error"]["message"]


async def test_decided_ticket_takes_no_more_votes(api_client: ApiClient, database: Database) -> None:
    first, second = await documents(api_client), await documents(api_client)
    assert (
        await api_client.post(
            f"/approvals/{TICKET}/approve", signed_body(first["approve"], api_client.accounts.account("vera")), by="vera"
        )
    ).status_code == 200
    again = signed_body(second["approve"], api_client.accounts.account("vera"))
    assert refused(await api_client.post(f"/approvals/{TICKET}/approve", again, by="vera")) == (409, "CONFLICT")
    other = signed_body(second["reject"], api_client.accounts.account("viktor"), reason="no")
    assert refused(await api_client.post(f"/approvals/{TICKET}/reject", other, by="viktor")) == (409, "CONFLICT")
    assert await rows(database, ApprovalRecordRow) == 1
    assert await rows(database, IntentRow) == 1


async def test_used_nonce_is_refused_on_any_ticket(api_client: ApiClient, app_context: AppContext) -> None:
    await open_ticket_for(app_context, api_client, 2)
    used = signed_body((await documents(api_client))["approve"], api_client.accounts.account("vera"))
    assert (await api_client.post(f"/approvals/{TICKET}/approve", used, by="vera")).status_code == 200
    replay = await api_client.post(f"/approvals/{TICKET}/approve", used, by="vera")
    assert refused(replay) == (409, "CONFLICT")
    assert replay.json()["error"]["details"][0]["field"] == "nonce"
    document = (await documents(api_client, "TKT-R000002"))["approve"]
    moved = signed_body(document, api_client.accounts.account("vera"), nonce=used["nonce"])
    assert refused(await api_client.post("/approvals/TKT-R000002/approve", moved, by="vera")) == (409, "CONFLICT")


async def test_vote_sent_many_times_at_once_counts_once(api_client: ApiClient, database: Database) -> None:
    body = signed_body((await documents(api_client))["approve"], api_client.accounts.account("vera"))
    answers = await asyncio.gather(*(api_client.post(f"/approvals/{TICKET}/approve", body, by="vera") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    assert (await rows(database, ApprovalRecordRow), await rows(database, IntentRow)) == (1, 1)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/approvals/TKT-R999999/approve", (404, "NOT_FOUND")),
        ("/redemptions/999999/approve", (404, "NOT_FOUND")),
        ("/approvals/R1/approve", (400, "VALIDATION_ERROR")),
        ("/redemptions/-1/approve", (400, "VALIDATION_ERROR")),
        (f"/redemptions/{2**256}/approve", (400, "VALIDATION_ERROR")),
    ],
)
async def test_unknown_and_malformed_ids_are_refused(api_client: ApiClient, path: str, expected: tuple[int, str]) -> None:
    body = signed_body((await documents(api_client))["approve"], api_client.accounts.account("vera"))
    assert refused(await api_client.post(path, body, by="vera")) == expected


async def test_ticket_of_a_redemption_cannot_be_cancelled_here(api_client: ApiClient) -> None:
    body = signed_body((await documents(api_client))["reject"], api_client.accounts.account("ada"))
    answer = await api_client.post(f"/approvals/{TICKET}/cancel", body, by="ada")
    assert refused(answer) == (409, "CONFLICT")
    assert "closes with its outcome on chain" in answer.json()["error"]["message"]
    assert refused(await api_client.post("/approvals/TKT-R999999/cancel", body, by="ada")) == (404, "NOT_FOUND")


async def test_ticket_is_shown_in_lists_and_the_sla_report(api_client: ApiClient) -> None:
    listed = await api_client.get("/approvals", status="PENDING", type="STANDARD_REDEMPTION")
    require_example(listed, "tickets")
    assert [ticket["id"] for ticket in listed.json()["data"]["items"]] == [TICKET]
    assert (await api_client.get("/approvals", status="APPROVED")).json()["data"]["items"] == []
    pending = await api_client.get("/redemptions/pending-approvals")
    require_example(pending, "pending_approvals")
    assert pending.json()["data"]["items"][0]["ticket"]["id"] == TICKET
    data = (await api_client.get("/approvals/sla-report")).json()["data"]
    assert (data["figures"][0]["waiting"], data["stages"]["ON_TIME"], data["approvers"]) == (1, 1, [])


async def test_sla_report_counts_by_period_type_and_approver(api_client: ApiClient, app_context: AppContext) -> None:
    await open_ticket_for(app_context, api_client, 2)
    for name, verb, ticket in (("vera", "approve", TICKET), ("vera", "reject", "TKT-R000002")):
        document = (await documents(api_client, ticket))[verb]
        body = signed_body(document, api_client.accounts.account(name), reason="looked at")
        assert (await api_client.post(f"/approvals/{ticket}/{verb}", body, by=name)).status_code == 200
    report = await api_client.get("/approvals/sla-report")
    require_example(report, "sla_report")
    (vera,) = report.json()["data"]["approvers"]
    counted = {name: vera[name] for name in ("approver", "votes", "approvals", "rejections", "late")}
    assert counted == {
        "approver": api_client.accounts.address("vera"),
        "votes": 2,
        "approvals": 1,
        "rejections": 1,
        "late": 0,
    }
    today = datetime.now(UTC).date()
    for query, opened in (
        ({"type": "STANDARD_REDEMPTION"}, 2),
        ({"type": "EMERGENCY_REDEMPTION"}, 0),
        ({"startDate": str(today - timedelta(days=1)), "endDate": str(today + timedelta(days=1))}, 2),
        ({"endDate": str(today - timedelta(days=2))}, 0),
        ({"startDate": str(today + timedelta(days=2))}, 0),
    ):
        data = (await api_client.get("/approvals/sla-report", **query)).json()["data"]
        assert sum(row["opened"] for row in data["figures"]) == opened, query
        assert len(data["approvers"]) == (opened > 0), query
    wrong = await api_client.get("/approvals/sla-report", startDate=str(today), endDate=str(today - timedelta(days=1)))
    assert refused(wrong) == (400, "VALIDATION_ERROR")


async def test_ticket_lists_what_happened_to_it(api_client: ApiClient) -> None:
    document = (await documents(api_client))["approve"]
    body = signed_body(document, api_client.accounts.account("vera"), reason="looked at")
    assert (await api_client.post(f"/approvals/{TICKET}/approve", body, by="vera")).status_code == 200
    answer = await api_client.get(f"/approvals/{TICKET}/audit-logs", by="viktor")
    require_example(answer, "ticket_audit_logs")
    items = answer.json()["data"]["items"]
    assert sorted(item["operation"] for item in items) == ["ticket.decided", "ticket.raised", "ticket.vote"]
    assert {item["resource"] for item in items} == {f"ticket/{TICKET}"}
    (vote,) = (item for item in items if item["operation"] == "ticket.vote")
    assert vote["actor"] == api_client.accounts.address("vera")
    assert refused(await api_client.get(f"/approvals/{TICKET}/audit-logs", by="otto")) == (403, "FORBIDDEN")
    assert refused(await api_client.get("/approvals/TKT-R999999/audit-logs", by="vera")) == (404, "NOT_FOUND")


async def test_documents_to_sign_expire_and_have_a_fresh_nonce(api_client: ApiClient) -> None:
    first, second = await documents(api_client), await documents(api_client)
    assert first["approve"]["message"]["nonce"] != second["approve"]["message"]["nonce"]
    assert first["approve"]["domain"]["chainId"] == 31337
    assert int(first["approve"]["message"]["expiresAt"]) <= int(seconds_from_now(301))
    assert timedelta(seconds=api_client.settings.approval.vote_ttl_seconds_max) == timedelta(minutes=5)
