"""Emergencies on recorded states: declared by the level, one at a time, decided by people, and drilled without an effect."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from tests.support.api_client import ApiClient, require_example
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.database_roles import context_of
from tests.support.factories.emergencies import (
    COLD_SAFE,
    NOTHING_PAUSED,
    RECORDED_FROM,
    record_cold_safe,
    record_fund,
    record_level,
)
from tests.support.factories.multisig_rows import HASH
from tests.support.factories.rows import insert_row
from tests.support.factories.snapshots import stamp
from tests.support.sign_in import outcome

from paimon.application.deployment.store import keep_facts
from paimon.application.emergency.advance import EMERGENCY, advance_emergency, advance_once
from paimon.application.emergency.observe import EmergencyContext
from paimon.application.emergency.step_plans import payload_hash_of
from paimon.application.emergency.store import (
    DatedEntry,
    insert_emergency,
    list_emergencies,
    list_entries,
    save_emergency,
)
from paimon.application.risk_control.store import lock_findings
from paimon.composition import AppContext
from paimon.domain.deployment.contract_facts import ContractFacts, Deployment, FunctionState
from paimon.domain.kernel.chain import ContractName, Hash32, parse_address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.risk.emergency import Emergency, EmergencyState, EmergencyStep, EntryKind, StepKind, StepStatus
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.domain.risk.risk_policy import RiskLevel
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.plan import PlanRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.integration

CALM, CRITICAL = RiskLevel.NORMAL, RiskLevel.CRITICAL
HOUR = 3_600


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Name a cold Safe in the settings."""
    return settings.model_copy(update={"sending": settings.sending.model_copy(update={"cold": COLD_SAFE})})


@pytest.fixture
async def worker(app_context: AppContext) -> AsyncIterator[EmergencyContext]:
    async with context_of(DatabaseRole.WORKER, app_context) as opened:
        yield opened.emergency_context


async def emergencies(database: Database) -> list[Emergency]:
    """Return all of them, oldest first."""
    async with database.read() as session:
        return [found.emergency for found in await list_emergencies(session, limit=100)][::-1]


async def timeline(database: Database, number: int) -> list[DatedEntry]:
    async with database.read() as session:
        return await list_entries(session, number)


async def event_of(database: Database, name: str) -> RiskEventRow:
    async with database.read() as session:
        query = select(RiskEventRow).where(RiskEventRow.kind == RiskKind.EMERGENCY, RiskEventRow.subject == name)
        return (await session.scalars(query)).one()


async def declare(database: Database, worker: EmergencyContext, seconds: int = 0) -> Emergency:
    assert await record_level(database, CRITICAL, seconds) is CRITICAL
    await advance_emergency(worker)
    return (await emergencies(database))[-1]


async def settle_at_normal(database: Database, worker: EmergencyContext, seconds: int, **flags: bool) -> None:
    """Let the level settle at NORMAL from this time on, with a look after each assessment."""
    for after in (0, 16 * 60):
        await record_level(database, CALM, seconds + after, flags=replace(NOTHING_PAUSED, **flags))
        await advance_emergency(worker)


async def test_calm_fund_declares_nothing(database: Database, worker: EmergencyContext) -> None:
    await advance_emergency(worker)
    assert await record_level(database, CALM, 0) is CALM
    await advance_emergency(worker)
    assert await emergencies(database) == []


async def test_critical_level_is_declared_once_with_its_evidence_and_alerts(
    database: Database, worker: EmergencyContext
) -> None:
    assert await record_level(database, CRITICAL, 0) is CRITICAL
    await asyncio.gather(*(advance_emergency(worker) for _ in range(4)))
    (found,) = await emergencies(database)
    assert (found.state, found.is_drill) == (EmergencyState.CONTAINING, False)
    entries = [(dated.entry.kind, dated.entry.step) for dated in await timeline(database, found.id)]
    assert entries == [
        (EntryKind.STATE, None),
        (EntryKind.STATE, None),
        (EntryKind.PROPOSED, StepKind.PAUSE_VAULT),
        (EntryKind.PROPOSED, StepKind.PAUSE_REDEMPTIONS),
        (EntryKind.PROPOSED, StepKind.OPEN_EXIT),
    ]
    async with database.read() as session:
        (stored,) = await list_emergencies(session, limit=1)
        messages = select(func.count()).where(OutboxMessageRow.kind == EMERGENCY)
        assert (await session.execute(messages)).scalar_one() == 2, "watchers are told of each transition"
    assert (stored.evidence["block"]["number"], stored.evidence["level"]) == (1_000, "CRITICAL")
    assert stored.evidence["indicators"]["l1_l2_ratio"] == "0.15"
    event = await event_of(database, f"emergency {found.id}")
    assert (event.severity, event.status) == (Severity.CRITICAL, RiskStatus.OPEN)
    assert event.observed == "CONTAINING; to be submitted: PAUSE_VAULT, PAUSE_REDEMPTIONS, OPEN_EXIT"


