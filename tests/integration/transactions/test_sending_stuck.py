"""Stuck transactions: replaced at their nonce for a higher fee within the cap, or waiting visibly for money."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.support.chain.stub_node import rpc_endpoint
from tests.support.faults.faulty_endpoint import node_session
from tests.support.faults.withholding_endpoint import WithholdingEndpoint
from tests.support.scenarios.sending import SendingHarness, assert_sent_once

from paimon.application.transactions.driver.prepare import prepare_next
from paimon.domain.chain.endpoint_health import EndpointUse
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentStatus
from paimon.infrastructure.blockchain.rpc import pool as pool_module
from paimon.infrastructure.blockchain.rpc.endpoint import NodeUrl
from paimon.infrastructure.blockchain.rpc.pool import Rpc

pytestmark = pytest.mark.integration


async def test_stuck_transaction_is_replaced_at_its_nonce_for_more(harness: SendingHarness) -> None:
    impatient = harness.with_options(stuck_seconds=0)
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    with harness.fund.stopped_mining():
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
    with harness.fund.stopped_mining():
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
    with harness.fund.stopped_mining():
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
    with harness.fund.stopped_mining():
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
    with harness.fund.stopped_mining():
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


@asynccontextmanager
async def withholding_pool(
    harness: SendingHarness, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[SendingHarness, WithholdingEndpoint]]:
    """Run a preferred endpoint that keeps every transaction, and another one that only broadcasts, and does."""
    monkeypatch.setattr(pool_module, "_MAINTENANCE_SECONDS", 3_600)
    async with node_session() as session:
        keeping = WithholdingEndpoint(harness.fund.rpc_url, session)
        async with rpc_endpoint(keeping.handle) as keeping.url:
            other = NodeUrl(harness.fund.rpc_url, frozenset({EndpointUse.WRITE}))
            async with Rpc(keeping.url, other, timeout_seconds=5, attempts_max=3) as rpc:
                for endpoint, seconds in zip(rpc._endpoints, (0.0, 60.0), strict=True):
                    await endpoint.probe(with_chain=True)
                    endpoint.health = replace(endpoint.health, latency_seconds=seconds)
                yield harness.with_rpc(rpc), keeping


async def test_replacement_goes_to_every_write_endpoint(harness: SendingHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The preferred endpoint answers every hash and keeps the bytes."""
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    async with withholding_pool(harness, monkeypatch) as (withheld, keeping):
        await withheld.queue_settlement(request_id)
        await withheld.drive(withheld.keeper)
        harness.fund.mine(3)
        assert len(keeping.taken) == 1
        assert harness.nonce_on_chain(harness.keeper) == before, "no other endpoint has it"
        await withheld.with_options(stuck_seconds=0).drive(withheld.keeper)
        await withheld.drive_until_idle(withheld.keeper)
    intent = await assert_sent_once(harness, harness.keeper, request_id, before)
    assert [attempt.status for attempt in intent.attempts] == [AttemptStatus.REPLACED, AttemptStatus.FINAL]


async def test_stuck_attempt_that_cannot_be_replaced_goes_to_every_write_endpoint(
    harness: SendingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    async with withholding_pool(harness, monkeypatch) as (withheld, _keeping):
        await withheld.queue_settlement(request_id)
        await withheld.drive(withheld.keeper)
        (only,) = (await harness.intent(request_id)).attempts
        await withheld.with_options(stuck_seconds=0, max_fee_wei=only.max_fee_wei).drive(withheld.keeper)
        await withheld.drive_until_idle(withheld.keeper)
    intent = await assert_sent_once(harness, harness.keeper, request_id, before)
    assert [attempt.status for attempt in intent.attempts] == [AttemptStatus.FINAL]


async def test_bytes_that_no_endpoint_acknowledged_go_to_every_write_endpoint(
    harness: SendingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ended after it had stored the bytes; the preferred endpoint would keep them."""
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    assert isinstance(await prepare_next(harness.context(), harness.keeper), Attempt)
    async with withholding_pool(harness, monkeypatch) as (withheld, _keeping):
        await withheld.drive(withheld.keeper)
        harness.fund.mine(3)
        assert harness.nonce_on_chain(harness.keeper) == before + 1
        await withheld.drive_until_idle(withheld.keeper)
    await assert_sent_once(harness, harness.keeper, request_id, before)


async def test_forgotten_bytes_go_to_every_write_endpoint(harness: SendingHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    await harness.queue_settlement(request_id)
    with harness.fund.stopped_mining():
        await harness.drive(harness.keeper)
        harness.fund.node.rpc.call("anvil_dropAllTransactions")
    async with withholding_pool(harness, monkeypatch) as (withheld, _keeping):
        await withheld.drive(withheld.keeper)
        harness.fund.mine(3)
        assert harness.nonce_on_chain(harness.keeper) == before + 1
        await withheld.drive_until_idle(withheld.keeper)
    await assert_sent_once(harness, harness.keeper, request_id, before)
