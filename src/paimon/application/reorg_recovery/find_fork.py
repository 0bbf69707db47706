"""Search for the fork: the last recorded block that is on the chain, and the first that is not. It changes nothing."""

from dataclasses import dataclass

from paimon.application.reorg_recovery.node_quorum import NodeQuorum
from paimon.application.reorg_recovery.queries import find_block_at_or_below
from paimon.domain.chain.common_ancestor import AncestorNotFound, AncestorProbe, Fork, search_ancestor
from paimon.domain.kernel.chain import BlockStamp, Hash32
from paimon.errors import StartupError
from paimon.infrastructure.database.sessions import ReadSession, WriteSession


class NoAncestor(StartupError):
    """The recorded chain and the nodes' chain have no recorded block in common."""


@dataclass(frozen=True, slots=True)
class ChangedBlock:
    """The oldest recorded block that is not on the chain, and the hash that the nodes have in its place."""

    recorded: BlockStamp
    hash_now: Hash32


@dataclass(frozen=True, slots=True)
class RecordedFork:
    """The recorded chain up to `cursor`, which is on the chain up to `ancestor`; `changed` is None when all of it is."""

    cursor: BlockStamp
    ancestor: BlockStamp
    changed: ChangedBlock | None


async def find_fork(session: ReadSession | WriteSession, node_quorum: NodeQuorum) -> RecordedFork:
    """Compare the recorded blocks with the nodes'.

    Raises:
        NoAncestor, NodesDisagree, NodeBehind, RpcUnavailable, RpcError.
    """
    probed: dict[int, BlockStamp] = {}

    async def probe(number: int) -> AncestorProbe | None:
        block = await find_block_at_or_below(session, number)
        if block is None:
            return None
        probed[block.number] = block
        return AncestorProbe(block.number, await node_quorum.block_hash_at(block.number) == block.hash)

    newest = await find_block_at_or_below(session)
    if newest is None:
        raise NoAncestor("the listener has recorded no block yet; there is nothing to recover")
    ancestor_search = search_ancestor(newest.number)
    height = next(ancestor_search)
    try:
        while True:
            height = ancestor_search.send(await probe(height))
    except StopIteration as end:
        fork: Fork = end.value
    except AncestorNotFound as error:
        raise NoAncestor(
            f"{error}: either these are nodes of another chain, or it changed from before the first recorded block."
            " Record again into an empty database (docs/operations/runbook.md)"
        ) from error
    if fork.first_changed is None:
        return RecordedFork(newest, probed[fork.ancestor], None)
    recorded = probed[fork.first_changed]
    return RecordedFork(newest, probed[fork.ancestor], ChangedBlock(recorded, await node_quorum.require_final(recorded)))