async def test_look_that_waited_sees_what_was_recorded_meanwhile(
    database: Database, worker: EmergencyContext, eventually: Callable[..., Any]
) -> None:
    """What it had read before the locks would be older than what the look before it answered."""
    await declare(database, worker)
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()")

    async def is_waiting() -> bool:
        async with database.read() as reader:
            return bool((await reader.execute(waiting)).scalar_one())

    async with database.write() as another:
        await lock_findings(another)
        second = asyncio.create_task(advance_once(worker))
        await eventually(is_waiting, seconds_max=60)
        await record_fund(database, CRITICAL, 60, flags=replace(NOTHING_PAUSED, vault_paused=True))
    await second
    (found,) = await emergencies(database)
    pause = found.step(StepKind.PAUSE_VAULT)
    assert pause is not None
    assert (pause.status, pause.done_at_block) == (StepStatus.DONE, 1_060)


async def test_function_that_the_deployment_lacks_is_said_in_the_step(
    database: Database, worker: EmergencyContext, app_context: AppContext
) -> None:
    absent = {"setEmergencyMode(bool)": FunctionState.ABSENT}
    vault = ContractFacts(ContractName.VAULT, COLD_SAFE, Hash32(bytes(32)), None, None, absent)
    async with database.write() as session:
        await keep_facts(session, Deployment(stamp(900), (vault,)), {})
    found = await declare(database, worker)
    step = found.step(StepKind.OPEN_EXIT)
    assert step is not None
    assert not step.is_selected
    assert step.warning == (
        "this Vault has no setEmergencyMode(bool), as its code showed at block 900: no plan can open redemptions that are due"
        " in a day, which a pause does not close"
    )


@pytest.mark.parametrize(("closed_after", "expected"), [(-1, StepStatus.DONE), (1, StepStatus.SUBMITTED)])
async def test_execution_by_others_that_left_no_event_ends_its_step_with_a_later_snapshot(
    database: Database, worker: EmergencyContext, closed_after: int, expected: StepStatus
) -> None:
    """Such as a waterfall that sold nothing."""
    found = await declare(database, worker)
    step = EmergencyStep(
        *(StepKind.FREE_LIQUIDITY, StepStatus.SUBMITTED, 1, found.started_at),
        amount=RawAmount(5),
        proposed_at=found.started_at,
        plan_id=UUID(int=2),
    )
    closed_at = RECORDED_FROM + timedelta(seconds=closed_after)
    executed = {"outcome": "EXECUTED", "executed_tx_hash": HASH, "closed_at": closed_at}
    plan = {"idempotency_key": found.key(step), "name": found.name, "wallet": PlanWallet.COLD, "proposal": HASH}
    async with database.write() as session:
        await insert_row(session, SafeRow)
        await insert_row(session, SafeProposalRow, **executed)
        payload_hash = payload_hash_of(found, step, worker.plans.contracts)
        await insert_row(session, PlanRow, **plan, payload_hash=payload_hash)
        await save_emergency(session, replace(found, steps=(*found.steps, step)), (), now=found.started_at)
    await advance_emergency(worker)
    (after,) = await emergencies(database)
    freed = after.step(StepKind.FREE_LIQUIDITY)
    assert freed is not None
    assert freed.status is expected


async def test_database_refuses_a_second_open_emergency(database: Database, worker: EmergencyContext) -> None:
    await declare(database, worker)
    with pytest.raises(IntegrityError, match="uq_emergencies_open"):
        async with database.write() as session:
            await session.execute(
                text(
                    "INSERT INTO ops.emergencies (is_drill, state, started_at, evidence, state_since, critical_since, steps)"
                    " VALUES (false, 'DECLARED', now(), '{}', now(), now(), '[]')"
                )
            )
    async with database.write() as session:
        now = await database_now(session)
        drill = await insert_emergency(
            session, EmergencyState.ARMED, started_at=now, critical_since=now, evidence={}, started_by=COLD_SAFE
        )
    assert drill is None


async def test_record_of_an_emergency_is_evidence(database: Database, worker: EmergencyContext) -> None:
    await declare(database, worker)
    for statement in (
        "UPDATE ops.emergencies SET evidence = '{}'",
        "DELETE FROM ops.emergencies",
        "UPDATE ops.emergency_timeline SET text = 'another'",
        "DELETE FROM ops.emergency_timeline",
    ):
        with pytest.raises(DBAPIError, match="is evidence"):
            async with database.write() as session:
                await session.execute(text(statement))


