"""A bearer token alone decides nothing: each action needs a fresh signature over exactly what will happen, which works once.

Before, the token of an operator was enough to settle and to resolve, and the command line took a name for a decision.
"""

import asyncio
import runpy
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import select, text, update
from tests.support.api_client import BLOCK_TIME, ApiClient, add_block, request_row, seconds_from_now, seed_session, signed_body
from tests.support.chain.fund import TestFund
from tests.support.chain.safes import SafeFactory, address_of, owner_account, signature_by_safe_message
from tests.support.malleability import copies_of
from tests.support.paths import DOCS
from tests.support.signed_grants import grant

from paimon.domain.kernel.chain import Address, checksum, parse_address
from paimon.domain.redemption.request import RedemptionStatus
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.domain.user.roles import UserRole
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.models.ops.signed_action import SignedActionRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.signatures import typed_digest

pytestmark = pytest.mark.integration

SETTLE: Final = ("settle_redemption", "/redemptions/1")
RESOLVE: Final = ("resolve_risk_event", "/risk/events/1")


@pytest.fixture
async def due(api_client: ApiClient, database: Database) -> None:
    """Record two requests that are due, and an event that a person may resolve."""
    values = {"requires_approval": False, "status": RedemptionStatus.PENDING, "settlement_at": BLOCK_TIME}
    ines = parse_address(api_client.accounts.address("ines"))
    async with database.write() as session:
        await add_block(session, 1)
        session.add_all([request_row(1, owner=ines, **values), request_row(2, owner=ines, **values)])
        session.add(event_row())


def event_row(**changes: Any) -> RiskEventRow:
    values: dict[str, Any] = {
        "kind": RiskKind.NAV_UNEXPLAINED,
        "subject": "NAV from block 1 to block 2",
        "observed": "7 (0 a share)",
        "expected": "0",
        "severity": Severity.WARNING,
        "status": RiskStatus.OPEN,
        "owner_role": UserRole.OPERATOR,
        "first_seen_at": BLOCK_TIME,
        "first_seen_block": 2,
        "last_seen_at": BLOCK_TIME,
        "last_seen_block": 2,
    }
    return RiskEventRow(**(values | changes))


async def document(api_client: ApiClient, action: str = SETTLE[0], resource: str = SETTLE[1]) -> dict[str, Any]:
    proposed = await api_client.propose(action, resource, by="otto")
    assert proposed.status_code == 200, proposed.text
    found: dict[str, Any] = proposed.json()["data"]["typedData"]
    return found


async def settle(
    api_client: ApiClient, body: dict[str, Any], request_id: int = 1, *, by: str | None = "otto"
) -> httpx.Response:
    return await api_client.post(f"/redemptions/{request_id}/settle", body, by=by)


async def settlements(database: Database) -> int:
    async with database.read() as session:
        return len(list(await session.scalars(select(IntentRow.id))))


@pytest.mark.usefixtures("due")
async def test_token_alone_settles_and_resolves_nothing(api_client: ApiClient, database: Database) -> None:
    for path in ("/redemptions/1/settle", "/risk/events/1/resolve"):
        for body in (None, {}, {"note": "x"}, {"reason": "x"}):
            assert (await api_client.post(path, body, by="otto")).status_code == 400
    assert await settlements(database) == 0
    async with database.read() as session:
        assert (await session.scalars(select(RiskEventRow.status))).one() is RiskStatus.OPEN


@pytest.mark.usefixtures("due")
async def test_every_field_of_the_document_is_bound(api_client: ApiClient, database: Database) -> None:
    """Another resource, amount, effect, statement, reason, chain or contract is another document."""
    shown, otto = await document(api_client), api_client.accounts.account("otto")
    other = {
        "action": "resolve_risk_event",
        "resource": "/redemptions/2",
        "statement": "Settle nothing",
        "amount": str(int(shown["message"]["amount"]) + 1),
        "effectHash": "0x" + "11" * 32,
    }
    assert {*other, "reason", "nonce", "expiresAt"} == set(shown["message"])
    bodies = [signed_body(shown, otto, reason="a test", **{field: value}) for field, value in other.items()]
    for field, value in (
        ("chainId", 56),
        ("verifyingContract", checksum(bytes(20))),
        ("name", "Another Fund"),
        ("version", "2"),
    ):
        elsewhere = deepcopy(shown)
        elsewhere["domain"][field] = value
        bodies.append(signed_body(elsewhere, otto, reason="a test"))
    honest = signed_body(shown, otto, reason="a test")
    bodies += [
        honest | {"reason": "another"},
        honest | {"nonce": "0x" + "22" * 32},
        honest | {"expiresAt": seconds_from_now(60)},
        signed_body(shown, api_client.accounts.account("vera"), reason="a test"),
    ]
    for body in bodies:
        assert (await settle(api_client, body)).status_code == 403, body
    assert (await settle(api_client, honest, request_id=2)).status_code == 403, "the same signature for another request"
    assert (await settle(api_client, honest, by=None)).status_code == 401
    assert await settlements(database) == 0
    assert (await settle(api_client, honest)).status_code == 202


