"""Given-up reactions and quarantined logs over the API and at the terminal: shown, decided once, by whoever may and signed."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text
from tests.support.api_client import ApiClient, add_block, log_row, request_row, require_example, seconds_from_now, signed_body
from tests.support.cli_processes import CliRunner, environment_of
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
async def dead(api_client: ApiClient, app_context: AppContext) -> int:
    """A reaction that was given up, beside one that is due."""
    is_aborting, _ = await add(app_context.database, "given up", "due")
    async with app_context.database.write() as session:
        await session.execute(
            text("UPDATE ops.outbox SET dead_lettered_at = now(), attempts = 12, last_error = 'ValueError: no' WHERE id = :id"),
            {"id": is_aborting},
        )
    return is_aborting


@pytest.fixture
async def unapplied(api_client: ApiClient, app_context: AppContext) -> None:
    """Request 1, and a log that tells of it and of Ivan and could not be applied."""
    ines, ivan = (parse_address(api_client.accounts.address(name)) for name in ("ines", "ivan"))
    async with app_context.database.write() as session:
        block = await add_block(session, 1)
        session.add(request_row(1, owner=ines))
        session.add(request_row(2, owner=ivan))
        log = log_row(block, "RedemptionApproved", 1, {"requestId": "1", "approver": api_client.accounts.address("ivan")})
        log.status, log.reason = LogStatus.QUARANTINED, "it makes no sense"
        session.add(log)


async def ask(api_client: ApiClient, path: str, kind: str, *, by: str = "vera", **changes: Any) -> httpx.Response:
    document = (await api_client.get(path)).json()["data"]["signing"][kind]
    body = signed_body(document, api_client.accounts.account(by), reason="I know why", **changes)
    return await api_client.post(f"{path}/{kind.partition('_')[0]}", body, by=by)


async def decisions(database: Database) -> list[OperatorDecisionRow]:
    async with database.read() as session:
        return list(await session.scalars(select(OperatorDecisionRow).order_by(OperatorDecisionRow.id)))


async def test_a_reaction_that_was_given_up_is_listed_and_replayed_once_by_an_operator(
    api_client: ApiClient, app_context: AppContext, dead: int
) -> None:
    listed = await api_client.get("/system/outbox", state="dead")
    require_example(listed, "outbox")
    assert [each["id"] for each in listed.json()["data"]["items"]] == [dead]
    assert [each["aggregateId"] for each in (await api_client.get("/system/outbox", state="due")).json()["data"]["items"]] == [
        "due"
    ]
    path = f"/system/outbox/{dead}"
    require_example(await api_client.get(path), "outbox_message")
    broker = Broker()
    await relay(app_context.database, broker)
    assert dead not in broker.published_ids

    answers = await asyncio.gather(*(ask(api_client, path, "replay_message", by=name) for name in ("otto", "vera")))
    assert sorted(each.status_code for each in answers) == [200, 409]
    done, refused = sorted(answers, key=lambda each: each.status_code)
    require_example(done, "remedy")
    assert "is due and will be tried by itself" in refused.json()["error"]["message"]
    assert done.json()["data"] | {"kind": "replay_message", "state": "done", "outcome": "due again"} == done.json()["data"]
    again = await row(app_context.database, dead)
    assert (again.dead_lettered_at, again.attempts, again.enqueued_at) == (None, 0, None)
    await relay(app_context.database, broker)
    assert dead in broker.published_ids
    (shown,) = (await api_client.get(path)).json()["data"]["decisions"]
    assert (shown["problem"], shown["reason"]) == ("test given up: ValueError: no", "I know why")
    assert (await api_client.get(path)).json()["data"]["signing"] == {}


async def test_who_may_not_replay_and_what_was_not_signed(api_client: ApiClient, app_context: AppContext, dead: int) -> None:
    path = f"/system/outbox/{dead}"
    document = (await api_client.get(path)).json()["data"]["signing"]["replay_message"]

    def by(name: str, **changes: Any) -> dict[str, Any]:
        return signed_body(document, api_client.accounts.account(name), reason="I know why", **changes)

    refused = [
        (by("otto"), None, 401),
        (by("willa"), "willa", 403),
        (by("otto"), "vera", 403),
        (by("otto") | {"reason": "another"}, "otto", 403),
        (by("otto", target="message 0"), "otto", 403),
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
async def test_a_quarantined_log_marks_the_request_it_tells_of(api_client: ApiClient) -> None:
    listed = await api_client.get("/system/quarantine")
    require_example(listed, "quarantine")
    (shown,) = listed.json()["data"]["items"]
    assert (shown["requestId"], shown["addresses"]) == ("1", [api_client.accounts.address("ivan")])
    assert (shown["status"], shown["reason"]) == ("quarantined", "it makes no sense")
    assert (await api_client.get("/system/quarantine", requestId="2")).json()["data"]["items"] == []
    assert (await api_client.get("/system/quarantine", status="skipped")).json()["data"]["items"] == []
    assert (await api_client.get("/system/quarantine", status="applied")).status_code == 400
    marks = {each["requestId"]: each["quarantined"] for each in (await api_client.get("/redemptions")).json()["data"]["items"]}
    assert marks == {"1": True, "2": False}
    assert (await api_client.get("/redemptions/1")).json()["data"]["quarantined"] is True
    pending_request_id = (await api_client.get("/redemptions/pending-approvals")).json()["data"]["items"]
    assert {each["redemption"]["requestId"]: each["redemption"]["quarantined"] for each in pending_request_id} == marks


async def test_a_request_that_only_a_quarantined_log_knows_is_not_simply_unknown(
    api_client: ApiClient, app_context: AppContext
) -> None:
    async with app_context.database.write() as session:
        log = log_row(await add_block(session, 1), "RedemptionSettled", 9, {"requestId": "9"})
        log.status, log.reason = LogStatus.QUARANTINED, "never recorded"
        session.add(log)
    answer = await api_client.get("/redemptions/9")
    assert (answer.status_code, "a log in quarantine tells of it" in answer.json()["error"]["message"]) == (404, True)


@pytest.mark.usefixtures("unapplied")
async def test_a_log_is_skipped_by_an_admins_signature_and_one_decision_waits_at_a_time(
    api_client: ApiClient, app_context: AppContext
) -> None:
    require_example(await api_client.get(LOG), "quarantined_log")
    document = (await api_client.get(LOG)).json()["data"]["signing"]["skip_log"]
    operator = signed_body(document, api_client.accounts.account("otto"), reason="I know why")
    assert (await api_client.post(f"{LOG}/skip", operator, by="otto")).status_code == 403
    both = await asyncio.gather(ask(api_client, LOG, "skip_log", by="vera"), ask(api_client, LOG, "release_log", by="viktor"))
    assert sorted(each.status_code for each in both) == [202, 409]
    (waiting,) = await decisions(app_context.database)
    assert (waiting.status, waiting.problem, waiting.signature is None) == ("asked", "it makes no sense", False)
    found = (await api_client.get(LOG)).json()["data"]
    assert (len(found["decisions"]), found["signing"]) == (1, {})
    async with app_context.database.read() as session:
        kinds = [each.kind for each in await session.scalars(select(OutboxMessageRow))]
    assert kinds == ["apply_quarantine_decisions"]
    assert (await api_client.get("/system/quarantine/1/9")).status_code == 404


@pytest.mark.usefixtures("unapplied")
async def test_at_the_terminal_whoever_decides_is_named_and_must_be_one_who_may(
    api_client: ApiClient, app_context: AppContext, dead: int
) -> None:
    await _record_one_more_each(app_context.database)
    with CliRunner() as cli:
        said = partial(_said, cli, environment_of(api_client.settings))
        await _decide_at_the_terminal(api_client, dead, said)
        _, left_out = await said("quarantine", "show", "2", "0")
        assert left_out.splitlines()[1] == "    left out"
        _, applied = await said("quarantine", "show", "2", "1")
        assert "2 1 applied RedemptionManager RedemptionApproved" in applied
        assert "left out" not in applied
    first, second = await decisions(app_context.database)
    assert (first.kind, first.signature, second.kind, second.typed_data) == ("replay_message", None, "skip_log", None)
    async with app_context.database.read() as session:
        assert (await session.get_one(RawLogRow, (1, 0))).status is LogStatus.QUARANTINED, "it waits for a worker"


async def _record_one_more_each(database: Database) -> None:
    """A log that was left out, and one that is in the books."""
    async with database.write() as session:
        block = await add_block(session, 2)
        for index, status in enumerate((LogStatus.SKIPPED, LogStatus.APPLIED)):
            log = log_row(block, "RedemptionApproved", 2, {"requestId": "2"}, index=index)
            log.status = status
            session.add(log)


async def _said(cli: CliRunner, env: dict[str, str], *words: str) -> tuple[int, str]:
    program = cli.start(*words, env=env)
    return await asyncio.to_thread(program.wait), program.output_text


async def _decide_at_the_terminal(api_client: ApiClient, dead: int, said: Callable[..., Awaitable[tuple[int, str]]]) -> None:
    vera, otto, ines = (api_client.accounts.address(name) for name in ("vera", "otto", "ines"))
    why = ("--reason", "I know why")
    assert f"{dead} test given up (normal), 12 attempts" in (await said("outbox", "dead-letters"))[1]
    assert "normal     1 due" in (await said("outbox"))[1]
    assert "is not a user" in (await said("outbox", "replay", str(dead), "--by", ines, *why))[1]
    assert await said("outbox", "replay", str(dead), "--by", otto, *why) == (0, f"message {dead} is due again\n")
    code, refusal = await said("outbox", "replay", str(dead), "--by", otto, *why)
    assert (code, "will be tried by itself" in refusal) == (2, True)

    assert "2 logs quarantined or skipped" in (await said("quarantine"))[1]
    assert (
        f"1 0 QUARANTINED RedemptionManager RedemptionApproved, about request 1, {api_client.accounts.address('ivan')}"
        in (await said("quarantine"))[1]
    )
    assert "needs the role admin" in (await said("quarantine", "skip", "1", "0", "--by", otto, *why))[1]
    assert (await said("quarantine", "skip", "1", "0", "--by", vera, "--reason", " "))[0] == 2
    assert (await said("quarantine", "skip", "1", "0", "--by", vera, *why))[0] == 0
    assert "skip_log by" in (await said("quarantine", "show", "1", "0"))[1]
