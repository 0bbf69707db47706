"""A house on several endpoints of a real chain: one may be dead or of another chain, and a cap may stand before it."""

from typing import Any

import pytest
from pydantic import SecretStr
from tests.support.chain.fund import TestFund
from tests.support.chain.stub_node import KEY, stub_node

from paimon.application.event_listener.fetch.block_range import fetch_range
from paimon.application.event_listener.fetch.log_filter import LogQuery
from paimon.composition import open_house, require_ready
from paimon.domain.chain.endpoint_health import Use
from paimon.domain.kernel.chain import ContractName
from paimon.infrastructure.blockchain.contracts import Read
from paimon.infrastructure.blockchain.finality import ChainMismatch
from paimon.settings import Settings

pytestmark = pytest.mark.integration

DEAD = f"http://127.0.0.1:1/{KEY}"


def with_endpoints(settings: Settings, first: str, more: str, **options: Any) -> Settings:
    urls = {"rpc_url": SecretStr(first), "more_rpc_urls": SecretStr(more), "attempts_max": 3}
    return settings.model_copy(update={"chain": settings.chain.model_copy(update=urls | options)})


async def test_a_house_whose_first_endpoint_is_dead_starts_reads_and_tells_how_each_stands(
    settings: Settings, fund: TestFund
) -> None:
    async with open_house(with_endpoints(settings, DEAD, fund.rpc_url), process="test") as house:
        await require_ready(house)
        final = await house.chain.final_block(house.rpc)
        (vault,) = await house.contracts.read([Read(ContractName.REDEMPTION_MANAGER, "vault")], at=final)
        assert vault == house.contracts.addresses.vault
        dead, well = house.rpc.endpoints()
    assert dead.head is None
    assert dead.serves_our_chain is None
    assert well.serves_our_chain
    assert well.head is not None
    assert well.head >= final.number
    assert well.uses == (Use.READ, Use.WRITE)
    assert KEY not in repr([dead, well])


async def test_a_house_with_one_endpoint_of_another_chain_does_not_start(settings: Settings, fund: TestFund) -> None:
    async with (
        stub_node(eth_chainId="0x1", eth_blockNumber="0x1") as foreign,
        open_house(with_endpoints(settings, fund.rpc_url, foreign.url), process="test") as house,
    ):
        with pytest.raises(ChainMismatch, match="serves chain 1, but PAIMON_CHAIN__CHAIN_ID is 31337") as refused:
            await require_ready(house)
    assert KEY not in str(refused.value)


async def test_two_endpoints_of_one_chain_give_the_same_range(settings: Settings, fund: TestFund) -> None:
    other = fund.rpc_url.replace("127.0.0.1", "localhost")
    async with open_house(with_endpoints(settings, fund.rpc_url, other), process="test") as house:
        final = await house.chain.final_block(house.rpc)
        one = await house.rpc.at_height(final.number).preferred()
        another = one.another_than(one.endpoint)
        assert another is not None
        followed = list(house.contracts.addresses.names())
        ranges = [
            await fetch_range(
                each, final.number - 8, final.number, [LogQuery(frozenset(followed), final.number - 8, final.number)]
            )
            for each in (one, another)
        ]
    assert ranges[0] == ranges[1]
    assert ranges[0].last == final
