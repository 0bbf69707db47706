"""A node's error about one intent is that intent's reason; an error about the wallet ends the drive."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import select, text
from tests.support.scenarios.sending import SendingHarness

from paimon.domain.kernel.chain import ContractName, hex0x
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentStatus
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.models.ops.risk import RiskEventRow

pytestmark = pytest.mark.integration

UNKNOWN = "the node does not tell"
PRUNED = {"code": -32000, "message": "missing trie node"}
REVERTED = {"code": 3, "message": "execution reverted", "data": "0x"}


class FailingNode(Rpc):
    """A node that answers some requests with an error."""

    def __init__(self, harness: SendingHarness, is_about: Callable[[Request], bool], error: dict[str, Any]) -> None:
        super().__init__(harness.fund.rpc_url, timeout_seconds=10, attempts_max=1)
        self.is_about, self.error = is_about, error

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        error = {"error": self.error}
        return [error if self.is_about(request) else answer for request, answer in zip(requests, answers, strict=True)]


def of_request(harness: SendingHarness, request_id: int) -> Callable[[Request], bool]:
    """Match the read of this redemption request."""
    manager = harness.contracts.abis[ContractName.REDEMPTION_MANAGER]
    data = hex0x(manager.encode_call("getRedemptionRequest", request_id))
    return lambda request: request[0] == "eth_call" and request[1][0]["data"] == data


def of_receipt(hash_: bytes) -> Callable[[Request], bool]:
    return lambda request: request == ("eth_getTransactionReceipt", [hex0x(hash_)])


async def queue_two(harness: SendingHarness) -> tuple[int, int]:
    """Queue two settlements in this order."""
    first, second = harness.due_request("ines"), harness.due_request("ivan")
    for request_id in (first, second):
        await harness.queue_settlement(request_id)
    return first, second


async def drive_failing(
    harness: SendingHarness, is_about: Callable[[Request], bool], error: dict[str, Any] = PRUNED, **options: Any
) -> None:
    async with FailingNode(harness, is_about, error) as rpc:
        await harness.with_options(**options).with_rpc(rpc).drive(harness.keeper)


def assert_unknown(intent: Intent) -> None:
    assert UNKNOWN in str(intent.reason)
    assert "missing trie node" in str(intent.reason)
    assert intent.next_check_at > intent.created_at


async def test_unknown_effect_of_a_spent_nonce_delays_no_other_intent(harness: SendingHarness) -> None:
    with harness.fund.stopped_mining():
        third = harness.due_request("ilja")
        first, second = await queue_two(harness)
        await harness.drive(harness.keeper)
        harness.fund.mine(3)
        await drive_failing(harness, of_request(harness, first))
        unknown = await harness.intent(first)
        assert unknown.status is IntentStatus.SENDING
        assert [attempt.status for attempt in unknown.attempts] == [AttemptStatus.FINAL]
        assert_unknown(unknown)
        assert (await harness.intent(second)).status is IntentStatus.FINAL
        assert (await harness.wallet(harness.keeper)).last_error is None
        await harness.queue_settlement(third)
        await drive_failing(harness, of_request(harness, first))
        assert (await harness.intent(third)).status is IntentStatus.SENDING, "the next nonce does not wait"
        await harness.drive(harness.keeper)
        assert (await harness.intent(first)).status is IntentStatus.SENDING, "its next check has not come"
    await harness.drive_until_idle(harness.keeper)
    assert ((await harness.intent(first)).status, (await harness.intent(first)).reason) == (IntentStatus.FINAL, None)


async def test_unknown_receipt_delays_no_other_intent_and_its_reason_goes(harness: SendingHarness) -> None:
    with harness.fund.stopped_mining():
        first, second = await queue_two(harness)
        await harness.drive(harness.keeper)
        (attempt,) = (await harness.intent(first)).attempts
        await drive_failing(harness, of_receipt(attempt.hash))
        assert_unknown(await harness.intent(first))
        await harness.make_due()
        await harness.drive(harness.keeper)
        assert (await harness.intent(first)).reason is None
        harness.fund.mine(3)
        await drive_failing(harness, of_receipt(attempt.hash))
        assert_unknown(await harness.intent(first))
        assert (await harness.intent(second)).status is IntentStatus.FINAL
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.intent(first)).status is IntentStatus.FINAL


async def test_stuck_transaction_behind_an_unknown_effect_is_replaced(
    harness: SendingHarness,
) -> None:
    with harness.fund.stopped_mining():
        first, second = await queue_two(harness)
        await harness.drive(harness.keeper)
        (mined,), (stuck,) = [(await harness.intent(request_id)).attempts for request_id in (first, second)]
        harness.fund.node.rpc.call("anvil_dropAllTransactions")
        harness.fund.node.rpc.call("eth_sendRawTransaction", hex0x(mined.raw))
        harness.fund.mine(3)
        await drive_failing(harness, of_request(harness, first))
        assert_unknown(await harness.intent(first))
        harness.fund.node.rpc.call("anvil_dropAllTransactions")
        await drive_failing(harness, of_request(harness, first), stuck_seconds=0)
        attempts = (await harness.intent(second)).attempts
        assert [attempt.status for attempt in attempts] == [AttemptStatus.REPLACED, AttemptStatus.BROADCAST]
        assert {attempt.nonce for attempt in attempts} == {stuck.nonce}
    await harness.drive_until_idle(harness.keeper)


async def test_unknown_effect_before_sending_lets_the_next_intent_go(harness: SendingHarness) -> None:
    with harness.fund.stopped_mining():
        first, second = await queue_two(harness)
        await drive_failing(harness, of_request(harness, first))
        waits = await harness.intent(first)
        assert (waits.status, waits.attempts) == (IntentStatus.QUEUED, ())
        assert_unknown(waits)
        assert (await harness.intent(second)).status is IntentStatus.SENDING
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.intent(first)).status is IntentStatus.FINAL


async def test_stuck_intent_of_unknown_effect_is_not_replaced(harness: SendingHarness) -> None:
    with harness.fund.stopped_mining():
        first, second = harness.due_request("ines"), harness.due_request("ivan")
        await harness.queue_settlement(first)
        await harness.drive(harness.keeper)
        await harness.queue_settlement(second)
        await drive_failing(harness, of_request(harness, first), stuck_seconds=0)
        stuck = await harness.intent(first)
        assert [attempt.status for attempt in stuck.attempts] == [AttemptStatus.BROADCAST]
        assert "stuck at nonce" in str(stuck.reason)
        assert UNKNOWN in str(stuck.reason)
        assert (await harness.intent(second)).status is IntentStatus.SENDING
    await harness.drive_until_idle(harness.keeper)


async def test_request_unknown_to_the_node_delays_no_other_intent(harness: SendingHarness) -> None:
    """The read reverts, as on a node far behind; it is no error of the node."""
    with harness.fund.stopped_mining():
        first, second = await queue_two(harness)
        await harness.drive(harness.keeper)
        harness.fund.mine(3)
        await drive_failing(harness, of_request(harness, first), REVERTED)
        unknown = await harness.intent(first)
        assert (unknown.status, UNKNOWN in str(unknown.reason)) == (IntentStatus.SENDING, True)
        assert (await harness.intent(second)).status is IntentStatus.FINAL
    await harness.drive_until_idle(harness.keeper)


async def test_unreachable_node_shows_on_the_wallet_until_a_drive_succeeds(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    async with Rpc("http://127.0.0.1:1/key", timeout_seconds=1, attempts_max=1) as away:
        await harness.with_rpc(away).drive(harness.keeper)
        first = await harness.wallet(harness.keeper)
        await harness.with_rpc(away).drive(harness.keeper)
        second = await harness.wallet(harness.keeper)
    assert "node 127.0.0.1:1 gave no usable answer" in str(second.last_error)
    assert first.failing_since == second.failing_since
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.wallet(harness.keeper)).failing_since is None


async def test_node_error_about_the_wallet_ends_the_drive_visibly(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    await drive_failing(harness, lambda request: request[0] == "eth_getBalance")
    wallet = await harness.wallet(harness.keeper)
    assert "missing trie node" in str(wallet.last_error)
    assert (await harness.intent(request_id)).status is IntentStatus.QUEUED
    await harness.drive_until_idle(harness.keeper)


async def age_unknown_since(harness: SendingHarness, minutes: int) -> None:
    async with harness.database.write() as session:
        await session.execute(
            text("UPDATE ops.transaction_intents SET unknown_since = unknown_since - make_interval(mins => :minutes)"),
            {"minutes": minutes},
        )


async def unknown_effect_events(harness: SendingHarness) -> Sequence[RiskEventRow]:
    async with harness.database.read() as session:
        query = select(RiskEventRow).where(RiskEventRow.kind == RiskKind.EFFECT_UNKNOWN).order_by(RiskEventRow.id)
        return (await session.scalars(query)).all()


async def test_effect_unknown_for_minutes_is_a_risk_event_until_known(harness: SendingHarness) -> None:
    first, _ = await queue_two(harness)
    is_about_first = of_request(harness, first)
    options: dict[str, Any] = {"wallet_refresh_seconds": 0, "recheck_seconds": 1}
    await drive_failing(harness, is_about_first, **options)
    await age_unknown_since(harness, 3)
    await harness.make_due()
    await drive_failing(harness, is_about_first, **options)
    assert await unknown_effect_events(harness) == [], "a short time is no event"
    await age_unknown_since(harness, 3)
    for _ in range(2):
        await harness.make_due()
        await drive_failing(harness, is_about_first, **options)
    (event,) = await unknown_effect_events(harness)
    assert (event.severity, event.status) == (Severity.WARNING, RiskStatus.OPEN)
    assert event.subject.startswith(f"settle:{first} by 0x")
    assert "missing trie node" in event.observed
    await harness.make_due()
    await harness.with_options(**options).drive(harness.keeper)  # this refresh comes before the node tells the effect
    await harness.with_options(**options).drive(harness.keeper)
    (event,) = await unknown_effect_events(harness)
    assert (event.status, event.resolved_by) == (RiskStatus.RESOLVED, None)
