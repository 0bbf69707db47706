"""What a node does not tell of one intent is that intent's own reason; what it fails at as a whole is the wallet's."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import select, text
from tests.support.scenarios.sending import SendingHarness, stopped_mining

from paimon.domain.kernel.chain import ContractName, hex0x
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentStatus
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.models.ops.risk import RiskEventRow

pytestmark = pytest.mark.integration

UNTOLD = "the node does not tell"
GONE = {"code": -32000, "message": "missing trie node"}
REVERTED = {"code": 3, "message": "execution reverted", "data": "0x"}


class Silent(Rpc):
    """A node that answers some questions with an error."""

    def __init__(self, harness: SendingHarness, is_about: Callable[[Request], bool], error: dict[str, Any]) -> None:
        super().__init__(harness.fund.rpc_url, timeout_seconds=10, attempts_max=1)
        self.is_about, self.error = is_about, error

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        error = {"error": self.error}
        return [error if self.is_about(asked) else answer for asked, answer in zip(requests, answers, strict=True)]


def of_request(harness: SendingHarness, request_id: int) -> Callable[[Request], bool]:
    """The question how this redemption request stands."""
    manager = harness.contracts.abis[ContractName.REDEMPTION_MANAGER]
    data = hex0x(manager.encode_call("getRedemptionRequest", request_id))
    return lambda request: request[0] == "eth_call" and request[1][0]["data"] == data


def of_receipt(hash_: bytes) -> Callable[[Request], bool]:
    return lambda request: request == ("eth_getTransactionReceipt", [hex0x(hash_)])


async def queued(harness: SendingHarness) -> tuple[int, int]:
    """Two settlements, the first of them first in the queue."""
    first, second = harness.due_request("ines"), harness.due_request("ivan")
    for each in (first, second):
        await harness.queue_settlement(each)
    return first, second


async def drive_by(
    harness: SendingHarness, is_about: Callable[[Request], bool], error: dict[str, Any] = GONE, **options: Any
) -> None:
    async with Silent(harness, is_about, error) as rpc:
        await harness.with_options(**options).with_rpc(rpc).drive(harness.keeper)


def assert_untold(intent: Intent) -> None:
    assert UNTOLD in str(intent.reason)
    assert "missing trie node" in str(intent.reason)
    assert intent.next_check_at > intent.created_at


async def test_an_effect_that_is_not_told_when_the_nonce_is_spent_holds_up_no_other(harness: SendingHarness) -> None:
    with stopped_mining(harness.fund):
        third = harness.due_request("ilja")
        first, second = await queued(harness)
        await harness.drive(harness.keeper)
        harness.fund.mine(3)
        await drive_by(harness, of_request(harness, first))
        untold = await harness.intent(first)
        assert untold.status is IntentStatus.SENDING
        assert [each.status for each in untold.attempts] == [AttemptStatus.FINAL]
        assert_untold(untold)
        assert (await harness.intent(second)).status is IntentStatus.FINAL
        assert (await harness.wallet(harness.keeper)).last_error is None
        await harness.queue_settlement(third)
        await drive_by(harness, of_request(harness, first))
        assert (await harness.intent(third)).status is IntentStatus.SENDING, "the next nonce does not wait for it"
        await harness.drive(harness.keeper)
        assert (await harness.intent(first)).status is IntentStatus.SENDING, "its next check has not come"
    await harness.drive_until_idle(harness.keeper)
    assert ((await harness.intent(first)).status, (await harness.intent(first)).reason) == (IntentStatus.FINAL, None)


async def test_a_receipt_that_is_not_told_holds_up_no_other_and_the_reason_goes_when_it_is(harness: SendingHarness) -> None:
    with stopped_mining(harness.fund):
        first, second = await queued(harness)
        await harness.drive(harness.keeper)
        (attempt,) = (await harness.intent(first)).attempts
        await drive_by(harness, of_receipt(attempt.hash))
        assert_untold(await harness.intent(first))
        await harness.make_due()
        await harness.drive(harness.keeper)
        assert (await harness.intent(first)).reason is None
        harness.fund.mine(3)
        await drive_by(harness, of_receipt(attempt.hash))
        assert_untold(await harness.intent(first))
        assert (await harness.intent(second)).status is IntentStatus.FINAL
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.intent(first)).status is IntentStatus.FINAL


async def test_what_is_stuck_behind_a_spent_nonce_is_replaced_though_that_ones_effect_is_not_told(
    harness: SendingHarness,
) -> None:
    with stopped_mining(harness.fund):
        first, second = await queued(harness)
        await harness.drive(harness.keeper)
        (mined,), (stuck,) = [(await harness.intent(each)).attempts for each in (first, second)]
        harness.fund.node.rpc.call("anvil_dropAllTransactions")
        harness.fund.node.rpc.call("eth_sendRawTransaction", hex0x(mined.raw))
        harness.fund.mine(3)
        await drive_by(harness, of_request(harness, first))
        assert_untold(await harness.intent(first))
        harness.fund.node.rpc.call("anvil_dropAllTransactions")
        await drive_by(harness, of_request(harness, first), stuck_seconds=0)
        attempts = (await harness.intent(second)).attempts
        assert [each.status for each in attempts] == [AttemptStatus.REPLACED, AttemptStatus.BROADCAST]
        assert {each.nonce for each in attempts} == {stuck.nonce}
    await harness.drive_until_idle(harness.keeper)


async def test_an_effect_that_is_not_told_before_sending_lets_the_next_one_go(harness: SendingHarness) -> None:
    with stopped_mining(harness.fund):
        first, second = await queued(harness)
        await drive_by(harness, of_request(harness, first))
        waits = await harness.intent(first)
        assert (waits.status, waits.attempts) == (IntentStatus.QUEUED, ())
        assert_untold(waits)
        assert (await harness.intent(second)).status is IntentStatus.SENDING
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.intent(first)).status is IntentStatus.FINAL


async def test_stuck_and_not_told_whether_still_due_it_is_not_replaced_and_the_next_one_goes(harness: SendingHarness) -> None:
    with stopped_mining(harness.fund):
        first, second = harness.due_request("ines"), harness.due_request("ivan")
        await harness.queue_settlement(first)
        await harness.drive(harness.keeper)
        await harness.queue_settlement(second)
        await drive_by(harness, of_request(harness, first), stuck_seconds=0)
        stuck = await harness.intent(first)
        assert [each.status for each in stuck.attempts] == [AttemptStatus.BROADCAST]
        assert "stuck at nonce" in str(stuck.reason)
        assert UNTOLD in str(stuck.reason)
        assert (await harness.intent(second)).status is IntentStatus.SENDING
    await harness.drive_until_idle(harness.keeper)


async def test_a_request_the_node_does_not_know_waits_for_nothing_but_itself(harness: SendingHarness) -> None:
    """A revert of the read, as by a node far behind, not an error of the node's."""
    with stopped_mining(harness.fund):
        first, second = await queued(harness)
        await harness.drive(harness.keeper)
        harness.fund.mine(3)
        await drive_by(harness, of_request(harness, first), REVERTED)
        untold = await harness.intent(first)
        assert (untold.status, UNTOLD in str(untold.reason)) == (IntentStatus.SENDING, True)
        assert (await harness.intent(second)).status is IntentStatus.FINAL
    await harness.drive_until_idle(harness.keeper)