@pytest.mark.usefixtures("due")
async def test_signature_counts_in_time_and_in_one_form(api_client: ApiClient, database: Database) -> None:
    shown, otto = await document(api_client), api_client.accounts.account("otto")
    lifetime = int(shown["message"]["expiresAt"]) - datetime.now(UTC).timestamp()
    assert 0 < lifetime <= 300
    for expiry in (seconds_from_now(-1), seconds_from_now(3_600)):
        assert (await settle(api_client, signed_body(shown, otto, reason="a test", expiresAt=expiry))).status_code == 400
    body = signed_body(shown, otto, reason="a test")
    signature = bytes.fromhex(body["signature"][2:])
    compact = signature[:32] + (int.from_bytes(signature[32:64], "big") | (signature[-1] - 27) << 255).to_bytes(32, "big")
    for malformed in (compact, signature[:-1], signature + b"\x00", b"", signature[:-1] + b"\x23"):
        answer = await settle(api_client, body | {"signature": "0x" + malformed.hex()})
        assert answer.status_code == 400, "neither EIP-2098 nor an EIP-155 v is a form of a signature here"
    answers = [await settle(api_client, body | {"signature": "0x" + copy.hex()}) for copy in sorted(copies_of(signature))]
    assert [answer.status_code for answer in answers] == [202, 409, 409, 409], "the copies of one signature are one use"
    async with database.read() as session:
        (row,) = await session.scalars(select(SignedActionRow).where(SignedActionRow.action == SETTLE[0]))
    assert row.signature == signature
    assert (row.action, row.resource, row.signer) == (*SETTLE, parse_address(otto.address))
    assert row.typed_data["message"] == shown["message"]


@pytest.mark.usefixtures("due")
async def test_nonce_works_once_across_all_kinds_of_actions(api_client: ApiClient) -> None:
    otto = api_client.accounts.account("otto")
    shown, other = await document(api_client), await document(api_client, *RESOLVE)
    nonce = shown["message"]["nonce"]
    assert (await settle(api_client, signed_body(shown, otto, reason="a test"))).status_code == 202
    replayed = await settle(api_client, signed_body(shown, otto, reason="a test"))
    assert (replayed.status_code, replayed.json()["error"]["details"][0]["field"]) == (409, "nonce")
    answer = await api_client.post("/risk/events/1/resolve", signed_body(other, otto, reason="a test", nonce=nonce), by="otto")
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (409, "nonce")


@pytest.mark.usefixtures("due")
async def test_same_nonce_at_once_has_one_effect(
    api_client: ApiClient, database: Database, eventually: Callable[..., Any]
) -> None:
    """Both requests pass the check before either commits: the key of the table decides.

    With `on_conflict_do_nothing` and no check of its answer, both settlements were queued.
    """
    otto, nonce = api_client.accounts.account("otto"), "0x" + "33" * 32
    bodies = [
        signed_body(
            await document(api_client, "settle_redemption", f"/redemptions/{number}"), otto, reason="a test", nonce=nonce
        )
        for number in (1, 2)
    ]
    async with database.write() as session:
        await session.execute(text("LOCK TABLE ops.signed_actions IN SHARE MODE"))
        requests = [asyncio.create_task(settle(api_client, body, number)) for number, body in enumerate(bodies, 1)]
        await eventually(lambda: waiting_sessions(database, 2))
    assert sorted([(await request).status_code for request in requests]) == [202, 409]
    assert await settlements(database) == 1


async def waiting_sessions(database: Database, number: int) -> bool:
    query = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
    async with database.read() as session:
        return int((await session.execute(query)).scalar_one()) == number


@pytest.mark.usefixtures("due")
async def test_event_that_changes_meanwhile_is_not_resolved(
    api_client: ApiClient, database: Database, eventually: Callable[..., Any]
) -> None:
    shown = await document(api_client, *RESOLVE)
    body = signed_body(shown, api_client.accounts.account("otto"), reason="a test")
    async with database.write() as session:
        await session.execute(update(RiskEventRow).values(observed="9 000 000 (3 a share)"))
        resolving = asyncio.create_task(api_client.post("/risk/events/1/resolve", body, by="otto"))
        await eventually(lambda: waiting_sessions(database, 1))
    answer = await resolving
    assert (answer.status_code, "changed since it was signed" in answer.json()["error"]["message"]) == (409, True)
    again = await api_client.post("/risk/events/1/resolve", body, by="otto")
    assert again.status_code == 403, "the document that is built now has the new figure"


