"""Each effect once and each nonce once: after a crashed predecessor, and with concurrent drivers.

tests/faults/transactions/test_crash_points.py crashes at every point at which a process waits.
"""

import asyncio

import pytest
from tests.support.chain.fund import DAY
from tests.support.scenarios.sending import SMALL, SendingHarness, assert_sent_once

from paimon.application.transactions.driver.broadcast import send_unacknowledged
from paimon.application.transactions.driver.prepare import PrepareOutcome, prepare_next
from paimon.domain.kernel.chain import hex0x
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentStatus

pytestmark = pytest.mark.integration


async def test_crash_before_the_broadcast_sends_the_stored_bytes(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    assert isinstance(await prepare_next(harness.context(), harness.keeper), Attempt)
    (stored,) = (await harness.intent(request_id)).attempts
    assert stored.status is AttemptStatus.SIGNED
    await harness.drive_until_idle(harness.keeper)
    (sent,) = (await assert_sent_once(harness, harness.keeper, request_id, before)).attempts
    assert sent.hash == stored.hash


async def test_nothing_is_signed_while_an_attempt_is_unacknowledged(harness: SendingHarness) -> None:
    first, second = harness.due_request("ines"), harness.due_request("ivan")
    await harness.queue_settlement(first)
    await harness.queue_settlement(second)
    assert isinstance(await prepare_next(harness.context(), harness.keeper), Attempt)
    assert await prepare_next(harness.context(), harness.keeper) is PrepareOutcome.STOP
    await harness.drive_until_idle(harness.keeper)


async def test_crash_after_the_broadcast_sends_once_though_mined_meanwhile(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    await prepare_next(harness.context(), harness.keeper)
    (attempt,) = (await harness.intent(request_id)).attempts
    harness.fund.node.rpc.call("eth_sendRawTransaction", hex0x(attempt.raw))
    harness.fund.mine(1)
    await send_unacknowledged(harness.context(), harness.keeper)
    await harness.drive_until_idle(harness.keeper)
    await assert_sent_once(harness, harness.keeper, request_id, before)


async def test_concurrent_drivers_send_each_intent_once(harness: SendingHarness) -> None:
    requests = [harness.fund.request(name, SMALL) for name in ("ines", "ivan", "isla")]
    harness.fund.warp(7 * DAY + 1)
    before = harness.nonce_on_chain(harness.keeper)
    for request_id in requests:
        await harness.queue_settlement(request_id)
    for _ in range(6):
        await asyncio.gather(*(harness.drive(harness.keeper) for _ in range(4)))
        harness.fund.mine(3)
    await harness.drive_until_idle(harness.keeper)
    assert harness.nonce_on_chain(harness.keeper) == before + len(requests)
    for request_id in requests:
        intent = await harness.intent(request_id)
        assert (intent.status, len(intent.attempts)) == (IntentStatus.FINAL, 1)


async def test_reorganised_transaction_is_broadcast_again_and_mined_once(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    with harness.fund.stopped_mining():
        snapshot = harness.fund.snapshot()
        await harness.drive(harness.keeper)
        harness.fund.mine(1)
        await harness.drive(harness.keeper)
        (attempt,) = (await harness.intent(request_id)).attempts
        assert attempt.status is AttemptStatus.MINED
        harness.fund.revert(snapshot)
        await harness.drive(harness.keeper)
        (attempt,) = (await harness.intent(request_id)).attempts
        assert attempt.status is AttemptStatus.BROADCAST
        assert attempt.block_hash is None
    await harness.drive_until_idle(harness.keeper)
    await assert_sent_once(harness, harness.keeper, request_id, before)
