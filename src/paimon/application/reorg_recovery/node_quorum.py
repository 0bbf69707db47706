"""A quorum of nodes: an answer counts when at least two nodes give it. One node alone may be wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from paimon.domain.kernel.chain import BlockStamp, Hash32, hex0x
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.finality import ChainAdapter, block_stamp, require_chain
from paimon.infrastructure.blockchain.rpc.pool import Rpc


class QuorumTooSmall(StartupError):
    """Only one node is configured; a recovery compares two."""


class NodesDisagree(StartupError):
    """Two nodes have different blocks at one height, and no program can decide which of them is right."""


class NodeBehind(StartupError):
    """A node does not have a block that the recovery would rest on, or does not call it final."""


@dataclass(frozen=True, slots=True)
class NodeQuorum:
    """At least two nodes of the right chain."""

    nodes: Sequence[Rpc]
    chain: ChainAdapter

    @classmethod
    async def connect(cls, nodes: Sequence[Rpc], chain: ChainAdapter, *, chain_id: int) -> Self:
        """Check that there are two nodes, and that each serves the chain.

        Raises:
            QuorumTooSmall, ChainMismatch, RpcUnavailable, RpcError.
        """
        if len({node.endpoint for node in nodes}) < 2:
            raise QuorumTooSmall(
                f"recorded blocks are removed only when two nodes agree, and there is one ({nodes[0].endpoint}):"
                " name another node's URL with --endpoint"
            )
        for node in nodes:
            await require_chain(node, chain_id)
        return cls(nodes, chain)

    async def block_hash_at(self, number: int) -> Hash32 | None:
        """Return a block's hash by all nodes; None while one of them does not have the block.

        Raises:
            NodesDisagree, RpcUnavailable, RpcError.
        """
        answers = {node.endpoint: await _read_hash(node, number) for node in self.nodes}
        hashes = {block_hash for block_hash in answers.values() if block_hash is not None}
        if len(hashes) > 1:
            shown = ", ".join(
                f"{hex0x(block_hash) if block_hash else 'nothing'} on {endpoint}" for endpoint, block_hash in answers.items()
            )
            raise NodesDisagree(f"block {number} is {shown}: nothing is removed while nodes disagree")
        return None if None in answers.values() else next(iter(hashes))

    async def require_final(self, block: BlockStamp) -> Hash32:
        """Return the hash of the final block that all nodes have in place of a recorded one.

        Raises:
            NodeBehind, NodesDisagree, RpcUnavailable, RpcError.
        """
        for node in self.nodes:
            if (final := await self.chain.final_block(node)).number < block.number:
                raise NodeBehind(
                    f"block {block.number} is not final on {node.endpoint}, only {final.number}: wait for it, or name"
                    " another node; until then no final block stands in the recorded block's place"
                )
        block_hash = await self.block_hash_at(block.number)
        if block_hash is None or block_hash == block.hash:
            raise NodeBehind(f"the nodes' answers about block {block.number} changed during the comparison; compare again")
        return block_hash


async def _read_hash(node: Rpc, number: int) -> Hash32 | None:
    header = await node.call("eth_getBlockByNumber", [hex(number), False])
    return None if header is None else block_stamp(header).hash
