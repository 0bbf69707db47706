"""What a node does not tell of one intent is that intent's own reason; what it fails at as a whole is the wallet's."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import select, text
from tests.support.scenarios.sending import Office, stopped_mining

from paimon.domain.kernel.chain import ContractName, hex0x
from paimon.domain.risk.risk_event import RiskKind, RiskState, Severity
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentStatus
from paimon.infrastructure.blockchain.rpc import Request, Rpc
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow

pytestmark = pytest.mark.integration

UNTOLD = "the node does not tell"
GONE = {"code": -32000, "message": "missing trie node"}
REVERTED = {"code": 3, "message": "execution reverted", "data": "0x"}


class Silent(Rpc):
    """A node that answers some questions with an error."""

    def __init__(self, office: Office, is_about: Callable[[Request], bool], error: dict[str, Any]) -> None:
        super().__init__(office.fund.rpc_url, timeout_seconds=10, attempts_max=1)
        self.is_about, self.error = is_about, error

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        answers = await super()._exchange(requests, attempts_max=attempts_max)
        error = {"error": self.error}
        return [error if self.is_about(asked) else answer for asked, answer in zip(requests, answers, strict=True)]


def of_request(office: Office, request_id: int) -> Callable[[Request], bool]:
    """The question how this redemption request stands."""
    manager = office.contracts.abis[ContractName.REDEMPTION_MANAGER]
    data = hex0x(manager.encode_call("getRedemptionRequest", request_id))
    return lambda request: request[0] == "eth_call" and request[1][0]["data"] == data


def of_receipt(hash_: bytes) -> Callable[[Request], bool]:
    return lambda request: request == ("eth_getTransactionReceipt", [hex0x(hash_)])


async def queued(office: Office) -> tuple[int, int]:
    """Two settlements, the first of them first in the queue."""
    first, second = office.due("ines"), office.due("ivan")
    for each in (first, second):
        await office.queue_settlement(each)
    return first, second


async def drive_by(office: Office, is_about: Callable[[Request], bool], error: dict[str, Any] = GONE, **options: Any) -> None:
    async with Silent(office, is_about, error) as rpc:
        await office.with_options(**options).with_rpc(rpc).drive(office.keeper)


def assert_untold(intent: IntentRow) -> None:
    assert UNTOLD in str(intent.reason)
    assert "missing trie node" in str(intent.reason)
    assert intent.next_check_at > intent.created_at


async def test_an_effect_that_is_not_told_when_the_nonce_is_spent_holds_up_no_other(office: Office) -> None:
    with stopped_mining(office.fund):
        third = office.due("ilja")
        first, second = await queued(office)
        await office.drive(office.keeper)
        office.fund.mine(3)
        await drive_by(office, of_request(office, first))
        untold = await office.intent(first)
        assert untold.status is IntentStatus.SENDING
        assert [each.status for each in untold.attempts] == [AttemptStatus.FINAL]
        assert_untold(untold)
        assert (await office.intent(second)).status is IntentStatus.FINAL
        assert (await office.wallet(office.keeper)).interrupted_by is None
        await office.queue_settlement(third)
        await drive_by(office, of_request(office, first))
        assert (await office.intent(third)).status is IntentStatus.SENDING, "the next nonce does not wait for it"
        await office.drive(office.keeper)
        assert (await office.intent(first)).status is IntentStatus.SENDING, "its next check has not come"
    await office.finish(office.keeper)
    assert ((await office.intent(first)).status, (await office.intent(first)).reason) == (IntentStatus.FINAL, None)


async def test_a_receipt_that_is_not_told_holds_up_no_other_and_the_reason_goes_when_it_is(office: Office) -> None:
    with stopped_mining(office.fund):
        first, second = await queued(office)
        await office.drive(office.keeper)
        (attempt,) = (await office.intent(first)).attempts
        await drive_by(office, of_receipt(attempt.hash))
        assert_untold(await office.intent(first))
        await office.check_now()
        await office.drive(office.keeper)
        assert (await office.intent(first)).reason is None
        office.fund.mine(3)
        await drive_by(office, of_receipt(attempt.hash))
        assert_untold(await office.intent(first))
        assert (await office.intent(second)).status is IntentStatus.FINAL
    await office.finish(office.keeper)
    assert (await office.intent(first)).status is IntentStatus.FINAL


async def test_what_is_stuck_behind_a_spent_nonce_is_replaced_though_that_ones_effect_is_not_told(office: Office) -> None:
    with stopped_mining(office.fund):
        first, second = await queued(office)
        await office.drive(office.keeper)
        (mined,), (stuck,) = [(await office.intent(each)).attempts for each in (first, second)]
        office.fund.node.rpc.call("anvil_dropAllTransactions")
        office.fund.node.rpc.call("eth_sendRawTransaction", hex0x(mined.raw))
        office.fund.mine(3)
        await drive_by(office, of_request(office, first))
        assert_untold(await office.intent(first))
        office.fund.node.rpc.call("anvil_dropAllTransactions")
        await drive_by(office, of_request(office, first), stuck_seconds=0)
        attempts = (await office.intent(second)).attempts
        assert [each.status for each in attempts] == [AttemptStatus.REPLACED, AttemptStatus.BROADCAST]
        assert {each.nonce for each in attempts} == {stuck.nonce}
    await office.finish(office.keeper)


async def test_an_effect_that_is_not_told_before_sending_lets_the_next_one_go(office: Office) -> None:
    with stopped_mining(office.fund):
        first, second = await queued(office)
        await drive_by(office, of_request(office, first))
        waits = await office.intent(first)
        assert (waits.status, waits.attempts) == (IntentStatus.QUEUED, [])
        assert_untold(waits)
        assert (await office.intent(second)).status is IntentStatus.SENDING
    await office.finish(office.keeper)
    assert (await office.intent(first)).status is IntentStatus.FINAL


async def test_stuck_and_not_told_whether_still_due_it_is_not_replaced_and_the_next_one_goes(office: Office) -> None:
    with stopped_mining(office.fund):
        first, second = office.due("ines"), office.due("ivan")
        await office.queue_settlement(first)
        await office.drive(office.keeper)
        await office.queue_settlement(second)
        await drive_by(office, of_request(office, first), stuck_seconds=0)
        stuck = await office.intent(first)
        assert [each.status for each in stuck.attempts] == [AttemptStatus.BROADCAST]
        assert "stuck at nonce" in str(stuck.reason)
        assert UNTOLD in str(stuck.reason)
        assert (await office.intent(second)).status is IntentStatus.SENDING
    await office.finish(office.keeper)


async def test_a_request_the_node_does_not_know_waits_for_nothing_but_itself(office: Office) -> None:
    """A revert of the read, as by a node far behind, not an error of the node's."""
    with stopped_mining(office.fund):
        first, second = await queued(office)
        await office.drive(office.keeper)
        office.fund.mine(3)
        await drive_by(office, of_request(office, first), REVERTED)
        untold = await office.intent(first)
        assert (untold.status, UNTOLD in str(untold.reason)) == (IntentStatus.SENDING, True)
        assert (await office.intent(second)).status is IntentStatus.FINAL
    await office.finish(office.keeper)


