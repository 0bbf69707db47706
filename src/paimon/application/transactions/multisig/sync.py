"""Sync a Safe: read its owners, threshold and nonce, and record what its executions made of the proposals.

Level-triggered, and only final blocks count. The Safe's own events show what it executed. They must account for every step of
its nonce since the last sync; a node whose logs are not complete yet is asked again later, and nothing is concluded
meanwhile. A proposal that someone else executed, with signatures from here or from elsewhere, is adopted like our own.
Every proposal that competed with it for the nonce is over.
"""

from typing import Final

import structlog

from paimon.application.transactions.multisig.context import SafeContext
from paimon.application.transactions.multisig.safe_errors import SafeTask, clear_safe_error, record_safe_error
from paimon.application.transactions.multisig.store import find_safe, insert_safe, list_open, lock_safe, view_of
from paimon.domain.kernel.chain import Address, BlockStamp, checksum, hex0x
from paimon.domain.transaction.safe_proposal import (
    IncompleteExecutions,
    SafeExecutionEvent,
    SafeInfo,
    executions_by_nonce,
    proposal_outcome,
)
from paimon.domain.transaction.safe_transaction import rejection_transaction, safe_transaction_hashes
from paimon.infrastructure.blockchain.contracts.safe import SafeContract, UnexpectedSafe
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.multisig import SafeRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

BLOCKS_MAX: Final = 2_000
"""Blocks in one request for a Safe's executions; providers refuse far longer ranges."""


async def sync_safes(context: SafeContext) -> None:
    """Sync every Safe of the settings. An error about one Safe is logged and shown on its row; the others go on."""
    for name, address in context.safes.items():
        try:
            await sync_safe(context, address)
        except UnexpectedSafe as error:
            log.error("safe.unsupported", safe=name, reason=str(error))
            await record_safe_error(context.database, address, SafeTask.SYNC, str(error))
        except (IncompleteExecutions, RpcUnavailable, RpcError) as error:
            log.warning("safe.node_unavailable", safe=name, reason=str(error))
            await record_safe_error(context.database, address, SafeTask.SYNC, str(error))
        else:
            await clear_safe_error(context.database, address, SafeTask.SYNC)


async def sync_safe(context: SafeContext, address: Address) -> BlockStamp:
    """Bring the Safe's row and its proposals up to the final block, and return that block.

    Raises:
        UnexpectedSafe, IncompleteExecutions, RpcUnavailable, RpcError: nothing was changed.
    """
    contract, final = context.contract(address), await context.final_block()
    view = await contract.view(at=final)
    async with context.database.write() as session:
        row = await find_safe(session, address)
        if row is None:
            await insert_safe(session, address, context.name(address), view, at=final)
            log.info("safe.added", safe=checksum(address), name=context.name(address), nonce=view.nonce)
            return final
    executed = await _read_executions(contract, view_of(row), row.seen_block, view, final)
    async with context.database.write() as session:
        locked = await lock_safe(session, address)
        if locked.seen_block == row.seen_block and final.number > row.seen_block:
            await _record_state(session, context, locked, view, final, executed)
    return final


async def _read_executions(
    contract: SafeContract, before: SafeInfo, seen_block: int, now: SafeInfo, final: BlockStamp
) -> dict[int, SafeExecutionEvent]:
    """Read the execution of each nonce since the last sync. The logs are read only when the nonce has moved."""
    if now.nonce <= before.nonce:
        return {}
    found: list[SafeExecutionEvent] = []
    for first in range(seen_block + 1, final.number + 1, BLOCKS_MAX):
        found += await contract.read_executions(first, min(first + BLOCKS_MAX - 1, final.number))
    return executions_by_nonce(found, before=before.nonce, now=now.nonce)


async def _record_state(
    session: WriteSession,
    context: SafeContext,
    row: SafeRow,
    view: SafeInfo,
    at: BlockStamp,
    executed: dict[int, SafeExecutionEvent],
) -> None:
    now, safe = await database_now(session), Address(row.address)
    if set(row.owners) != set(view.owners) or row.threshold != view.threshold:
        owners = [checksum(owner) for owner in view.owners]
        log.warning("safe.owners_changed", safe=checksum(safe), owners=owners, threshold=view.threshold)
    for proposal in await list_open(session, safe):
        execution = executed.get(proposal.nonce)
        if execution is None:
            continue
        rejection = safe_transaction_hashes(rejection_transaction(proposal.nonce, safe), context.scope(safe)).transaction
        proposal.outcome = proposal_outcome(proposal.hash, execution, rejection=rejection)
        proposal.executed_tx_hash = execution.tx_hash
        proposal.closed_at = now
        log.info(
            "proposal.closed",
            safe=row.name,
            hash=hex0x(proposal.hash),
            nonce=proposal.nonce,
            outcome=proposal.outcome,
            tx_hash=hex0x(execution.tx_hash),
        )
    row.owners, row.threshold, row.nonce = list(view.owners), view.threshold, view.nonce
    row.next_nonce = max(row.next_nonce, view.nonce)
    row.seen_block, row.seen_hash, row.seen_at = at.number, at.hash, now
