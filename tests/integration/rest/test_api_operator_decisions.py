"""Tests of operator decisions about dead-lettered messages and quarantined logs, over the API and on the command line."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text
from tests.support.api_client import ApiClient, add_block, log_row, request_row, require_example, seconds_from_now, signed_body
from tests.support.cli_processes import CliRunner, environment_at_a_terminal, keystore_options
from tests.support.outbox import Broker, add, relay, row

from paimon.composition import AppContext
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import parse_address
from paimon.infrastructure.database.models.derived import RawLogRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration

LOG = "/system/quarantine/1/0"


@pytest.fixture
async def dead_lettered(api_client: ApiClient, app_context: AppContext) -> int:
    """Add a dead-lettered message and a due one."""
    message_id, _ = await add(app_context.database, "failed", "due")
    async with app_context.database.write() as session:
        await session.execute(
            text("UPDATE ops.outbox SET dead_lettered_at = now(), attempts = 12, last_error = 'ValueError: no' WHERE id = :id"),
            {"id": message_id},
        )
    return message_id


@pytest.fixture
async def unapplied(api_client: ApiClient, app_context: AppContext) -> None:
    """Add request 1, and a quarantined log about it that names Ivan."""
    ines, ivan = (parse_address(api_client.accounts.address(name)) for name in ("ines", "ivan"))
    async with app_context.database.write() as session:
        block = await add_block(session, 1)
        session.add(request_row(1, owner=ines))
        session.add(request_row(2, owner=ivan))
        log = log_row(block, "RedemptionApproved", 1, {"requestId": "1", "approver": api_client.accounts.address("ivan")})
        log.status, log.reason = LogStatus.QUARANTINED, "it makes no sense"
        session.add(log)


async def decide(api_client: ApiClient, path: str, kind: str, *, by: str = "vera", **changes: Any) -> httpx.Response:
    document = (await api_client.get(path)).json()["data"]["signing"][kind]
    body = signed_body(document, api_client.accounts.account(by), reason="I know why", **changes)
    return await api_client.post(f"{path}/{kind.partition('_')[0]}", body, by=by)


async def decisions(database: Database) -> list[OperatorDecisionRow]:
    async with database.read() as session:
        return list(await session.scalars(select(OperatorDecisionRow).order_by(OperatorDecisionRow.id)))


async def test_operator_replays_a_dead_lettered_message_once(
    api_client: ApiClient, app_context: AppContext, dead_lettered: int
) -> None:
    listed = await api_client.get("/system/outbox", status="DEAD_LETTERED")
    require_example(listed, "outbox")
    assert [message["id"] for message in listed.json()["data"]["items"]] == [dead_lettered]
    assert [
        message["aggregateId"] for message in (await api_client.get("/system/outbox", status="DUE")).json()["data"]["items"]
    ] == ["due"]
    path = f"/system/outbox/{dead_lettered}"
    require_example(await api_client.get(path), "outbox_message")
    broker = Broker()
    await relay(app_context.database, broker)
    assert dead_lettered not in broker.published_ids

    answers = await asyncio.gather(*(decide(api_client, path, "replay_message", by=name) for name in ("otto", "vera")))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    done, refused = sorted(answers, key=lambda answer: answer.status_code)
    require_example(done, "decision")
    assert "is due and is retried anyway" in refused.json()["error"]["message"]
    assert done.json()["data"] | {"kind": "replay_message", "status": "DONE", "outcome": "due again"} == done.json()["data"]
    again = await row(app_context.database, dead_lettered)
    assert (again.dead_lettered_at, again.attempts, again.enqueued_at) == (None, 0, None)
    await relay(app_context.database, broker)
    assert dead_lettered in broker.published_ids
    (shown,) = (await api_client.get(path)).json()["data"]["decisions"]
    assert (shown["problem"], shown["reason"]) == ("test failed: ValueError: no", "I know why")
    assert (await api_client.get(path)).json()["data"]["signing"] == {}


async def test_replay_is_refused_without_role_or_valid_signature(
    api_client: ApiClient, app_context: AppContext, dead_lettered: int
) -> None:
    path = f"/system/outbox/{dead_lettered}"
    document = (await api_client.get(path)).json()["data"]["signing"]["replay_message"]

    def by(name: str, **changes: Any) -> dict[str, Any]:
        return signed_body(document, api_client.accounts.account(name), reason="I know why", **changes)

    refused = [
        (by("otto"), None, 401),
        (by("willa"), "willa", 403),
        (by("otto"), "vera", 403),
        (by("otto") | {"reason": "another"}, "otto", 403),
        (by("otto", resource="/system/outbox/0"), "otto", 403),
        (by("otto", action="skip_log"), "otto", 403),
        (by("otto", expiresAt=seconds_from_now(-1)), "otto", 400),
        (by("otto", expiresAt=seconds_from_now(3_600)), "otto", 400),
        (by("otto") | {"signature": "0x12"}, "otto", 400),
        (by("otto") | {"reason": ""}, "otto", 400),
    ]
    for body, name, status in refused:
        answer = await api_client.post(f"{path}/replay", body, by=name)
        assert answer.status_code == status, answer.text
    assert (await api_client.post("/system/outbox/4711/replay", by("otto"), by="otto")).status_code == 404
    assert await decisions(app_context.database) == []
    assert (await api_client.post(f"{path}/replay", by("otto"), by="otto")).status_code == 200
    second = await api_client.post(f"{path}/replay", by("otto"), by="otto")
    assert (second.status_code, second.json()["error"]["details"][0]["field"]) == (409, "nonce")


@pytest.mark.usefixtures("unapplied")
async def test_quarantined_log_marks_its_request(api_client: ApiClient) -> None:
    listed = await api_client.get("/system/quarantine")
    require_example(listed, "quarantine")
    (shown,) = listed.json()["data"]["items"]
    assert (shown["requestId"], shown["addresses"]) == ("1", [api_client.accounts.address("ivan")])
    assert (shown["status"], shown["reason"]) == ("QUARANTINED", "it makes no sense")
    assert (await api_client.get("/system/quarantine", requestId="2")).json()["data"]["items"] == []
    assert (await api_client.get("/system/quarantine", status="SKIPPED")).json()["data"]["items"] == []
    assert (await api_client.get("/system/quarantine", status="APPLIED")).status_code == 400
    marks = {item["requestId"]: item["quarantined"] for item in (await api_client.get("/redemptions")).json()["data"]["items"]}
    assert marks == {"1": True, "2": False}
    assert (await api_client.get("/redemptions/1")).json()["data"]["quarantined"] is True
    pending = (await api_client.get("/redemptions/pending-approvals")).json()["data"]["items"]
    assert {item["redemption"]["requestId"]: item["redemption"]["quarantined"] for item in pending} == marks


async def test_unknown_request_error_mentions_its_quarantined_log(api_client: ApiClient, app_context: AppContext) -> None:
    async with app_context.database.write() as session:
        log = log_row(await add_block(session, 1), "RedemptionSettled", 9, {"requestId": "9"})
        log.status, log.reason = LogStatus.QUARANTINED, "never recorded"
        session.add(log)
    answer = await api_client.get("/redemptions/9")
    assert (answer.status_code, "a quarantined log is about it" in answer.json()["error"]["message"]) == (404, True)


@pytest.mark.usefixtures("unapplied")
async def test_admin_skips_a_log_with_one_pending_decision_at_a_time(api_client: ApiClient, app_context: AppContext) -> None:
    require_example(await api_client.get(LOG), "quarantined_log")
    document = (await api_client.get(LOG)).json()["data"]["signing"]["skip_log"]
    operator = signed_body(document, api_client.accounts.account("otto"), reason="I know why")
    assert (await api_client.post(f"{LOG}/skip", operator, by="otto")).status_code == 403
    both = await asyncio.gather(
        decide(api_client, LOG, "skip_log", by="vera"), decide(api_client, LOG, "release_log", by="viktor")
    )
    assert sorted(answer.status_code for answer in both) == [202, 409]
    (waiting,) = await decisions(app_context.database)
    assert (waiting.status, waiting.problem, waiting.signature is None) == ("REQUESTED", "it makes no sense", False)
    found = (await api_client.get(LOG)).json()["data"]
    assert (len(found["decisions"]), found["signing"]) == (1, {})
    async with app_context.database.read() as session:
        kinds = [message.kind for message in await session.scalars(select(OutboxMessageRow))]
    assert kinds == ["apply_quarantine_decisions"]
    assert (await api_client.get("/system/quarantine/1/9")).status_code == 404


@pytest.mark.usefixtures("unapplied")
async def test_command_line_decision_is_signed_by_a_user_with_the_role(
    api_client: ApiClient, app_context: AppContext, dead_lettered: int, cli: CliRunner, tmp_path: Path
) -> None:
    await _record_skipped_and_applied_logs(app_context.database)
    run = partial(_run, cli, environment_at_a_terminal(api_client.settings))
    await _decide_on_the_command_line(api_client, dead_lettered, run, tmp_path)
    _, skipped = await run("quarantine", "show", "2", "0")
    assert skipped.splitlines()[1] == "    skipped"
    _, applied = await run("quarantine", "show", "2", "1")
    assert "2 1 APPLIED RedemptionManager RedemptionApproved" in applied
    assert "    skipped" not in applied
    first, second = await decisions(app_context.database)
    assert [(row.kind, row.signature is None) for row in (first, second)] == [("replay_message", False), ("skip_log", False)]
    async with app_context.database.read() as session:
        assert (await session.get_one(RawLogRow, (1, 0))).status is LogStatus.QUARANTINED, "it waits for a worker"


async def _record_skipped_and_applied_logs(database: Database) -> None:
    """Record a skipped log and an applied one."""
    async with database.write() as session:
        block = await add_block(session, 2)
        for index, status in enumerate((LogStatus.SKIPPED, LogStatus.APPLIED)):
            log = log_row(block, "RedemptionApproved", 2, {"requestId": "2"}, index=index)
            log.status = status
            session.add(log)


async def _run(cli: CliRunner, env: dict[str, str], *arguments: str) -> tuple[int, str]:
    program = cli.start(*arguments, env=env)
    return await asyncio.to_thread(program.wait), program.output_text


async def _decide_on_the_command_line(
    api_client: ApiClient, dead_lettered: int, run: Callable[..., Awaitable[tuple[int, str]]], folder: Path
) -> None:
    vera, otto, ines = (keystore_options(api_client.accounts, name, folder) for name in ("vera", "otto", "ines"))
    why = ("--reason", "I know why")
    assert f"{dead_lettered} test failed (normal), 12 attempts" in (await run("outbox", "dead-letters"))[1]
    assert "normal     1 due" in (await run("outbox"))[1]
    assert "is not a user" in (await run("outbox", "replay", str(dead_lettered), *ines, *why))[1]
    assert await run("outbox", "replay", str(dead_lettered), *otto, *why) == (
        0,
        f"message {dead_lettered} is due again\n",
    )
    code, refusal = await run("outbox", "replay", str(dead_lettered), *otto, *why)
    assert (code, "is due and is retried anyway" in refusal) == (2, True)

    assert "2 logs quarantined or skipped" in (await run("quarantine"))[1]
    assert (
        f"1 0 QUARANTINED RedemptionManager RedemptionApproved, about request 1, {api_client.accounts.address('ivan')}"
        in (await run("quarantine"))[1]
    )
    assert "needs the role admin" in (await run("quarantine", "skip", "1", "0", *otto, *why))[1]
    assert (await run("quarantine", "skip", "1", "0", *vera, "--reason", " "))[0] == 2
    assert (await run("quarantine", "skip", "1", "0", *vera, *why))[0] == 0
    assert "skip_log by" in (await run("quarantine", "show", "1", "0"))[1]