async def test_a_node_that_is_away_shows_on_the_wallet_since_when_until_a_drive_gets_through(office: Office) -> None:
    request_id = office.due()
    await office.queue_settlement(request_id)
    async with Rpc("http://127.0.0.1:1/key", timeout_seconds=1, attempts_max=1) as away:
        await office.with_rpc(away).drive(office.keeper)
        first = await office.wallet(office.keeper)
        await office.with_rpc(away).drive(office.keeper)
        second = await office.wallet(office.keeper)
    assert "node 127.0.0.1:1 gave no usable answer" in str(second.interrupted_by)
    assert first.interrupted_since == second.interrupted_since
    await office.finish(office.keeper)
    assert (await office.wallet(office.keeper)).interrupted_since is None


async def test_what_the_node_fails_at_as_a_whole_interrupts_the_drive_visibly(office: Office) -> None:
    request_id = office.due()
    await office.queue_settlement(request_id)
    await drive_by(office, lambda request: request[0] == "eth_getBalance")
    wallet = await office.wallet(office.keeper)
    assert "missing trie node" in str(wallet.interrupted_by)
    assert (await office.intent(request_id)).status is IntentStatus.QUEUED
    await office.finish(office.keeper)


async def age_by_minutes(office: Office, minutes: int) -> None:
    async with office.database.write() as session:
        await session.execute(
            text("UPDATE owned.transaction_intents SET untold_since = untold_since - make_interval(mins => :minutes)"),
            {"minutes": minutes},
        )


async def untold_events(office: Office) -> Sequence[RiskEventRow]:
    async with office.database.read() as session:
        query = select(RiskEventRow).where(RiskEventRow.kind == RiskKind.EFFECT_UNTOLD).order_by(RiskEventRow.id)
        return (await session.scalars(query)).all()


async def test_what_is_not_told_for_minutes_is_an_event_until_it_is_told(office: Office) -> None:
    first, _ = await queued(office)
    asked = of_request(office, first)
    options: dict[str, Any] = {"look_seconds": 0, "recheck_seconds": 1}
    await drive_by(office, asked, **options)
    await age_by_minutes(office, 3)
    await office.check_now()
    await drive_by(office, asked, **options)
    assert await untold_events(office) == [], "a bad moment is no event"
    await age_by_minutes(office, 3)
    for _ in range(2):
        await office.check_now()
        await drive_by(office, asked, **options)
    (event,) = await untold_events(office)
    assert (event.severity, event.state) == (Severity.WARNING, RiskState.OPEN)
    assert event.subject.startswith(f"settle:{first} by 0x")
    assert "missing trie node" in event.observed
    await office.check_now()
    await office.with_options(**options).drive(office.keeper)  # this look came before the node told
    await office.with_options(**options).drive(office.keeper)
    (event,) = await untold_events(office)
    assert (event.state, event.resolved_by) == (RiskState.RESOLVED, None)
