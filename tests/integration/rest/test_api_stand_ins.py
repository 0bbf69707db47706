"""Stand-ins over REST: named by a signature, voting in the person's place, one vote for both, ended by either."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest
from tests.integration.approval_workflow.test_tickets import policy_with
from tests.support.api_client import (
    ApiClient,
    api_client_for,
    grant_approver_role,
    request_row,
    require_example,
    running_app,
    signed_body,
)
from tests.support.chain.fund import TestFund
from tests.support.sign_in import outcome

from paimon.application.approval_workflow.open_ticket import open_ticket_if_needed
from paimon.domain.approval.first_policy import FIRST_POLICY
from paimon.domain.approval.policy import ApprovalPolicy
from paimon.domain.kernel.chain import parse_address
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.rows.redemption import to_domain
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.integration

TICKET: Final = "TKT-R000001"


async def open_ticket(database: Database, owner: str, policy: ApprovalPolicy = FIRST_POLICY, *, number: int = 1) -> None:
    async with database.write() as session:
        row = request_row(number, owner=parse_address(owner))
        session.add(row)
        await session.flush()
        await open_ticket_if_needed(session, to_domain(row), policy, now=await database_now(session))


def wanted(api_client: ApiClient, stand_in: str, *, days: int = 7, started: timedelta = timedelta(minutes=5)) -> dict[str, Any]:
    starts = datetime.now(UTC) - started
    ends = starts + timedelta(days=days)
    times = {"startsAt": starts.isoformat(), "endsAt": ends.isoformat()}
    return {"standIn": api_client.accounts.address(stand_in), "reason": "on leave", **times}


async def name(api_client: ApiClient, stand_in: str, *, by: str, **times: Any) -> httpx.Response:
    body = wanted(api_client, stand_in, **times)
    preview = await api_client.post("/stand-ins/preview", body, by=by)
    if not preview.is_success:
        return preview
    require_example(preview, "stand_in_document")
    data = preview.json()["data"]
    signed = signed_body(data["typedData"], api_client.accounts.account(by), reason="on leave")
    return await api_client.post(data["submitTo"], body | signed, by=by)


async def vote(api_client: ApiClient, by: str, action: str = "approve_redemption") -> httpx.Response:
    return await api_client.sign(action, f"/approvals/{TICKET}", by=by)


async def rights_of(api_client: ApiClient, who: str) -> set[str]:
    rights = (await api_client.get("/me", by=who)).json()["data"]["rights"]
    return {right["permission"] for right in rights if right["isAllowed"]}


async def test_stand_in_votes_in_the_persons_place_and_both_count_once(api_client: ApiClient, database: Database) -> None:
    await grant_approver_role(database, api_client.accounts, "vera", "otto")
    await open_ticket(database, api_client.accounts.address("ines"))
    assert outcome(await vote(api_client, "otto")) == (403, "FORBIDDEN")
    named = await name(api_client, "otto", by="vera")
    require_example(named, "stand_in")
    assert named.json()["data"]["isInForce"] is True
    require_example(await api_client.get("/stand-ins", by="willa"), "stand_ins")
    assert "decide_approval" in await rights_of(api_client, "otto")
    assert (await vote(api_client, "otto")).status_code == 200
    assert (await vote(api_client, "vera")).status_code == 409


async def test_ended_stand_in_decides_nothing(api_client: ApiClient, database: Database) -> None:
    await grant_approver_role(database, api_client.accounts, "vera", "otto")
    await open_ticket(database, api_client.accounts.address("ines"))
    number = (await name(api_client, "otto", by="vera")).json()["data"]["id"]
    assert outcome(await api_client.sign("end_stand_in", f"/stand-ins/{number}", by="viktor")) == (403, "FORBIDDEN")
    ended = await api_client.sign("end_stand_in", f"/stand-ins/{number}", by="otto")
    require_example(ended, "stand_in_ended")
    assert outcome(await api_client.sign("end_stand_in", f"/stand-ins/{number}", by="ada")) == (409, "CONFLICT")
    assert outcome(await vote(api_client, "otto")) == (403, "FORBIDDEN")
    assert (await name(api_client, "otto", by="viktor")).status_code == 200, "the two are free again"


@pytest.mark.parametrize(("first", "second"), [("viktor", "vera"), ("vera", "viktor")])
async def test_vote_of_a_pair_is_the_only_one_of_the_two_after_its_time(
    api_client: ApiClient, database: Database, first: str, second: str
) -> None:
    await grant_approver_role(database, api_client.accounts, "vera", "viktor")
    await open_ticket(database, api_client.accounts.address("ines"), policy_with(3))
    number = (await name(api_client, "viktor", by="vera")).json()["data"]["id"]
    assert (await vote(api_client, first)).status_code == 200
    assert (await api_client.sign("end_stand_in", f"/stand-ins/{number}", by="vera")).status_code == 200
    refused = await vote(api_client, second)
    assert outcome(refused) == (409, "CONFLICT")
    assert "whose place this wallet shares" in refused.text


async def test_next_stand_in_adds_no_vote_in_the_same_place(api_client: ApiClient, database: Database) -> None:
    await grant_approver_role(database, api_client.accounts, "otto", "viktor")
    await open_ticket(database, api_client.accounts.address("ines"), policy_with(3))
    number = (await name(api_client, "otto", by="vera")).json()["data"]["id"]
    assert (await vote(api_client, "otto")).status_code == 200
    assert (await api_client.sign("end_stand_in", f"/stand-ins/{number}", by="vera")).status_code == 200
    assert (await name(api_client, "viktor", by="vera")).status_code == 200
    assert "whose place this wallet shares" in (await vote(api_client, "viktor")).text


async def test_person_silences_no_voter_by_naming_them(api_client: ApiClient, database: Database) -> None:
    await grant_approver_role(database, api_client.accounts, "vera", "viktor", "otto")
    await open_ticket(database, api_client.accounts.address("ines"), policy_with(3))
    assert (await vote(api_client, "vera")).status_code == 200
    number = (await name(api_client, "otto", by="vera")).json()["data"]["id"]
    assert outcome(await vote(api_client, "otto", "reject_redemption")) == (409, "CONFLICT"), "a right that vera lends"
    assert (await api_client.sign("end_stand_in", f"/stand-ins/{number}", by="vera")).status_code == 200
    assert (await name(api_client, "viktor", by="vera")).status_code == 200
    assert outcome(await vote(api_client, "viktor")) == (409, "CONFLICT")
    assert (await vote(api_client, "viktor", "reject_redemption")).status_code == 200, "a right of viktor's own"


async def test_stand_in_of_an_owner_does_not_vote_on_the_owners_request(api_client: ApiClient, database: Database) -> None:
    await grant_approver_role(database, api_client.accounts, "vera", "otto")
    await open_ticket(database, api_client.accounts.address("vera"))
    assert (await name(api_client, "otto", by="vera")).status_code == 200
    assert outcome(await vote(api_client, "otto")) == (403, "FORBIDDEN")


async def test_former_stand_in_does_not_vote_on_what_the_owner_asked_for_in_that_time(
    api_client: ApiClient, database: Database
) -> None:
    await grant_approver_role(database, api_client.accounts, "vera", "viktor")
    number = (await name(api_client, "viktor", by="vera")).json()["data"]["id"]
    await open_ticket(database, api_client.accounts.address("vera"))
    assert (await api_client.sign("end_stand_in", f"/stand-ins/{number}", by="viktor")).status_code == 200
    refused = await vote(api_client, "viktor")
    assert outcome(refused) == (403, "FORBIDDEN")
    assert "is a party of ticket" in refused.text
    assert "is a party of ticket" in (await api_client.propose("approve_redemption", f"/approvals/{TICKET}", by="viktor")).text
    await open_ticket(database, api_client.accounts.address("vera"), number=2)
    assert (await api_client.sign("approve_redemption", "/approvals/TKT-R000002", by="viktor")).status_code == 200, "after it"


async def test_impossible_stand_ins_are_refused_with_the_reason(api_client: ApiClient) -> None:
    assert outcome(await name(api_client, "vera", by="vera")) == (400, "VALIDATION_ERROR")
    assert outcome(await name(api_client, "willa", by="vera")) == (400, "VALIDATION_ERROR")
    assert outcome(await name(api_client, "vera", by="otto")) == (400, "VALIDATION_ERROR")
    assert outcome(await name(api_client, "otto", by="vera", days=91)) == (400, "VALIDATION_ERROR")
    past = await name(api_client, "otto", by="vera", started=timedelta(days=300), days=301)
    assert (outcome(past), "past" in past.text) == ((400, "VALIDATION_ERROR"), True)
    assert (await name(api_client, "otto", by="vera")).status_code == 200
    assert outcome(await name(api_client, "otto", by="viktor")) == (409, "CONFLICT")
    assert outcome(await api_client.propose("name_stand_in", "/stand-ins/1", by="vera")) == (400, "VALIDATION_ERROR")


async def test_stand_in_of_an_administrator_decides_where_administrators_are_served(
    api_client: ApiClient, database: Database, settings: Settings, fund: TestFund
) -> None:
    await grant_approver_role(database, api_client.accounts, "otto")
    await open_ticket(database, api_client.accounts.address("ines"))
    assert (await name(api_client, "otto", by="vera")).status_code == 200
    api = settings.api.model_copy(update={"admin_networks": "203.0.113.0/24"})
    elsewhere = settings.model_copy(update={"api": api})
    async with running_app(elsewhere) as app, api_client_for(app, elsewhere, fund.accounts) as outside:
        assert outcome(await vote(outside, "otto")) == (403, "FORBIDDEN")
    assert (await vote(api_client, "otto")).status_code == 200