async def test_emergency_closes_when_the_level_has_settled_and_nothing_is_paused(
    database: Database, worker: EmergencyContext
) -> None:
    found = await declare(database, worker)
    await settle_at_normal(database, worker, HOUR, vault_paused=True)
    (stable,) = await emergencies(database)
    assert stable.state is EmergencyState.STABLE
    pause = stable.step(StepKind.PAUSE_VAULT)
    assert pause is not None
    assert pause.status is StepStatus.DONE, "who paused it does not matter"
    settled = replace(worker, policy=replace(worker.policy, settling=timedelta(0)))  # by the database's clock
    await advance_emergency(settled)
    (leaving,) = await emergencies(database)
    assert [step.kind for step in leaving.steps if step.is_open] == [StepKind.UNPAUSE_VAULT]
    await record_level(database, CALM, 2 * HOUR)
    await advance_emergency(settled)
    (closed,) = await emergencies(database)
    assert closed.state is EmergencyState.CLOSED
    assert (await event_of(database, found.name)).status is RiskStatus.RESOLVED
    async with database.read() as session:
        (stored,) = await list_emergencies(session, limit=1)
    assert stored.end_evidence is not None
    assert stored.end_evidence["level"] == "NORMAL"
    await advance_emergency(worker)
    assert len(await emergencies(database)) == 1


OLD: Final = "now() - interval '11 minutes'"


@pytest.mark.parametrize(
    "made_old",
    [
        f"UPDATE ops.risk_assessment SET assessed_at = {OLD}",
        f"UPDATE ops.risk_assessment SET block_at = {OLD}",
        f"UPDATE derived.observations SET data = jsonb_set(data, '{{block,timestamp}}', to_jsonb({OLD}))",
    ],
)
async def test_emergency_is_not_left_until_new_figures_say_that_the_fund_is_calm(
    database: Database, worker: EmergencyContext, made_old: str
) -> None:
    """The node is away, or the worker assessed nothing."""
    await declare(database, worker)
    await settle_at_normal(database, worker, HOUR)
    async with database.write() as session:
        await session.execute(text(made_old))
    settled = replace(worker, policy=replace(worker.policy, settling=timedelta(0)))
    await advance_emergency(settled)
    (waiting,) = await emergencies(database)
    assert waiting.state is EmergencyState.STABLE
    await record_level(database, CALM, 2 * HOUR)
    await advance_emergency(settled)
    (closed,) = await emergencies(database)
    assert closed.state is EmergencyState.CLOSED


async def test_person_stands_an_emergency_down_and_the_same_level_declares_no_other(
    database: Database, worker: EmergencyContext, api_client: ApiClient
) -> None:
    found = await declare(database, worker)
    path = f"/emergencies/{found.id}"
    assert outcome(await api_client.sign("stand_down_emergency", path, by="otto")) == (403, "FORBIDDEN")
    declined = await api_client.sign("decline_emergency_step", f"{path}/steps/PAUSE_VAULT", by="vera")
    assert declined.status_code == 200, declined.text
    assert {step["kind"]: step["status"] for step in declined.json()["data"]["steps"]}["PAUSE_VAULT"] == "DECLINED"
    assert outcome(await api_client.sign("decline_emergency_step", f"{path}/steps/PAUSE_VAULT", by="vera")) == (409, "CONFLICT")
    assert outcome(await api_client.sign("sign_drill_step", f"{path}/steps/OPEN_EXIT", by="vera")) == (409, "CONFLICT")
    ended = await api_client.sign("stand_down_emergency", path, by="vera", reason="a false alarm")
    data = ended.json()["data"]
    assert (data["state"], data["endReason"]) == ("STOOD_DOWN", "a false alarm")
    assert data["timeline"][-1]["actor"] == api_client.accounts.address("vera")
    assert outcome(await api_client.sign("stand_down_emergency", path, by="vera")) == (409, "CONFLICT")
    await record_level(database, CRITICAL, 60)
    await advance_emergency(worker)
    assert len(await emergencies(database)) == 1
    assert (await event_of(database, found.name)).status is RiskStatus.RESOLVED
    await settle_at_normal(database, worker, HOUR)
    again = await declare(database, worker, 2 * HOUR)
    assert (again.id, again.state) == (found.id + 1, EmergencyState.CONTAINING)


