"""One look at the chain: its head and the block that is final, as the node says, each with the chain's own time."""

import asyncio
from dataclasses import dataclass

from paimon.domain.kernel.chain import BlockStamp
from paimon.infrastructure.blockchain.finality import ChainAdapter, get_block
from paimon.infrastructure.blockchain.rpc.pool import Rpc


@dataclass(frozen=True, slots=True)
class ChainHeads:
    head: BlockStamp
    final: BlockStamp

    @property
    def finality_lag_blocks(self) -> int:
        return max(self.head.number - self.final.number, 0)

    @property
    def finality_lag_seconds(self) -> float:
        """How much younger the head is than the final block. (Not how old the final block is: that is another clock.)"""
        return max((self.head.timestamp - self.final.timestamp).total_seconds(), 0.0)


async def read_chain_heads(rpc: Rpc, chain: ChainAdapter) -> ChainHeads:
    """Raises RpcUnavailable, RpcError."""
    head, final = await asyncio.gather(get_block(rpc, "latest"), chain.final_block(rpc))
    return ChainHeads(head, final)
