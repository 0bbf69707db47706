"""Versions of the policy over REST and the command line: drafted, checked, published by another person, kept by tickets."""

import asyncio
import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs
from tests.support.api_client import ApiClient, request_row, require_example, signed_body
from tests.support.cli_processes import CliRunner, environment_at_a_terminal

from paimon.application.approval_policy.publications import get_current_policy
from paimon.application.approval_tickets.store import get_ticket
from paimon.application.approval_workflow.open_ticket import open_ticket_if_needed
from paimon.composition import AppContext
from paimon.domain.approval.first_policy import FIRST_POLICY, FIRST_POLICY_DOCUMENT
from paimon.domain.approval.ticket import Ticket
from paimon.domain.kernel.chain import parse_address
from paimon.gateway.tasks.app import TASKS
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.rows.redemption import to_domain
from paimon.infrastructure.database.sessions import Database
from paimon.settings import WalletLimitSettings

pytestmark = pytest.mark.integration


def rules_with(**changes: Any) -> list[dict[str, Any]]:
    """Return the rules of version 1, with members of the rule of standard redemptions replaced."""
    rules: list[dict[str, Any]] = deepcopy(FIRST_POLICY_DOCUMENT["rules"])
    rules[1] |= changes
    return rules


STRICTER = rules_with(approvals=[[{"count": 2, "from": "vip_approver"}]])


async def draft(api_client: ApiClient, rules: list[dict[str, Any]], *, by: str = "vera") -> dict[str, Any]:
    answer = await api_client.post("/policy/drafts", {"title": "two votes", "rules": rules}, by=by)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def publish(api_client: ApiClient, draft_id: int, *, by: str = "viktor") -> Any:
    return await api_client.sign("publish_policy", f"/policy/drafts/{draft_id}", by=by, reason="agreed by the board")


async def opened(app_context: AppContext, api_client: ApiClient, request_id: int) -> Ticket:
    async with app_context.database.write() as session:
        row = request_row(request_id, owner=parse_address(api_client.accounts.address("ines")))
        session.add(row)
        await session.flush()
        policy, now = await get_current_policy(session, app_context.signing_rules.scope), await database_now(session)
        ticket = await open_ticket_if_needed(session, to_domain(row), policy, now=now)
    assert ticket is not None
    return ticket


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["message"]


async def test_database_starts_with_the_first_policy(api_client: ApiClient) -> None:
    answer = await api_client.get("/policy")
    require_example(answer, "policy")
    data = answer.json()["data"]
    assert (data["version"], data["publishedBy"], len(data["rules"])) == (1, None, len(FIRST_POLICY.rules))


async def test_published_draft_decides_new_tickets_and_old_ones_keep_their_version(
    api_client: ApiClient, app_context: AppContext
) -> None:
    before = await opened(app_context, api_client, 1)
    made = await api_client.post("/policy/drafts", {"title": "two votes", "rules": STRICTER}, by="vera")
    require_example(made, "policy_draft")
    number = made.json()["data"]["id"]
    require_example(await api_client.get("/policy/drafts"), "policy_drafts")

    proposed = await api_client.propose("publish_policy", f"/policy/drafts/{number}", by="viktor")
    assert proposed.json()["data"]["statement"] == "Publish approval policy 2: changed standard_redemption"
    published = await publish(api_client, number)
    assert published.status_code == 200, published.text
    require_example(published, "policy_published")
    data = published.json()["data"]
    assert (data["version"], data["reason"], data["publishedBy"]) == (
        2,
        "agreed by the board",
        api_client.accounts.address("viktor"),
    )
    require_example(await api_client.get("/policy/versions"), "policy_versions")
    assert [item["version"] for item in (await api_client.get("/policy/versions")).json()["data"]["items"]] == [2, 1]
    assert (await api_client.get("/policy/drafts")).json()["data"]["items"] == []
    assert (await api_client.get("/policy/versions/1")).json()["data"]["rules"][1]["approvals"][0][0]["count"] == 1

    after = await opened(app_context, api_client, 2)
    async with app_context.database.read() as session:
        kept = await get_ticket(session, before.id)
    assert [(ticket.policy_version, ticket.rules, ticket.required_approvals) for ticket in (kept, after)] == [
        (1, ("standard_redemption",), 1),
        (2, ("standard_redemption",), 2),
    ]
    assert (await api_client.get("/policy/versions/3")).status_code == 404


