"""Final blocks of nodes that report finality in different ways, and the chains that have a rule."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.chain.stub_node import NodeError, StubNode, header_of, stub_node
from tests.support.factories.strategies import stamp

from paimon.domain.chain.finality import FinalityTag
from paimon.infrastructure.blockchain.finality import (
    BscFinality,
    ChainMismatch,
    TagFinality,
    UnknownChain,
    WeakerFinality,
    chain_adapter,
    require_chain,
)
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.settings import FinalitySettings

pytestmark = pytest.mark.integration

HEAD = 1_000
BSC = BscFinality(turn_length=16)


def block(number: int) -> dict[str, Any]:
    return header_of(stamp(number), stamp(max(number - 1, 0)).hash)


def reject(_params: list[Any]) -> Any:
    raise NodeError(-32602, "invalid argument 0: hex string without 0x prefix")


def by_number(*, finalized: Any) -> Any:
    """Return an `eth_getBlockByNumber` with a given answer to the tag: a number, None, or an error."""

    def answer(params: list[Any]) -> Any:
        if params[0] != "finalized":
            return block(int(params[0], 16))
        return finalized(params) if callable(finalized) else None if finalized is None else block(finalized)

    return answer


@pytest.fixture
async def node() -> AsyncIterator[StubNode]:
    async with stub_node(eth_chainId="0x38", eth_blockNumber=hex(HEAD)) as opened:
        yield opened


@pytest.fixture
async def rpc(node: StubNode) -> AsyncIterator[Rpc]:
    async with Rpc(node.url, timeout_seconds=5, attempts_max=1) as opened:
        yield opened


async def test_bsc_finality_uses_the_finalized_tag(node: StubNode, rpc: Rpc) -> None:
    node.methods["eth_getBlockByNumber"] = by_number(finalized=HEAD - 2)
    assert await BSC.final_block(rpc) == stamp(HEAD - 2)
    assert await TagFinality().final_block(rpc) == stamp(HEAD - 2)


# The node does not know the tag, knows no final block yet, or has only the genesis block.
@pytest.mark.parametrize("finalized", [reject, None, 0])
async def test_bsc_finality_uses_its_own_method_without_the_tag(node: StubNode, rpc: Rpc, finalized: Any) -> None:
    node.methods |= {
        "eth_getBlockByNumber": by_number(finalized=finalized),
        "eth_getFinalizedHeader": lambda params: block(HEAD - 3) if params == [-2] else None,
    }
    assert await BSC.final_block(rpc) == stamp(HEAD - 3)


@pytest.mark.parametrize("own_method", [reject, lambda _params: None, lambda _params: block(0)])
async def test_bsc_finality_is_eleven_turns_below_the_head_without_either(node: StubNode, rpc: Rpc, own_method: Any) -> None:
    node.methods |= {"eth_getBlockByNumber": by_number(finalized=reject), "eth_getFinalizedHeader": own_method}
    assert await BSC.final_block(rpc) == stamp(HEAD - 11 * 16)


async def test_bsc_finality_is_genesis_on_a_young_chain(node: StubNode, rpc: Rpc) -> None:
    node.methods |= {"eth_getBlockByNumber": by_number(finalized=reject), "eth_blockNumber": hex(50)}
    assert await BSC.final_block(rpc) == stamp(0)


async def test_bsc_finality_fallbacks_are_never_weaker(node: StubNode, rpc: Rpc) -> None:
    seen = []
    for methods in (
        {"eth_getBlockByNumber": by_number(finalized=HEAD - 2)},
        {"eth_getBlockByNumber": by_number(finalized=None), "eth_getFinalizedHeader": block(HEAD - 2)},
        {"eth_getBlockByNumber": by_number(finalized=None), "eth_getFinalizedHeader": None},
    ):
        node.methods |= methods
        seen.append((await BSC.final_block(rpc)).number)
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("rule", [TagFinality(), BSC])
async def test_get_block_raises_when_the_node_lacks_the_block(node: StubNode, rpc: Rpc, rule: Any) -> None:
    """As behind a load balancer that takes the head from one node and the block from another that lags."""
    node.methods["eth_getBlockByNumber"] = None
    with pytest.raises(RpcError, match="the node has no block"):
        await rule.final_block(rpc)


def test_chain_adapter_raises_for_a_chain_without_a_rule() -> None:
    assert isinstance(chain_adapter(56), BscFinality)
    assert isinstance(chain_adapter(97), BscFinality)
    assert isinstance(chain_adapter(31337), TagFinality)
    with pytest.raises(UnknownChain, match="no finality rule for chain 1; known chains: 56, 97, 31337"):
        chain_adapter(1)
    with pytest.raises(UnknownChain, match="PAIMON_CHAIN__FINALITY__1__TAG=finalized"):
        chain_adapter(1, {56: FinalitySettings(depth=400)})


async def test_configured_rule_adds_a_chain_or_makes_it_stricter(node: StubNode, rpc: Rpc) -> None:
    node.methods["eth_getBlockByNumber"] = by_number(finalized=HEAD - 2)
    for rules, final in (
        (FinalitySettings(depth=64), HEAD - 64),
        (FinalitySettings(tag=FinalityTag.FINALIZED), HEAD - 2),
        (FinalitySettings(tag=FinalityTag.FINALIZED, depth=12), HEAD - 12),
        (FinalitySettings(tag=FinalityTag.FINALIZED, depth=1), HEAD - 2),
    ):
        assert await chain_adapter(1, {1: rules}).final_block(rpc) == stamp(final)
    assert await chain_adapter(56, {56: FinalitySettings(depth=400)}).final_block(rpc) == stamp(HEAD - 400)
    longer = chain_adapter(56, {56: FinalitySettings(turn_length=32)})
    assert await longer.final_block(rpc) == stamp(HEAD - 2)
    node.methods |= {"eth_getBlockByNumber": by_number(finalized=reject), "eth_getFinalizedHeader": reject}
    assert await longer.final_block(rpc) == stamp(HEAD - 11 * 32)


def test_weaker_rule_needs_an_explicit_setting() -> None:
    with pytest.raises(
        WeakerFinality, match=r"turns of 8 blocks are shorter.*PAIMON_CHAIN__FINALITY__56__ALLOW_WEAKER_RULE=true"
    ):
        chain_adapter(56, {56: FinalitySettings(turn_length=8)})
    assert chain_adapter(56, {56: FinalitySettings(turn_length=8, allow_weaker_rule=True)}) == BscFinality(8)


async def test_node_of_another_chain_is_rejected_with_both_ids(rpc: Rpc) -> None:
    await require_chain(rpc, 56)
    with pytest.raises(ChainMismatch, match=r"serves chain 56, but PAIMON_CHAIN__CHAIN_ID is 97"):
        await require_chain(rpc, 97)
