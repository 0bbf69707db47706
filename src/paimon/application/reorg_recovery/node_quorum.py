"""What two nodes say of the chain, where both say the same. One node alone may be the one that is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from paimon.domain.kernel.chain import BlockStamp, Hash32, hex0x
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.finality import ChainAdapter, block_stamp, require_chain
from paimon.infrastructure.blockchain.rpc.pool import Rpc


class QuorumTooSmall(StartupError):
    """Only one node is there to ask."""


class NodesDisagree(StartupError):
    """Two nodes have different blocks at one height: which of them is right is nothing a program can know."""


class NodeBehind(StartupError):
    """A node does not have a block, or does not call it final, that the recovery would rest on."""


@dataclass(frozen=True, slots=True)
class NodeQuorum:
    """At least two nodes of the right chain."""

    nodes: Sequence[Rpc]
    chain: ChainAdapter

    @classmethod
    async def connect(cls, nodes: Sequence[Rpc], chain: ChainAdapter, *, chain_id: int) -> Self:
        """Raises QuorumTooSmall, ChainMismatch, RpcUnavailable, RpcError."""
        if len({each.endpoint for each in nodes}) < 2:
            raise QuorumTooSmall(
                "recorded blocks are given up only on the word of two nodes, and there is one"
                f" ({nodes[0].endpoint}): name another one's URL with --endpoint"
            )
        for each in nodes:
            await require_chain(each, chain_id)
        return cls(nodes, chain)

    async def block_hash_at(self, number: int) -> Hash32 | None:
        """The block's hash by all of them; None while one does not have it.

        Raises:
            NodesDisagree, RpcUnavailable, RpcError.
        """
        found = {each.endpoint: await _read_hash(each, number) for each in self.nodes}
        hashes = {each for each in found.values() if each is not None}
        if len(hashes) > 1:
            answers = ", ".join(f"{hex0x(block) if block else 'nothing'} on {endpoint}" for endpoint, block in found.items())
            raise NodesDisagree(f"block {number} is {answers}: nothing is given up while nodes disagree")
        return None if None in found.values() else next(iter(hashes))

    async def require_final(self, block: BlockStamp) -> Hash32:
        """Another block that all of them have, final, where this one is recorded.

        Raises:
            NodeBehind, NodesDisagree, RpcUnavailable, RpcError.
        """
        for each in self.nodes:
            if (final := await self.chain.final_block(each)).number < block.number:
                raise NodeBehind(
                    f"block {block.number} is not final on {each.endpoint}, only {final.number}: wait for it, or ask"
                    " another node; until then nothing stands in the recorded block's place"
                )
        found = await self.block_hash_at(block.number)
        if found is None or found == block.hash:
            raise NodeBehind(f"the nodes changed their mind about block {block.number} while they were asked; ask again")
        return found


async def _read_hash(node: Rpc, number: int) -> Hash32 | None:
    header = await node.call("eth_getBlockByNumber", [hex(number), False])
    return None if header is None else block_stamp(header).hash