async def test_person_who_changed_a_draft_last_does_not_publish_it(api_client: ApiClient) -> None:
    number = (await draft(api_client, STRICTER, by="vera"))["id"]
    status, message = error(await publish(api_client, number, by="vera"))
    assert (status, "another administrator publishes it" in message) == (403, True)
    body = {"title": "again", "rules": STRICTER}
    path = f"/api/v1/policy/drafts/{number}"
    changed = await api_client.client.put(path, json=body, headers=api_client.headers("viktor"))
    assert changed.json()["data"]["changedBy"] == api_client.accounts.address("viktor")
    assert (await publish(api_client, number, by="viktor")).status_code == 403
    assert (await publish(api_client, number, by="vera")).status_code == 200


async def test_operator_neither_drafts_nor_publishes(api_client: ApiClient) -> None:
    number = (await draft(api_client, STRICTER))["id"]
    assert (await api_client.post("/policy/drafts", {"title": "x", "rules": STRICTER}, by="otto")).status_code == 403
    assert (await publish(api_client, number, by="otto")).status_code == 403


async def test_draft_with_faults_lists_them_and_is_not_published(api_client: ApiClient) -> None:
    found = await draft(api_client, STRICTER[:-1])
    assert {finding["fault"] for finding in found["findings"]} == {"GAP"}
    status, message = error(await publish(api_client, found["id"]))
    assert (status, message.startswith("GAP: no rule matches kinds: CALL")) == (409, True)


async def test_document_that_is_no_policy_is_refused_with_the_place(api_client: ApiClient) -> None:
    rules = rules_with(sla={"warnSeconds": 5, "escalateSeconds": 2, "deadlineSeconds": 9})
    answer = await api_client.post("/policy/drafts", {"title": "x", "rules": rules}, by="vera")
    assert answer.status_code == 400
    (detail,) = answer.json()["error"]["details"]
    assert (detail["field"], detail["code"]) == ("rules.1.sla", "INVALID_POLICY")


async def test_of_two_publications_at_once_one_counts_and_the_other_is_outdated(
    api_client: ApiClient, app_context: AppContext
) -> None:
    drafts = [(await draft(api_client, rules, by="vera"))["id"] for rules in (STRICTER, rules_with(name="standard"))]
    publishers = zip(drafts, ("viktor", "ada"), strict=True)
    answers = await asyncio.gather(*(publish(api_client, number, by=by) for number, by in publishers))
    assert sorted(answer.status_code for answer in answers) == [200, 409], [answer.text for answer in answers]
    (late,) = (answer for answer in answers if answer.status_code == 409)
    # Either the draft is compared with the version in force, or its document, which names that version, has changed.
    message = late.json()["error"]["message"]
    assert "version 2 is in force" in message or "has changed since it was signed" in message, message
    async with app_context.database.read() as session:
        assert (await get_current_policy(session, app_context.signing_rules.scope)).version == 2


async def test_draft_that_changed_after_it_was_signed_is_not_published(api_client: ApiClient) -> None:
    number = (await draft(api_client, STRICTER))["id"]
    proposed = (await api_client.propose("publish_policy", f"/policy/drafts/{number}", by="viktor")).json()["data"]
    body = signed_body(proposed["typedData"], api_client.accounts.account("viktor"), reason="a test")
    looser = {"title": "x", "rules": rules_with(name="other_name")}
    path = f"/api/v1/policy/drafts/{number}"
    assert (await api_client.client.put(path, json=looser, headers=api_client.headers("vera"))).status_code == 200
    answer = await api_client.post(f"/policy/drafts/{number}/publish", body, by="viktor")
    assert answer.status_code == 403, answer.text
    assert (await api_client.get("/policy")).json()["data"]["version"] == 1


