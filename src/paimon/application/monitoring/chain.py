"""The heads of the chain: its latest block and the final one, as the node returns them."""

import asyncio
from dataclasses import dataclass

from paimon.domain.kernel.chain import BlockStamp
from paimon.infrastructure.blockchain.finality import ChainAdapter, get_block
from paimon.infrastructure.blockchain.rpc.pool import Rpc


@dataclass(frozen=True, slots=True)
class ChainHeads:
    """The latest and the final block, each with the chain's own time."""

    head: BlockStamp
    final: BlockStamp

    @property
    def finality_lag_blocks(self) -> int:
        return max(self.head.number - self.final.number, 0)

    @property
    def finality_lag_seconds(self) -> float:
        """Return the chain time between the final block and the head.

        It is not the age of the final block, which would compare two clocks.
        """
        return max((self.head.timestamp - self.final.timestamp).total_seconds(), 0.0)


async def read_chain_heads(rpc: Rpc, chain: ChainAdapter) -> ChainHeads:
    """Read the latest and the final block.

    Raises:
        RpcUnavailable, RpcError.
    """
    head, final = await asyncio.gather(get_block(rpc, "latest"), chain.final_block(rpc))
    return ChainHeads(head, final)