async def test_drill_is_followed_to_its_end_by_the_owners_signatures(
    database: Database, worker: EmergencyContext, api_client: ApiClient, app_context: AppContext, cli: CliRunner
) -> None:
    """An owner needs no other right than to read: otto is an operator, and willa a viewer."""
    owners = [parse_address(api_client.accounts.address(name)) for name in ("otto", "viktor", "willa")]
    assert outcome(await api_client.sign("start_drill", "/emergencies", by="vera")) == (409, "CONFLICT"), "no Safe yet"
    await record_cold_safe(database, *owners, threshold=2)
    await record_level(database, CALM, 0)
    started = await api_client.sign("start_drill", "/emergencies", by="vera", reason="the monthly drill")
    drill: dict[str, Any] = started.json()["data"]
    assert (drill["isDrill"], drill["state"], drill["startedBy"]) == (True, "ARMED", api_client.accounts.address("vera"))
    path = f"/emergencies/{drill['id']}"
    assert outcome(await api_client.sign("start_drill", "/emergencies", by="ada")) == (409, "CONFLICT")
    states: list[str] = []
    while not drill["endedAt"]:
        assert len(states) < 20, states
        await advance_emergency(worker)
        drill = (await api_client.get(path)).json()["data"]
        states.append(drill["state"])
        open_steps = [step["kind"] for step in drill["steps"] if step["status"] in ("PROPOSED", "SUBMITTED")]
        if len(states) == 1:
            event = await event_of(database, f"drill {drill['id']}")
            assert event.observed.startswith("DRILL, CONTAINING")
            assert event.severity is Severity.WARNING
            step = f"{path}/steps/PAUSE_VAULT"
            assert outcome(await api_client.sign("sign_drill_step", step, by="ada")) == (403, "FORBIDDEN"), "no owner"
            assert outcome(await api_client.sign("sign_drill_step", step, by="vera")) == (403, "FORBIDDEN"), "an administrator"
            assert (await api_client.sign("sign_drill_step", step, by="otto")).status_code == 200
            assert outcome(await api_client.sign("sign_drill_step", step, by="otto")) == (409, "CONFLICT"), "once each"
            answer = await api_client.sign("sign_drill_step", step, by="willa")
            assert {one["kind"]: one["status"] for one in answer.json()["data"]["steps"]}["PAUSE_VAULT"] == "DONE"
            open_steps.remove("PAUSE_VAULT")
        for kind in open_steps:
            for name in ("otto", "viktor"):
                signed = await api_client.sign("sign_drill_step", f"{path}/steps/{kind}", by=name)
                assert signed.status_code == 200, signed.text
    assert states == ["CONTAINING", "FREEING", "LEAVING", "CLOSED"]
    assert {step["request"] for step in drill["steps"]} == {None}, "nothing to submit"
    assert {step["kind"] for step in drill["steps"]} == set(StepKind)
    assert all(step["planId"] is None for step in drill["steps"])
    for name in ("plans", "transaction_intents", "safe_proposals"):
        async with database.read() as session:
            assert (await session.execute(text(f"SELECT count(*) FROM ops.{name}"))).scalar_one() == 0, "nothing is sent"
    assert None not in [drill["timings"][name] for name in ("toDeclare", "toFirstSignature", "toFirstEffect", "toEnd")]
    require_example(await api_client.get(path), "emergency")
    require_example(await api_client.get("/emergencies"), "emergencies")
    assert (await api_client.get("/emergencies/99")).status_code == 404
    environment = environment_of(app_context.settings)
    lines = ("emergency list --json", "emergency show", f"emergency show {drill['id']} --json")
    started_processes = [cli.start(*line.split(), env=environment) for line in lines]
    codes = await asyncio.gather(*(asyncio.to_thread(process.wait) for process in started_processes))
    listed, shown, document = (process.output_text for process in started_processes)
    assert codes == [0, 0, 0]
    assert json.loads(listed)["items"][0]["id"] == drill["id"]
    assert f"DRILL {drill['id']}: CLOSED" in shown
    assert json.loads(document) == drill


async def test_emergency_of_the_fund_ends_a_drill(database: Database, worker: EmergencyContext, api_client: ApiClient) -> None:
    await record_cold_safe(database, parse_address(api_client.accounts.address("vera")), threshold=1)
    await record_level(database, CALM, 0)
    assert (await api_client.sign("start_drill", "/emergencies", by="vera")).status_code == 200
    await advance_emergency(worker)
    declared = await declare(database, worker, HOUR)
    drill, found = await emergencies(database)
    assert (drill.state, drill.end_reason) == (EmergencyState.STOOD_DOWN, "the fund is in an emergency")
    assert (found.id, found.state) == (declared.id, EmergencyState.CONTAINING)
    assert (await event_of(database, drill.name)).status is RiskStatus.RESOLVED
    assert (await event_of(database, found.name)).status is RiskStatus.OPEN