async def test_a_node_that_is_away_shows_on_the_wallet_since_when_until_a_drive_gets_through(harness: SendingHarness) -> None:
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


async def test_what_the_node_fails_at_as_a_whole_interrupts_the_drive_visibly(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    await drive_by(harness, lambda request: request[0] == "eth_getBalance")
    wallet = await harness.wallet(harness.keeper)
    assert "missing trie node" in str(wallet.last_error)
    assert (await harness.intent(request_id)).status is IntentStatus.QUEUED
    await harness.drive_until_idle(harness.keeper)


async def age_by_minutes(harness: SendingHarness, minutes: int) -> None:
    async with harness.database.write() as session:
        await session.execute(
            text("UPDATE ops.transaction_intents SET unknown_since = unknown_since - make_interval(mins => :minutes)"),
            {"minutes": minutes},
        )


async def untold_events(harness: SendingHarness) -> Sequence[RiskEventRow]:
    async with harness.database.read() as session:
        query = select(RiskEventRow).where(RiskEventRow.kind == RiskKind.EFFECT_UNKNOWN).order_by(RiskEventRow.id)
        return (await session.scalars(query)).all()


async def test_what_is_not_told_for_minutes_is_an_event_until_it_is_told(harness: SendingHarness) -> None:
    first, _ = await queued(harness)
    asked = of_request(harness, first)
    options: dict[str, Any] = {"wallet_refresh_seconds": 0, "recheck_seconds": 1}
    await drive_by(harness, asked, **options)
    await age_by_minutes(harness, 3)
    await harness.make_due()
    await drive_by(harness, asked, **options)
    assert await untold_events(harness) == [], "a bad moment is no event"
    await age_by_minutes(harness, 3)
    for _ in range(2):
        await harness.make_due()
        await drive_by(harness, asked, **options)
    (event,) = await untold_events(harness)
    assert (event.severity, event.status) == (Severity.WARNING, RiskStatus.OPEN)
    assert event.subject.startswith(f"settle:{first} by 0x")
    assert "missing trie node" in event.observed
    await harness.make_due()
    await harness.with_options(**options).drive(harness.keeper)  # this look came before the node told
    await harness.with_options(**options).drive(harness.keeper)
    (event,) = await untold_events(harness)
    assert (event.status, event.resolved_by) == (RiskStatus.RESOLVED, None)