@pytest.mark.usefixtures("due")
async def test_proposal_refuses_what_the_person_may_not_or_cannot_do(api_client: ApiClient, database: Database) -> None:
    async with database.write() as session:
        session.add(request_row(3, owner=parse_address(api_client.accounts.address("ines"))))
    refused = [
        ("settle_redemption", "/redemptions/1", "willa", 403, "FORBIDDEN"),
        ("settle_redemption", "/redemptions/3", "otto", 409, "CONFLICT"),
        ("settle_redemption", "/redemptions/99", "otto", 404, "NOT_FOUND"),
        ("settle_redemption", "/risk/events/1", "otto", 400, "VALIDATION_ERROR"),
        ("settle_redemption", "/redemptions/1\n", "otto", 400, "VALIDATION_ERROR"),
        ("clear_fault", "/wallets/0x" + "aB" * 20, "vera", 400, "VALIDATION_ERROR"),
        ("approve_redemption", "/approvals/TKT-R000003", "otto", 404, "NOT_FOUND"),
        ("execute_plan", "/plans/1", "otto", 400, "VALIDATION_ERROR"),
        ("pay_everyone", "/redemptions/1", "otto", 400, "VALIDATION_ERROR"),
    ]
    for action, resource, by, status, code in refused:
        answer = await api_client.propose(action, resource, by=by)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), (action, resource, answer.text)
    assert (await api_client.post("/signed-actions", {}, by=None)).status_code == 401


@pytest.mark.usefixtures("due")
async def test_documented_program_settles_a_request(api_client: ApiClient, database: Database, tmp_path: Path) -> None:
    page = (DOCS / "reference" / "api.md").read_text()
    program = tmp_path / "example.py"
    program.write_text(page.split("```python\n")[1].split("```")[0])
    act = runpy.run_path(str(program))["act"]
    data = await act(api_client.client, bytes(api_client.accounts.account("otto").key), *SETTLE, "the owner asked for it")
    assert data["status"] == "QUEUED"
    assert await settlements(database) == 1


@pytest.mark.usefixtures("due")
async def test_accepted_actions_are_evidence(api_client: ApiClient, database: Database) -> None:
    assert (await api_client.sign(*SETTLE, by="otto")).status_code == 202
    for statement in ("DELETE FROM ops.signed_actions", "UPDATE ops.signed_actions SET resource = '/redemptions/2'"):
        with pytest.raises(Exception, match="is evidence"):
            async with database.write() as session:
                await session.execute(text(statement))


@dataclass(frozen=True)
class SafeUser:
    """A Safe that is an operator, with one owner who signs for it."""

    api_client: ApiClient
    factory: SafeFactory
    safe: Address

    async def settle(self, owner: int) -> httpx.Response:
        shown = await document(self.api_client)
        shown["message"]["reason"] = "a test"
        signature = signature_by_safe_message(self.safe, [owner_account(owner)], typed_digest(shown), chain_id=31337)
        message = shown["message"]
        body = {name: message[name] for name in ("nonce", "expiresAt", "reason")} | {"signature": "0x" + signature.hex()}
        headers = {"Authorization": f"Bearer {self.api_client.token_of(self.safe, 'safe')}"}
        return await self.api_client.client.post("/api/v1/redemptions/1/settle", json=body, headers=headers)


@pytest.fixture
async def safe_user(api_client: ApiClient, database: Database, fund: TestFund) -> SafeUser:
    factory = SafeFactory.open(fund)
    safe = factory.safe([address_of(owner_account(1))], 1)
    await grant(database, fund, "safe", UserRole.OPERATOR, address=safe)
    await seed_session(database, safe, "safe")
    fund.wait_until_final()
    return SafeUser(api_client, factory, safe)


@pytest.mark.usefixtures("due")
async def test_contract_wallet_signs_with_the_owners_it_has_now(safe_user: SafeUser, database: Database) -> None:
    assert (await safe_user.settle(owner=2)).status_code in (400, 403), "a stranger's signature"
    assert (await safe_user.settle(owner=1)).status_code == 202
    async with database.read() as session:
        (row,) = await session.scalars(select(SignedActionRow).where(SignedActionRow.action == SETTLE[0]))
    assert (row.signer, row.verified_at_block is None) == (safe_user.safe, False)
    safe_user.factory.swap_owner(safe_user.safe, owner_account(1), owner_account(2))
    assert (await safe_user.settle(owner=1)).status_code in (400, 403), "the owner before"
    assert (await safe_user.settle(owner=2)).status_code == 202
