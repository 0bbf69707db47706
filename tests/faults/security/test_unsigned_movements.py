"""A transaction of the hot wallet that no signed plan explains is a critical risk event."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text, update
from tests.support.database_roles import WITHOUT_TRIGGERS
from tests.support.scenarios.plans import PlanHarness
from tests.support.scenarios.setup import signed_transaction
from tests.support.signed_grants import grant

from paimon.application.risk_control.queries import list_unresolved
from paimon.application.transactions.driver.wallet_status import refresh_wallet_status
from paimon.domain.kernel.chain import checksum, parse_address
from paimon.domain.risk.risk_event import RiskEvent, RiskKind, Severity
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentStatus
from paimon.domain.user.roles import UserRole
from paimon.infrastructure.database.models.ops.plan import PlanCallRow, PlanRow
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow

pytestmark = pytest.mark.fault


async def look(harness: PlanHarness) -> list[RiskEvent]:
    """Refresh the hot wallet's row at the present final block and return what is reported."""
    harness.fund.wait_until_final()
    sending = harness.sending.with_options(wallet_refresh_seconds=0)
    await refresh_wallet_status(sending.context(), harness.hot)
    async with harness.context.database.read() as session:
        return list(await list_unresolved(session, RiskKind.UNSIGNED_MOVEMENT))


async def checked_nonce(harness: PlanHarness) -> int | None:
    async with harness.context.database.read() as session:
        return (await session.scalars(select(WalletRow.plans_checked_nonce).where(WalletRow.address == harness.hot))).one()


async def change(harness: PlanHarness, statement: Any) -> None:
    async with harness.safe_harness.database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(statement)


@pytest.fixture
async def executed(plan_harness: PlanHarness) -> PlanHarness:
    """A harness whose hot wallet has carried out a signed plan."""
    assert await look(plan_harness) == []
    await plan_harness.submit(plan_harness.buy(1_000))
    await plan_harness.sending.drive_until_idle(plan_harness.hot)
    assert [intent.status for intent in await plan_harness.intents()] == [IntentStatus.FINAL]
    return plan_harness


async def test_signed_plan_is_not_reported(executed: PlanHarness) -> None:
    before = await checked_nonce(executed)
    assert await look(executed) == []
    assert before is not None
    assert await checked_nonce(executed) == before + 1


async def test_what_the_wallet_sent_before_is_not_judged(plan_harness: PlanHarness) -> None:
    address = checksum(plan_harness.hot)
    plan_harness.fund.node.rpc.call("eth_sendRawTransaction", signed_transaction(plan_harness.fund, "hot", address))
    plan_harness.fund.mine(1)
    assert await look(plan_harness) == []


async def test_transaction_of_someone_with_the_key_is_reported_once(executed: PlanHarness) -> None:
    address = checksum(executed.hot)
    executed.fund.node.rpc.call("eth_sendRawTransaction", signed_transaction(executed.fund, "hot", address))
    executed.fund.mine(1)
    for _ in range(2):
        (event,) = await look(executed)
        assert event.finding.severity is Severity.CRITICAL
        assert address in event.finding.subject
        assert event.finding.observed == "a transaction that is not ours"


async def test_self_send_of_ours_is_excepted_and_a_strangers_is_not(plan_harness: PlanHarness) -> None:
    """A transfer of zero to itself moves nothing. Who sends one that is not ours has the key."""
    sending, hot = plan_harness.sending, plan_harness.hot
    assert await look(plan_harness) == []
    with plan_harness.fund.stopped_mining():
        await plan_harness.submit(plan_harness.buy(1_000))
        await sending.drive(hot)
        await change(plan_harness, update(IntentRow).values(aborting_as=IntentStatus.CANCELLED, abort_reason="a test"))
        await sending.drive(hot)
    await sending.drive_until_idle(hot)
    (intent,) = await plan_harness.intents()
    assert intent.status is IntentStatus.CANCELLED
    assert await look(plan_harness) == []
    own_transfer = signed_transaction(plan_harness.fund, "hot", checksum(hot))
    plan_harness.fund.node.rpc.call("eth_sendRawTransaction", own_transfer)
    plan_harness.fund.mine(1)
    (event,) = await look(plan_harness)
    assert event.finding.observed == "a transaction that is not ours"


