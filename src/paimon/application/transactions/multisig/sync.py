"""Looking at a Safe: who owns it, how far its nonce is, and what that made of our proposals, whoever executed them.

Level-triggered, and only final blocks count. The Safe's own events say what it executed, and they must account for every
step of its nonce since it was last seen: a node whose logs are not complete yet is asked again later, and nothing is
concluded meanwhile. A proposal executed by somebody else, with signatures from here or from elsewhere, is thereby
adopted like our own; whatever competed with it for the nonce is over.
"""

from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from paimon.application.transactions.multisig.context import SafeContext
from paimon.application.transactions.multisig.safe_errors import SafeTask, clear_safe_error, record_safe_error
from paimon.application.transactions.multisig.store import list_open, lock_safe, view_of
from paimon.domain.kernel.chain import Address, BlockStamp, checksum, hex0x
from paimon.domain.transaction.safe_proposal import (
    IncompleteExecutions,
    SafeExecutionEvent,
    SafeInfo,
    executions_by_nonce,
    proposal_outcome,
)
from paimon.domain.transaction.safe_transaction import safe_transaction_hashes, rejection_transaction
from paimon.infrastructure.blockchain.contracts.safe import SafeContract, UnexpectedSafe
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.multisig import SafeRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

BLOCKS_MAX: Final = 2_000
"""Of one request for a Safe's executions; providers refuse far longer ranges."""


async def sync_safes(context: SafeContext) -> None:
    """Look at every Safe of the settings. What is wrong with one, or with the node, is told and shown; the others go on."""
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
    """Bring the Safe's row and its proposals up to the present final block, which is returned.

    Raises:
        UnexpectedSafe, IncompleteExecutions, RpcUnavailable, RpcError: nothing was changed.
    """
    contract, final = context.contract(address), await context.final_block()
    view = await contract.view(at=final)
    async with context.database.write() as session:
        row = (await session.scalars(select(SafeRow).where(SafeRow.address == address))).one_or_none()
        if row is None:
            await _insert_safe(session, context, address, view, final)
            return final
    executed = await _read_executions(contract, view_of(row), row.seen_block, view, final)
    async with context.database.write() as session:
        locked = await lock_safe(session, address)
        if locked.seen_block == row.seen_block and final.number > row.seen_block:
            await _record_state(session, context, locked, view, final, executed)
    return final


async def _insert_safe(session: WriteSession, context: SafeContext, address: Address, view: SafeInfo, at: BlockStamp) -> None:
    statement = insert(SafeRow).values(
        address=address,
        name=context.name(address),
        owners=list(view.owners),
        threshold=view.threshold,
        nonce=view.nonce,
        next_nonce=view.nonce,
        seen_block=at.number,
        seen_hash=at.hash,
    )
    await session.execute(statement.on_conflict_do_nothing(index_elements=[SafeRow.address]))
    log.info("safe.added", safe=checksum(address), name=context.name(address), nonce=view.nonce)


async def _read_executions(
    contract: SafeContract, before: SafeInfo, seen_block: int, now: SafeInfo, final: BlockStamp
) -> dict[int, SafeExecutionEvent]:
    """What used each nonce since the Safe was last seen; the logs are read only when its nonce has moved."""
    if now.nonce <= before.nonce:
        return {}
    found: list[SafeExecutionEvent] = []
    for first in range(seen_block + 1, final.number + 1, BLOCKS_MAX):
        found += await contract.executions(first, min(first + BLOCKS_MAX - 1, final.number))
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
        owners = [checksum(each) for each in view.owners]
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
