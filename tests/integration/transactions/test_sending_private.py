"""The private endpoint: its bytes go public only after a number of blocks, and only with the public fallback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.support.chain.stub_node import StubNode, replying_with, stub_node
from tests.support.scenarios.sending import SendingHarness, assert_sent_once

from paimon.domain.transaction.lifecycle import AttemptStatus, BroadcastChannel, IntentStatus
from paimon.infrastructure.blockchain.rpc.pool import Rpc

pytestmark = pytest.mark.integration


@asynccontextmanager
async def private_endpoint(
    harness: SendingHarness, *, mines: bool, **options: Any
) -> AsyncIterator[tuple[SendingHarness, StubNode]]:
    """Run an endpoint that accepts transactions and passes them to builders, or withholds them."""

    def take(params: list[Any]) -> str:
        return str(harness.fund.node.rpc.call("eth_sendRawTransaction", *params)) if mines else "0x" + "00" * 32

    async with stub_node(eth_sendRawTransaction=take) as node, Rpc(node.url, timeout_seconds=5, attempts_max=1) as rpc:
        yield replace(harness.with_options(**options), private=rpc), node


def in_pool(harness: SendingHarness) -> int:
    return int(harness.fund.node.rpc.call("txpool_status")["pending"], 16)


async def test_private_transaction_is_sent_to_the_private_endpoint_only(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    async with private_endpoint(harness, mines=True) as (private, node):
        await private.queue_settlement(request_id)
        await private.drive_until_idle(private.keeper)
        assert [method for method, _ in node.received] == ["eth_sendRawTransaction"]
    (attempt,) = (await assert_sent_once(harness, harness.keeper, request_id, before)).attempts
    assert attempt.channel is BroadcastChannel.PRIVATE


async def test_withheld_transaction_stays_private_without_the_public_fallback(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    with harness.fund.stopped_mining():
        async with private_endpoint(harness, mines=False, private_wait_blocks=1) as (private, node):
            await private.queue_settlement(request_id)
            await private.drive(private.keeper)
            harness.fund.mine(9)
            await private.drive(private.keeper)
            await private.with_options(stuck_seconds=0).drive(private.keeper)
            assert len(node.received) == 2
        attempts = (await harness.intent(request_id)).attempts
        assert {attempt.channel for attempt in attempts} == {BroadcastChannel.PRIVATE}
        assert in_pool(harness) == 0


async def test_withheld_transaction_goes_public_with_the_public_fallback(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    with harness.fund.stopped_mining():
        async with private_endpoint(harness, mines=False, public_fallback=True, private_wait_blocks=4) as (private, node):
            await private.queue_settlement(request_id)
            await private.drive(private.keeper)
            harness.fund.mine(3)
            await private.drive(private.keeper)
            assert in_pool(harness) == 0, "not yet"
            harness.fund.mine(1)
            await private.drive(private.keeper)
            assert in_pool(harness) == 1
            assert len(node.received) == 1
            (attempt,) = (await harness.intent(request_id)).attempts
            assert (attempt.channel, attempt.status) == (BroadcastChannel.PUBLIC, AttemptStatus.BROADCAST)
            await private.with_options(stuck_seconds=0).drive(private.keeper)
            assert (await harness.intent(request_id)).attempts[-1].channel is BroadcastChannel.PUBLIC
    await harness.drive_until_idle(harness.keeper)
    await assert_sent_once(harness, harness.keeper, request_id, before)


async def test_transaction_goes_public_while_the_private_endpoint_is_down(harness: SendingHarness) -> None:
    request_id = harness.due_request()
    before = harness.nonce_on_chain(harness.keeper)
    async with private_endpoint(harness, mines=False, public_fallback=True, private_wait_blocks=4) as (private, node):
        node.disturbances += [replying_with(503)] * 9
        await private.queue_settlement(request_id)
        with harness.fund.stopped_mining():
            await private.drive(private.keeper)
            (attempt,) = (await harness.intent(request_id)).attempts
            assert (attempt.channel, attempt.status) == (BroadcastChannel.PRIVATE, AttemptStatus.SIGNED)
            harness.fund.mine(4)
        await private.drive_until_idle(private.keeper)
    await assert_sent_once(harness, harness.keeper, request_id, before)


async def test_private_endpoint_that_is_down_delays_unsent_intents_only(harness: SendingHarness) -> None:
    first, second = harness.due_request("ines"), harness.due_request("ivan")
    async with private_endpoint(harness, mines=True) as (private, node):
        with harness.fund.stopped_mining():
            await private.queue_settlement(first)
            await private.drive(private.keeper)
            accepting, node.methods["eth_sendRawTransaction"] = node.methods["eth_sendRawTransaction"], None
            node.disturbances += [replying_with(503)] * 9
            await private.queue_settlement(second)
            await private.drive(private.keeper)
            harness.fund.mine(3)
            await private.with_options(stuck_seconds=0).drive(private.keeper)
            delayed = await harness.intent(second)
            assert "the private endpoint does not answer" in str(delayed.reason)
            assert [attempt.status for attempt in delayed.attempts] == [AttemptStatus.SIGNED], "unseen: nothing to replace"
            assert "HTTP 503" in str(delayed.attempts[0].answer)
            assert (await harness.intent(first)).status is IntentStatus.FINAL
            assert (await harness.wallet(harness.keeper)).last_error is None
            node.disturbances.clear()
            node.methods["eth_sendRawTransaction"] = accepting
            await private.drive(private.keeper)
            assert (await harness.intent(second)).reason is None
        await private.drive_until_idle(private.keeper)