STATEMENTS: dict[str, tuple[Any, str]] = {
    "its plan is gone": (text("DELETE FROM ops.plan_calls"), "without a plan"),
    "its plan is someone else's": (update(PlanRow).values(requested_by=b"\x11" * 20), "is not signed by the one"),
    "its signature is another": (update(PlanRow).values(signature=b"\x22" * 64 + b"\x1b"), "plan"),
    "its signer was never let plan": (text("DELETE FROM ops.user_grants"), "neither the planner nor was ever let plan"),
    "its document was changed": (
        text("UPDATE ops.plans SET typed_data = jsonb_set(typed_data, '{message,amount}', '\"5\"')"),
        "is not signed by the one",
    ),
    "its document is none": (update(PlanRow).values(typed_data={}), "does not read"),
    "it is another call of the plan": (update(PlanCallRow).values(call_index=1), "not the call of its plan"),
    "it only calls itself a cancellation": (
        text("WITH forged AS (UPDATE ops.transaction_attempts SET is_cancellation = true) DELETE FROM ops.plan_calls"),
        "without a plan",
    ),
    "its bytes are others": (update(AttemptRow).values(raw=b"\x02\xc0"), "its bytes have another hash"),
    "none of ours was mined": (update(AttemptRow).values(status=AttemptStatus.DROPPED, block_number=None), "not ours"),
}


@pytest.mark.parametrize("role", [None, UserRole.VIEWER])
async def test_plan_of_someone_who_may_plan_no_longer_is_not_reported(executed: PlanHarness, role: UserRole | None) -> None:
    """They might when they signed it."""
    await grant(executed.safe_harness.database, executed.fund, "otto", role)
    assert await look(executed) == []


async def test_plan_of_a_key_that_was_only_a_viewers_is_reported(executed: PlanHarness) -> None:
    await change(executed, text("DELETE FROM ops.user_grants"))
    await grant(executed.safe_harness.database, executed.fund, "otto", UserRole.VIEWER)
    (event,) = await look(executed)
    assert "neither the planner nor was ever let plan" in event.finding.observed


async def test_plan_of_the_planner_is_not_reported(executed: PlanHarness) -> None:
    """The planner is no user. Otto's key is the planner's here."""
    await change(executed, text("DELETE FROM ops.user_grants"))
    planner = parse_address(executed.fund.accounts.address("otto"))
    assert await look(replace(executed, sending=executed.sending.with_options(planner=planner))) == []


@pytest.mark.parametrize("what", STATEMENTS)
async def test_movement_is_reported_when(executed: PlanHarness, what: str) -> None:
    statement, reason = STATEMENTS[what]
    await change(executed, statement)
    (event,) = await look(executed)
    assert reason in event.finding.observed


async def test_nonce_is_judged_once_it_is_decided(executed: PlanHarness) -> None:
    """The wallet's row may be refreshed before the driver has read which of several attempts was mined."""
    await change(executed, update(AttemptRow).values(status=AttemptStatus.MINED))
    before = await checked_nonce(executed)
    assert await look(executed) == []
    assert await checked_nonce(executed) == before
    await change(executed, update(AttemptRow).values(status=AttemptStatus.FINAL))
    await change(executed, text("DELETE FROM ops.plan_calls"))
    assert len(await look(executed)) == 1


async def test_database_keeps_the_wallets_checked_nonce(executed: PlanHarness) -> None:
    await change(executed, update(WalletRow).values(plans_checked_nonce=0))
    assert await look(executed) == [], "the plan's transaction was its first one"
