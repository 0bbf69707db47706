"""Read the final block from a node, by the chain's finality rule. There is no default rule for other chains."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import Any, Final, Protocol

import structlog

from paimon.domain.chain.finality import CHAIN_RULES, MAJORITY_OF_VALIDATORS, FinalityRule, FinalityTag, weaker_rule_reason
from paimon.domain.kernel.chain import BlockStamp, Hash32
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.settings import FinalitySettings

log = structlog.get_logger(__name__)


class ChainMismatch(StartupError):
    """The node serves another chain than the settings name."""


class UnknownChain(StartupError):
    """No finality rule is known for this chain id."""


class WeakerFinality(StartupError):
    """A configured rule could call a block final before the chain's own rule does."""


class ChainAdapter(Protocol):
    """The part of reading a chain that differs from chain to chain."""

    async def final_block(self, rpc: Rpc) -> BlockStamp: ...


def block_stamp(header: dict[str, Any]) -> BlockStamp:
    """Read a block's stamp from its header. Raises RpcError when the header is not readable, as for any failed answer."""
    try:
        return BlockStamp(
            number=int(header["number"], 16),
            hash=Hash32(bytes.fromhex(header["hash"][2:])),
            timestamp=datetime.fromtimestamp(int(header["timestamp"], 16), UTC),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RpcError("eth_getBlockByNumber", 0, f"the node's header does not read: {error!r}") from error


async def get_block(rpc: Rpc, tag: str) -> BlockStamp:
    """Read a block by number or tag. Raises RpcError when the node does not have it (yet)."""
    header = await rpc.call("eth_getBlockByNumber", [tag, False])
    if header is None:
        raise RpcError("eth_getBlockByNumber", 0, f"the node has no block {tag}")
    return block_stamp(header)


@dataclass(frozen=True, slots=True)
class TagFinality:
    """The block that the node tags as final."""

    tag: FinalityTag = FinalityTag.FINALIZED

    async def final_block(self, rpc: Rpc) -> BlockStamp:
        return await get_block(rpc, self.tag.value)


@dataclass(frozen=True, slots=True)
class DepthFinality:
    """The block a fixed number of blocks below the head; the node's own word on finality does not count."""

    depth: int

    async def final_block(self, rpc: Rpc) -> BlockStamp:
        head = int(await rpc.call("eth_blockNumber", []), 16)
        return await get_block(rpc, hex(max(head - self.depth, 0)))


_TWO_THIRDS_OF_VALIDATORS: Final = -2


@dataclass(frozen=True, slots=True)
class BscFinality:
    """The `finalized` tag; where a node lacks it, BSC's own `eth_getFinalizedHeader`; else 11 turns below the head.

    A turn is the number of blocks one validator makes in a row, and 11 of the 21 validators are a majority. Each fallback
    down gives a lower block, never a weaker rule. Source: BEP-126 (fast finality), BEP-341 (turns), BNB Chain's finality API.
    """

    turn_length: int

    async def final_block(self, rpc: Rpc) -> BlockStamp:
        for method, params in (
            ("eth_getBlockByNumber", ["finalized", False]),
            ("eth_getFinalizedHeader", [_TWO_THIRDS_OF_VALIDATORS]),
        ):
            try:
                header = await rpc.call(method, params)
            except RpcError as error:
                log.debug("finality.method_missing", endpoint=rpc.endpoint, method=method, reason=str(error))
                continue
            if header is not None and (final := block_stamp(header)).number > 0:
                return final
        return await DepthFinality(MAJORITY_OF_VALIDATORS * self.turn_length).final_block(rpc)


@dataclass(frozen=True, slots=True)
class CombinedFinality:
    """A block that is final by both rules: the lower of the two."""

    one: ChainAdapter
    other: ChainAdapter

    async def final_block(self, rpc: Rpc) -> BlockStamp:
        return min(await self.one.final_block(rpc), await self.other.final_block(rpc))


def build_adapter(rule: FinalityRule) -> ChainAdapter:
    """Build the adapter for a rule."""
    adapters: list[ChainAdapter] = []
    if rule.turn_length is not None:
        adapters.append(BscFinality(rule.turn_length))
    elif rule.tag is not None:
        adapters.append(TagFinality(rule.tag))
    if rule.depth is not None:
        adapters.append(DepthFinality(rule.depth))
    return reduce(CombinedFinality, adapters)


def chain_adapter(chain_id: int, rules: Mapping[int, FinalitySettings] | None = None) -> ChainAdapter:
    """Return the adapter for the chain's own rule, or for the configured rule where `rules` has one.

    Raises:
        UnknownChain: no rule is known for the chain.
        WeakerFinality: the configured rule could call a block final too early, and the settings do not allow that.
    """
    own = CHAIN_RULES.get(chain_id)
    configured = (rules or {}).get(chain_id)
    if configured is None:
        if own is None:
            known = ", ".join(map(str, CHAIN_RULES))
            raise UnknownChain(
                f"no finality rule for chain {chain_id}; known chains: {known}."
                f" Configure its rule: PAIMON_CHAIN__FINALITY__{chain_id}__TAG=finalized, or …__DEPTH=64"
                ' (in the signer\'s policy: finality = {tag = "finalized"})'
            )
        return build_adapter(own)
    if own is not None and (reason := weaker_rule_reason(configured.rule, own)) is not None:
        if not configured.allow_weaker_rule:
            raise WeakerFinality(
                f"PAIMON_CHAIN__FINALITY__{chain_id} could call a block final too early: {reason}."
                f" If that is intended, set PAIMON_CHAIN__FINALITY__{chain_id}__ALLOW_WEAKER_RULE=true"
            )
        log.warning("finality.weaker_rule", chain_id=chain_id, reason=reason)
    return build_adapter(configured.rule)


_URLS: Final = "PAIMON_CHAIN__RPC_URL and PAIMON_CHAIN__EXTRA_RPC_URLS"


async def require_chain(rpc: Rpc, chain_id: int, *, urls_setting: str = _URLS) -> None:
    """Check that every endpoint that answers serves this chain. An endpoint that is down is checked later.

    Raises:
        ChainMismatch: an endpoint serves another chain; the text names both ids and the settings with the URLs.
    """
    for endpoint, served in (await rpc.chain_ids()).items():
        if served != chain_id:
            raise ChainMismatch(
                f"node {endpoint} serves chain {served}, but PAIMON_CHAIN__CHAIN_ID is {chain_id}:"
                f" point {urls_setting} at the right chain"
            )
