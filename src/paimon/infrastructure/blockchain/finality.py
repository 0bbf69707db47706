"""When a block counts: each chain's own rule, and no default for a chain nobody thought about.

A second chain changes this file: its finality rule, its block time, its gas strategy.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog

from paimon.domain.chain import BlockStamp, Hash32
from paimon.infrastructure.blockchain.rpc import Rpc, RpcError
from paimon.settings import Refusal

log = structlog.get_logger(__name__)


class ChainMismatch(Refusal):
    """The node serves another chain than the settings name."""


class UnknownChain(Refusal):
    """No finality rule is known for this chain id."""


class ChainAdapter(Protocol):
    """What differs from chain to chain."""

    async def final_block(self, rpc: Rpc) -> BlockStamp: ...


def block_stamp(header: dict[str, Any]) -> BlockStamp:
    return BlockStamp(
        number=int(header["number"], 16),
        hash=Hash32(bytes.fromhex(header["hash"][2:])),
        timestamp=datetime.fromtimestamp(int(header["timestamp"], 16), UTC),
    )


async def get_block(rpc: Rpc, tag: str) -> BlockStamp:
    """Raises RpcError when the node does not have it (yet)."""
    header = await rpc.call("eth_getBlockByNumber", [tag, False])
    if header is None:
        raise RpcError("eth_getBlockByNumber", 0, f"the node has no block {tag}")
    return block_stamp(header)


@dataclass(frozen=True, slots=True)
class FinalizedTag:
    """The node's own `finalized` tag."""

    async def final_block(self, rpc: Rpc) -> BlockStamp:
        return await get_block(rpc, "finalized")


_TWO_THIRDS_OF_VALIDATORS: Final = -2
_VALIDATORS_FOR_A_MAJORITY: Final = 11


@dataclass(frozen=True, slots=True)
class BscFinality:
    """The `finalized` tag; where a node lacks it, BSC's own `eth_getFinalizedHeader`; else 11 turns below the head.

    A turn is the number of blocks one validator makes in a row, and 11 of the 21 validators are a majority. Each step
    down is later, never looser. Source: BEP-126 (fast finality), BEP-341 (turns), BNB Chain's finality API.
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
            if header is not None and int(header["number"], 16) > 0:
                return block_stamp(header)
        head = int(await rpc.call("eth_blockNumber", []), 16)
        number = max(head - _VALIDATORS_FOR_A_MAJORITY * self.turn_length, 0)
        return await get_block(rpc, hex(number))


CHAINS: Final[dict[int, ChainAdapter]] = {
    56: BscFinality(turn_length=16),
    97: BscFinality(turn_length=16),
    31337: FinalizedTag(),
}


def chain_adapter(chain_id: int) -> ChainAdapter:
    """Raises UnknownChain rather than guess."""
    try:
        return CHAINS[chain_id]
    except KeyError:
        known = ", ".join(map(str, CHAINS))
        raise UnknownChain(f"no finality rule for chain {chain_id}; known chains: {known}") from None


async def require_chain(rpc: Rpc, chain_id: int) -> None:
    """Raises ChainMismatch, naming both ids, when an endpoint serves another chain. One that is merely down may come later."""
    for endpoint, served in (await rpc.chain_ids()).items():
        if served != chain_id:
            raise ChainMismatch(
                f"node {endpoint} serves chain {served}, but PAIMON_CHAIN__CHAIN_ID is {chain_id}:"
                " point PAIMON_CHAIN__RPC_URL and PAIMON_CHAIN__MORE_RPC_URLS at the right chain"
            )