async def test_dry_run_names_the_rule_and_why_the_others_do_not_match(api_client: ApiClient) -> None:
    operation = {"kind": "REBALANCE", "initiator": "planner", "source": "warm", "contract": "AssetController"}
    asked = operation | {"method": "executeWaterfallLiquidation", "amount": "120000"}
    answer = await api_client.post("/policy/dry-run", asked, by="willa")
    require_example(answer, "policy_dry_run")
    data = answer.json()["data"]
    assert (data["verdict"], data["rule"]["name"], data["version"]) == ("NEEDS_APPROVALS", "rebalance_small", 1)
    assert data["explanation"] == "rule rebalance_small needs 1 of admin, ticket REBALANCE_SMALL, deadline 2 h"
    assert data["notMatched"][-1] == {"rule": "rebalance_reviewed", "mismatch": "amount"}
    rules = [{"name": "stop", "verdict": "BLOCK", "when": {"sources": ["warm"], "kinds": ["REBALANCE"]}}, *STRICTER]
    number = (await draft(api_client, rules))["id"]
    by_draft = (await api_client.post("/policy/dry-run", asked | {"draftId": number}, by="willa")).json()["data"]
    assert (by_draft["verdict"], by_draft["rule"]["name"], by_draft["version"]) == ("BLOCK", "stop", 2)


async def test_draft_is_removed(api_client: ApiClient) -> None:
    number = (await draft(api_client, STRICTER))["id"]
    path = f"/api/v1/policy/drafts/{number}"
    removed = await api_client.client.delete(path, headers=api_client.headers("viktor"))
    require_example(removed, "policy_draft_removed")
    assert (await api_client.client.delete(path, headers=api_client.headers("viktor"))).status_code == 404


@pytest.mark.parametrize("statement", ["UPDATE {} SET document = '{{}}'", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_published_version_never_changes(database: Database, owner_url: str, statement: str) -> None:
    with psycopg.connect(owner_url.replace("+psycopg", "")) as owner, pytest.raises(psycopg.Error, match="is evidence"):
        owner.execute(statement.format("ops.approval_policies"))


async def test_command_line_shows_checks_and_tries_a_policy(
    cli: CliRunner, app_context: AppContext, api_client: ApiClient, tmp_path: Path
) -> None:
    environment = environment_at_a_terminal(app_context.settings)

    async def run(*words: str, code: int = 0) -> str:
        process = cli.start("policy", *words, env=environment)
        assert await asyncio.to_thread(process.wait) == code, process.output_text
        return process.output_text

    shown = await run("show")
    assert "version 1, published" in shown
    assert "rule rebalance_small needs 1 of admin, ticket REBALANCE_SMALL, deadline 2 h" in shown
    document = json.loads(await run("show", "--json"))
    assert document == (await api_client.get("/policy")).json()["data"]
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(document))
    assert "12 rules: no gap, no conflict" in await run("check", str(file))
    document["rules"].pop()
    file.write_text(json.dumps(document))
    assert "GAP: no rule matches kinds: CALL" in await run("check", str(file), code=2)
    tried = await run("dry-run", "CALL", "Vault.pause", "--source", "cold")
    assert "NEEDS_APPROVALS: rule manual_operation needs 2 of admin" in tried
    assert "not small_plan: its contracts do not match" in tried
    assert "BLOCK: no rule matches it" in await run("dry-run", "CALL", "Vault.pause", "--file", str(file))


async def test_scheduled_check_logs_a_rule_that_a_raised_limit_makes_faulty(app_context: AppContext) -> None:
    settings = app_context.settings
    limits = WalletLimitSettings(plan=60_000, day=10**6)
    sending = settings.sending.model_copy(update={"hot": settings.sending.keeper, "hot_limits": limits})
    raised = replace(app_context, settings=settings.model_copy(update={"sending": sending}))
    with capture_logs() as logs:
        await TASKS["paimon.check_users"](app_context)
        assert [entry for entry in logs if entry["event"] == "policy.faulty"] == []
        await TASKS["paimon.check_users"](raised)
    faults = [entry["reason"] for entry in logs if (entry["event"], entry["log_level"]) == ("policy.faulty", "error")]
    assert any("KEY: policy 1: rule manual_operation" in fault for fault in faults)
