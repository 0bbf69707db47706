"""Stuck transactions: replaced at their nonce for a higher fee within the cap, or waiting visibly for money."""

import itertools

import pytest
from tests.support.scenarios.sending import SendingHarness, assert_sent_once, stopped_mining

from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentStatus

pytestmark = pytest.mark.integration


async def test_stuck_transaction_is_replaced_at_its_nonce_for_more(harness: SendingHarness) -> None:
    impatient = harness.with_options(stuck_seconds=0)
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    with stopped_mining(harness.fund):
        await impatient.drive(harness.keeper)
        await impatient.drive(harness.keeper)
        await impatient.drive(harness.keeper)
        attempts = (await harness.intent(request_id)).attempts
        assert [attempt.status for attempt in attempts] == [
            AttemptStatus.REPLACED, AttemptStatus.REPLACED, AttemptStatus.BROADCAST,
        ]  # fmt: skip
        assert {attempt.nonce for attempt in attempts} == {before}
        for earlier, later in itertools.pairwise(attempts):
            assert later.max_fee_wei * 10 >= earlier.max_fee_wei * 11
            assert later.priority_fee_wei * 10 >= earlier.priority_fee_wei * 11
    await harness.drive_until_idle(harness.keeper)
    intent = await assert_sent_once(harness, harness.keeper, request_id, before)
    assert intent.attempts[-1].status is AttemptStatus.FINAL


async def test_replaced_attempt_that_is_mined_is_final(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    with stopped_mining(harness.fund):
        await harness.drive(harness.keeper)
        (first,) = (await harness.intent(request_id)).attempts
        await harness.with_options(stuck_seconds=0).drive(harness.keeper)
        harness.fund.node.rpc.call("anvil_dropAllTransactions")
        harness.fund.node.rpc.call("eth_sendRawTransaction", hex0x(first.raw))
        harness.fund.mine(1)
    await harness.drive_until_idle(harness.keeper)
    intent = await assert_sent_once(harness, harness.keeper, request_id, before)
    assert [attempt.status for attempt in intent.attempts] == [AttemptStatus.FINAL, AttemptStatus.REPLACED]


async def test_replacement_is_a_self_send_when_the_effect_has_come(harness: SendingHarness) -> None:
    """Someone else settles while our transaction is stuck: a call that must revert would waste gas."""
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    with stopped_mining(harness.fund):
        await harness.drive(harness.keeper)
        harness.fund.node.rpc.call("anvil_dropAllTransactions")
        harness.fund.send("otto", "RedemptionManager", "settleRedemption", request_id)
        harness.fund.mine(3)
        await harness.with_options(stuck_seconds=0).drive(harness.keeper)
        newest = (await harness.intent(request_id)).attempts[-1]
        assert newest.is_cancellation
        assert newest.gas_limit == 21_000
    await harness.drive_until_idle(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.SATISFIED_EXTERNALLY
    assert harness.nonce_on_chain(harness.keeper) == before + 1


async def test_replacing_stops_at_the_fee_cap_and_at_the_last_attempt(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    with stopped_mining(harness.fund):
        await harness.drive(harness.keeper)
        (first,) = (await harness.intent(request_id)).attempts
        await harness.with_options(stuck_seconds=0, max_fee_wei=first.max_fee_wei).drive(harness.keeper)
        intent = await harness.intent(request_id)
        assert len(intent.attempts) == 1
        assert intent.reason is not None
        assert "leaves no room" in intent.reason
        await harness.with_options(stuck_seconds=0, attempts_max=1).drive(harness.keeper)
        assert "an operator must look" in str((await harness.intent(request_id)).reason)
    await harness.drive_until_idle(harness.keeper)


async def test_forgotten_transaction_is_sent_again(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    with stopped_mining(harness.fund):
        await harness.drive(harness.keeper)
        harness.fund.node.rpc.call("anvil_dropAllTransactions")
        await harness.drive(harness.keeper)
    await harness.drive_until_idle(harness.keeper)
    assert len((await assert_sent_once(harness, harness.keeper, request_id, before)).attempts) == 1


async def test_intent_above_the_fee_cap_waits_with_its_reason(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    await harness.with_options(max_fee_wei=1).drive(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.QUEUED
    assert "above the cap" in str(intent.reason)
    assert intent.next_check_at > intent.created_at
    await harness.drive_until_idle(harness.keeper)
    assert (await assert_sent_once(harness, harness.keeper, request_id, before)).reason is None


async def test_intent_of_a_wallet_that_cannot_pay_waits(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    await harness.queue_settlement(request_id)
    harness.fund.node.rpc.call("anvil_setBalance", checksum(harness.keeper), hex(10**9))
    await harness.drive(harness.keeper)
    intent = await harness.intent(request_id)
    assert intent.status is IntentStatus.QUEUED
    assert intent.attempts == ()
    harness.fund.node.rpc.call("anvil_setBalance", checksum(harness.keeper), hex(10**20))
    await harness.drive_until_idle(harness.keeper)
