"""What a recovery would do, without doing any of it: where the recorded chain left the nodes', and what rests on that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.reorg_recovery.node_quorum import NodeQuorum
from paimon.domain.chain import common_ancestor as ancestor
from paimon.domain.chain.common_ancestor import AncestorNotFound, AncestorProbe
from paimon.domain.kernel.chain import BlockStamp, Hash32
from paimon.errors import StartupError


class NoAncestor(StartupError):
    """The recorded chain and the nodes' have no block in common that this house still knows of."""


@dataclass(frozen=True, slots=True)
class ChangedBlock:
    """The oldest recorded block that is not on the chain, and the hash that the nodes have in its place."""

    recorded: BlockStamp
    hash_now: Hash32


@dataclass(frozen=True, slots=True)
class RecordedFork:
    """Recorded up to `cursor`; on the chain up to `ancestor`. `changed` is None when that is all of it."""

    cursor: BlockStamp
    ancestor: BlockStamp
    changed: ChangedBlock | None


BLOCK_COLUMNS: Final[Mapping[str, str]] = {
    "derived.raw_logs": "block_number",
    "derived.blocks": "number",
    "derived.observations": "block_number",
    "derived.daily_snapshots": "block_number",
    "derived.asset_holdings_snapshots": "block_number",
    "derived.tracked_contracts": "since_block",
    "derived.range_proofs": "first_block",
}
"""Every input but the cursor, and the column that says of which block a row is; children before the blocks they hold on to."""

_AT_OR_BELOW: Final = text("""
    SELECT number, hash, timestamp FROM derived.blocks WHERE number <= :number ORDER BY number DESC LIMIT 1
""")


async def find_fork(session: AsyncSession, node_quorum: NodeQuorum) -> RecordedFork:
    """Compare what is recorded with two nodes.

    Raises:
        NoAncestor, NodesDisagree, NodeBehind, RpcUnavailable, RpcError.
    """
    seen: dict[int, BlockStamp] = {}

    async def probe(number: int) -> AncestorProbe | None:
        block = await _at_or_below(session, number)
        if block is None:
            return None
        seen[block.number] = block
        return AncestorProbe(block.number, await node_quorum.block_hash_at(block.number) == block.hash)

    newest = await _at_or_below(session, 2**63 - 1)
    if newest is None:
        raise NoAncestor("the listener has recorded no block yet; there is nothing to recover")
    ancestor_search = ancestor.search_ancestor(newest.number)
    height = next(ancestor_search)
    try:
        while True:
            height = ancestor_search.send(await probe(height))
    except StopIteration as found:
        fork: ancestor.Fork = found.value
    except AncestorNotFound as error:
        raise NoAncestor(
            f"{error}: either these are nodes of another chain, or it changed from before what is recorded here."
            " Record anew into an empty database (docs/operations/runbook.md)"
        ) from error
    if fork.first_changed is None:
        return RecordedFork(newest, seen[fork.ancestor], None)
    recorded = seen[fork.first_changed]
    return RecordedFork(newest, seen[fork.ancestor], ChangedBlock(recorded, await node_quorum.require_final(recorded)))


async def count_rows(session: AsyncSession, *, above: int) -> dict[str, int]:
    """How many rows of each input are of blocks above this one."""
    counts = {}
    for table, column in BLOCK_COLUMNS.items():
        query = text(f"SELECT count(*) FROM {table} WHERE {column} > :above")  # noqa: S608 — names of this file
        counts[table] = int((await session.execute(query, {"above": above})).scalar_one())
    return counts


async def _at_or_below(session: AsyncSession, number: int) -> BlockStamp | None:
    row = (await session.execute(_AT_OR_BELOW, {"number": number})).one_or_none()
    return None if row is None else BlockStamp(row.number, Hash32(bytes(row.hash)), row.timestamp)
