"""The cursor: the last recorded block. Each new holder of the lease claims it and compares it with the chain."""

from paimon.application.event_listener.fetch.block_range import Header, InconsistentResponse, fetch_header
from paimon.application.event_listener.fetch.store import add_tracked_contracts
from paimon.application.event_listener.fetch.tracked_contracts import read_initial_contracts
from paimon.application.event_listener.ingest.chain_behind import ChainBehindCursor
from paimon.application.event_listener.ingest.halt import FinalBlockChanged
from paimon.application.event_listener.ingest.store import claim_cursor, create_cursor, end_predecessor, has_cursor
from paimon.domain.kernel.chain import BlockStamp
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.finality import ChainAdapter
from paimon.infrastructure.blockchain.rpc.errors import BlockNotReached
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.leases import HeldLease, LeaseLost
from paimon.infrastructure.database.sessions import Database


async def take_cursor(
    database: Database, contracts: FundContracts, chain: ChainAdapter, lease: HeldLease, *, start_block: int
) -> BlockStamp:
    """Claim the cursor for this lease's epoch, which bars all earlier holders; create it before the first block.

    Raises:
        LeaseLost: a later holder has claimed the cursor.
        InvalidResponse, InconsistentResponse, RpcUnavailable, RpcError: the cursor must be created, and the node does not
            give the block before the first one.
    """
    async with database.read() as session:
        exists = await has_cursor(session)
    if not exists:
        before = await fetch_header(contracts.rpc, start_block - 1)
        if before is None:
            raise InconsistentResponse(f"the node has no block {start_block - 1} yet")
        initial = await read_initial_contracts(contracts, at=await chain.final_block(contracts.rpc), start_block=start_block)
        async with database.write() as session:
            await add_tracked_contracts(session, initial)
            await create_cursor(session, before.stamp, epoch=lease.epoch)
    async with database.write() as session:
        await end_predecessor(session)
        cursor = await claim_cursor(session, epoch=lease.epoch)
    if cursor is None:
        raise LeaseLost("a later holder has already taken the cursor")
    return cursor


async def require_same_chain(rpc: Rpc, cursor: BlockStamp) -> None:
    """Check that the chain has the cursor's block. Raises ChainBehindCursor or FinalBlockChanged."""
    found = (await fetch_cursor_header(rpc, cursor)).stamp
    if found.hash != cursor.hash:
        raise FinalBlockChanged(cursor, found.hash)


async def fetch_cursor_header(rpc: Rpc, cursor: BlockStamp) -> Header:
    """Fetch the chain's block at the cursor's height. Raises ChainBehindCursor where there is none."""
    try:
        header = await fetch_header(rpc, cursor.number)
    except BlockNotReached as error:  # every node says so; while one does not answer, it may have the block
        raise ChainBehindCursor(cursor) from error
    if header is None:
        raise ChainBehindCursor(cursor)
    return header
