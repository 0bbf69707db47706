"""The system on several endpoints of a real chain: one may be down or serve another chain."""

from typing import Any

import pytest
from pydantic import SecretStr
from tests.support.chain.fund import TestFund
from tests.support.chain.stub_node import KEY, stub_node

from paimon.application.event_listener.fetch.block_range import fetch_range
from paimon.application.event_listener.fetch.log_filter import LogQuery
from paimon.composition import open_app_context, require_ready
from paimon.domain.chain.endpoint_health import EndpointUse
from paimon.infrastructure.blockchain.finality import ChainMismatch
from paimon.settings import Settings

pytestmark = pytest.mark.integration

UNREACHABLE = f"http://127.0.0.1:1/{KEY}"


def with_endpoints(settings: Settings, first: str, more: str, **options: Any) -> Settings:
    urls = {"rpc_url": SecretStr(first), "extra_rpc_urls": SecretStr(more), "attempts_max": 3}
    return settings.model_copy(update={"chain": settings.chain.model_copy(update=urls | options)})


async def test_system_starts_and_reads_when_its_first_endpoint_is_down(settings: Settings, fund: TestFund) -> None:
    async with open_app_context(with_endpoints(settings, UNREACHABLE, fund.rpc_url), process="test") as app_context:
        await require_ready(app_context)
        final = await app_context.chain.final_block(app_context.rpc)
        vault = await app_context.contracts.read_one(app_context.contracts.redemption_manager.vault(), at=final)
        assert vault == app_context.contracts.addresses.vault
        down, healthy = app_context.rpc.endpoints()
    assert down.head is None
    assert down.serves_our_chain is None
    assert healthy.serves_our_chain
    assert healthy.head is not None
    assert healthy.head >= final.number
    assert healthy.uses == (EndpointUse.READ, EndpointUse.WRITE)
    assert KEY not in repr([down, healthy])


async def test_system_does_not_start_with_an_endpoint_of_another_chain(settings: Settings, fund: TestFund) -> None:
    async with (
        stub_node(eth_chainId="0x1", eth_blockNumber="0x1") as foreign,
        open_app_context(with_endpoints(settings, fund.rpc_url, foreign.url), process="test") as app_context,
    ):
        with pytest.raises(ChainMismatch, match="serves chain 1, but PAIMON_CHAIN__CHAIN_ID is 31337") as raised:
            await require_ready(app_context)
    assert KEY not in str(raised.value)


async def test_two_endpoints_of_one_chain_return_the_same_range(settings: Settings, fund: TestFund) -> None:
    other = fund.rpc_url.replace("127.0.0.1", "localhost")
    async with open_app_context(with_endpoints(settings, fund.rpc_url, other), process="test") as app_context:
        final = await app_context.chain.final_block(app_context.rpc)
        one = await app_context.rpc.at_height(final.number).preferred()
        another = one.excluding(one.endpoint)
        assert another is not None
        tracked = list(app_context.contracts.addresses.names())
        ranges = [
            await fetch_range(
                node, final.number - 8, final.number, [LogQuery(frozenset(tracked), final.number - 8, final.number)]
            )
            for node in (one, another)
        ]
    assert ranges[0] == ranges[1]
    assert ranges[0].last == final
