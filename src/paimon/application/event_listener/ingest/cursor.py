"""The cursor, where the books stand: taken by each new holder of the lease, and held against the chain."""

from typing import Final

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from paimon.application.event_listener.fetch.block_range import Header, InconsistentResponse, fetch_header
from paimon.application.event_listener.fetch.tracked_contracts import add_tracked_contracts, read_initial_contracts
from paimon.application.event_listener.ingest.chain_behind import ChainBehindCursor
from paimon.application.event_listener.ingest.halt import FinalBlockChanged
from paimon.domain.kernel.chain import BlockStamp
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc.errors import BlockNotReached
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.leases import HeldLease, LeaseLost
from paimon.infrastructure.database.models.derived import CursorRow
from paimon.infrastructure.database.sessions import Database

# One that froze in the middle of its transaction keeps the cursor's row, and in the middle of a COPY no timeout of the server
# reaches it. Its lease is over, so nothing it does there may be committed any more.
_END_PREDECESSOR: Final = text("""
    SELECT pg_terminate_backend(pid)
      FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
       AND locktype = 'relation' AND relation = 'derived.cursor'::regclass AND mode = 'RowExclusiveLock' AND granted
""")


async def take_cursor(
    database: Database, contracts: FundContracts, chain: ChainAdapter, lease: HeldLease, *, start_block: int
) -> BlockStamp:
    """The cursor, created before the first block and stamped with this lease's epoch, which bars all earlier holders.

    Raises:
        LeaseLost: a later holder has it.
        InvalidResponse, InconsistentResponse, RpcUnavailable, RpcError: there is none yet, and the node is no help.
    """
    async with database.read() as session:
        known = (await session.execute(select(CursorRow))).scalar_one_or_none()
    if known is None:
        before = await fetch_header(contracts.rpc, start_block - 1)
        if before is None:
            raise InconsistentResponse(f"the node has no block {start_block - 1} yet")
        first = await read_initial_contracts(contracts, at=await chain.final_block(contracts.rpc), start_block=start_block)
        async with database.write() as session:
            await add_tracked_contracts(session, first)
            stamp = before.stamp
            values = {"number": stamp.number, "hash": stamp.hash, "timestamp": stamp.timestamp}
            await session.execute(insert(CursorRow).values(id=1, epoch=lease.epoch, **values).on_conflict_do_nothing())
    async with database.write() as session:
        await session.execute(_END_PREDECESSOR)
        taken = update(CursorRow).where(CursorRow.epoch <= lease.epoch).values(epoch=lease.epoch).returning(CursorRow)
        row = (await session.scalars(taken)).one_or_none()
        if row is None:
            raise LeaseLost("a later holder has already taken the cursor")
        return BlockStamp(row.number, row.hash, row.timestamp)


async def require_same_chain(rpc: Rpc, cursor: BlockStamp) -> None:
    """Raises ChainBehindCursor or FinalBlockChanged unless the chain has the cursor's block."""
    found = (await fetch_cursor_header(rpc, cursor)).stamp
    if found.hash != cursor.hash:
        raise FinalBlockChanged(cursor, found.hash)


async def fetch_cursor_header(rpc: Rpc, cursor: BlockStamp) -> Header:
    """The chain's block at the cursor's height. Raises ChainBehindCursor where there is none."""
    try:
        header = await fetch_header(rpc, cursor.number)
    except BlockNotReached as error:  # every node says so; as long as one is away, it may have the block
        raise ChainBehindCursor(cursor) from error
    if header is None:
        raise ChainBehindCursor(cursor)
    return header
