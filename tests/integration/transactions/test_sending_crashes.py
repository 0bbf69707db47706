"""Each effect once and each nonce once: what a predecessor left, and however many drive at the same time.

Death at every point at which a process waits is in test_sending_deaths.py.
"""

import asyncio

import pytest
from tests.support.chain.fund import DAY
from tests.support.scenarios.sending import SMALL, Office, assert_sent_once, stopped_mining

from paimon.application.transactions.driver.broadcast import send_unacknowledged
from paimon.application.transactions.driver.prepare import Step, prepare_next
from paimon.domain.kernel.chain import hex0x
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentStatus
from paimon.infrastructure.database.models.ops.transaction import AttemptRow

pytestmark = pytest.mark.integration


async def test_death_between_commit_and_broadcast_sends_the_very_bytes_that_were_stored(office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    await office.queue_settlement(request_id)
    assert isinstance(await prepare_next(office.desk(), office.keeper), AttemptRow)
    (stored,) = (await office.intent(request_id)).attempts
    assert stored.status is AttemptStatus.SIGNED
    await office.finish(office.keeper)
    (sent,) = (await assert_sent_once(office, office.keeper, request_id, before)).attempts
    assert sent.hash == stored.hash


async def test_nothing_is_signed_while_an_attempt_is_unacknowledged(office: Office) -> None:
    first, second = office.due("ines"), office.due("ivan")
    await office.queue_settlement(first)
    await office.queue_settlement(second)
    assert isinstance(await prepare_next(office.desk(), office.keeper), AttemptRow)
    assert await prepare_next(office.desk(), office.keeper) is Step.STOP
    await office.finish(office.keeper)


async def test_death_between_broadcast_and_its_record_even_when_it_was_mined_meanwhile(office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    await office.queue_settlement(request_id)
    await prepare_next(office.desk(), office.keeper)
    (attempt,) = (await office.intent(request_id)).attempts
    office.fund.node.rpc.call("eth_sendRawTransaction", hex0x(attempt.raw))
    office.fund.mine(1)
    await send_unacknowledged(office.desk(), office.keeper)
    await office.finish(office.keeper)
    await assert_sent_once(office, office.keeper, request_id, before)


async def test_many_drivers_at_once_send_once(office: Office) -> None:
    requests = [office.fund.request(name, SMALL) for name in ("ines", "ivan", "isla")]
    office.fund.warp(7 * DAY + 1)
    before = office.nonce_on_chain(office.keeper)
    for request_id in requests:
        await office.queue_settlement(request_id)
    for _ in range(6):
        await asyncio.gather(*(office.drive(office.keeper) for _ in range(4)))
        office.fund.mine(3)
    await office.finish(office.keeper)
    assert office.nonce_on_chain(office.keeper) == before + len(requests)
    for request_id in requests:
        intent = await office.intent(request_id)
        assert (intent.status, len(intent.attempts)) == (IntentStatus.FINAL, 1)


async def test_a_reorganised_transaction_is_broadcast_again_and_mined_once(office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    await office.queue_settlement(request_id)
    with stopped_mining(office.fund):
        snapshot = office.fund.node.rpc.call("evm_snapshot")
        await office.drive(office.keeper)
        office.fund.mine(1)
        await office.drive(office.keeper)
        (attempt,) = (await office.intent(request_id)).attempts
        assert attempt.status is AttemptStatus.MINED
        office.fund.node.rpc.call("evm_revert", snapshot)
        await office.drive(office.keeper)
        (attempt,) = (await office.intent(request_id)).attempts
        assert attempt.status is AttemptStatus.BROADCAST
        assert attempt.block_hash is None
    await office.finish(office.keeper)
    await assert_sent_once(office, office.keeper, request_id, before)
