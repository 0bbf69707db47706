"""A private endpoint first: the same bytes go public only after so many blocks, and only if the policy allows it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.support.chain.stub_node import StubNode, replying, stub_node
from tests.support.scenarios.sending import Office, assert_sent_once, stopped_mining

from paimon.domain.transaction.lifecycle import AttemptStatus, IntentStatus, TxChannel
from paimon.infrastructure.blockchain.rpc import Rpc

pytestmark = pytest.mark.integration


@asynccontextmanager
async def private_endpoint(office: Office, *, mines: bool, **options: Any) -> AsyncIterator[tuple[Office, StubNode]]:
    """An endpoint that takes transactions and passes them on to builders, or withholds them."""

    def take(params: list[Any]) -> str:
        return str(office.fund.node.rpc.call("eth_sendRawTransaction", *params)) if mines else "0x" + "00" * 32

    async with stub_node(eth_sendRawTransaction=take) as node, Rpc(node.url, timeout_seconds=5, attempts_max=1) as rpc:
        yield replace(office.with_options(**options), private=rpc), node


def in_pool(office: Office) -> int:
    return int(office.fund.node.rpc.call("txpool_status")["pending"], 16)


async def test_what_the_private_endpoint_gets_mined_was_never_sent_elsewhere(office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    async with private_endpoint(office, mines=True) as (private, node):
        await private.queue_settlement(request_id)
        await private.finish(private.keeper)
        assert [method for method, _ in node.asked] == ["eth_sendRawTransaction"]
    (attempt,) = (await assert_sent_once(office, office.keeper, request_id, before)).attempts
    assert attempt.channel is TxChannel.PRIVATE


async def test_withheld_it_stays_private_and_is_replaced_privately_where_the_policy_says_so(office: Office) -> None:
    request_id = office.due()
    with stopped_mining(office.fund):
        async with private_endpoint(office, mines=False, private_blocks=1) as (private, node):
            await private.queue_settlement(request_id)
            await private.drive(private.keeper)
            office.fund.mine(9)
            await private.drive(private.keeper)
            await private.with_options(stuck_seconds=0).drive(private.keeper)
            assert len(node.asked) == 2
        attempts = (await office.intent(request_id)).attempts
        assert {each.channel for each in attempts} == {TxChannel.PRIVATE}
        assert in_pool(office) == 0


async def test_withheld_for_too_long_it_goes_public_where_the_policy_allows_it(office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    with stopped_mining(office.fund):
        async with private_endpoint(office, mines=False, public_fallback=True, private_blocks=4) as (private, node):
            await private.queue_settlement(request_id)
            await private.drive(private.keeper)
            office.fund.mine(3)
            await private.drive(private.keeper)
            assert in_pool(office) == 0, "not yet"
            office.fund.mine(1)
            await private.drive(private.keeper)
            assert in_pool(office) == 1
            assert len(node.asked) == 1
            (attempt,) = (await office.intent(request_id)).attempts
            assert (attempt.channel, attempt.status) == (TxChannel.PUBLIC, AttemptStatus.BROADCAST)
            await private.with_options(stuck_seconds=0).drive(private.keeper)
            assert (await office.intent(request_id)).attempts[-1].channel is TxChannel.PUBLIC
    await office.finish(office.keeper)
    await assert_sent_once(office, office.keeper, request_id, before)


async def test_a_private_endpoint_that_is_down_holds_it_up_for_so_many_blocks(office: Office) -> None:
    request_id = office.due()
    before = office.nonce_on_chain(office.keeper)
    async with private_endpoint(office, mines=False, public_fallback=True, private_blocks=4) as (private, node):
        node.disturbances += [replying(503)] * 9
        await private.queue_settlement(request_id)
        with stopped_mining(office.fund):
            await private.drive(private.keeper)
            (attempt,) = (await office.intent(request_id)).attempts
            assert (attempt.channel, attempt.status) == (TxChannel.PRIVATE, AttemptStatus.SIGNED)
            office.fund.mine(4)
        await private.finish(private.keeper)
    await assert_sent_once(office, office.keeper, request_id, before)


async def test_a_private_endpoint_that_is_down_is_named_and_what_was_sent_before_is_followed(office: Office) -> None:
    first, second = office.due("ines"), office.due("ivan")
    async with private_endpoint(office, mines=True) as (private, node):
        with stopped_mining(office.fund):
            await private.queue_settlement(first)
            await private.drive(private.keeper)
            takes, node.methods["eth_sendRawTransaction"] = node.methods["eth_sendRawTransaction"], None
            node.disturbances += [replying(503)] * 9
            await private.queue_settlement(second)
            await private.drive(private.keeper)
            office.fund.mine(3)
            await private.with_options(stuck_seconds=0).drive(private.keeper)
            held_up = await office.intent(second)
            assert "the private endpoint does not answer" in str(held_up.reason)
            assert [each.status for each in held_up.attempts] == [AttemptStatus.SIGNED], "nobody saw it: nothing to replace"
            assert "HTTP 503" in str(held_up.attempts[0].answer)
            assert (await office.intent(first)).status is IntentStatus.FINAL
            assert (await office.wallet(office.keeper)).interrupted_by is None
            node.disturbances.clear()
            node.methods["eth_sendRawTransaction"] = takes
            await private.drive(private.keeper)
            assert (await office.intent(second)).reason is None
        await private.finish(private.keeper)
