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

from paimon.application.transactions.multisig.context import SafeDesk
from paimon.application.transactions.multisig.safe_errors import Stage, end_interruption, note_interruption
from paimon.application.transactions.multisig.store import list_open, lock_safe, view_of
from paimon.domain.kernel.chain import Address, BlockStamp, checksum, hex0x
from paimon.domain.transaction.safe_proposal import Execution, MissingExecutions, SafeView, by_nonce, outcome_of
from paimon.domain.transaction.safe_transaction import hash_card, rejection_at
from paimon.infrastructure.blockchain.rpc import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.safe import NotOurSafe, SafeContract
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.multisig import SafeRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

BLOCKS_MAX: Final = 2_000
"""Of one request for a Safe's executions; providers refuse far longer ranges."""


async def observe_safes(desk: SafeDesk) -> None:
    """Look at every Safe of the settings. What is wrong with one, or with the node, is told and shown; the others go on."""
    for name, address in desk.safes.items():
        try:
            await observe(desk, address)
        except NotOurSafe as error:
            log.error("safe.unknown", safe=name, reason=str(error))
            await note_interruption(desk.database, address, Stage.LOOK, str(error))
        except (MissingExecutions, RpcUnavailable, RpcError) as error:
            log.warning("safe.waits_for_node", safe=name, reason=str(error))
            await note_interruption(desk.database, address, Stage.LOOK, str(error))
        else:
            await end_interruption(desk.database, address, Stage.LOOK)


async def observe(desk: SafeDesk, address: Address) -> BlockStamp:
    """Bring the Safe's row and its proposals up to the present final block, which is returned.

    Raises:
        NotOurSafe, MissingExecutions, RpcUnavailable, RpcError: nothing was changed.
    """
    contract, final = desk.contract(address), await desk.final_block()
    view = await contract.view(at=final)
    async with desk.database.write() as session:
        row = (await session.scalars(select(SafeRow).where(SafeRow.address == address))).one_or_none()
        if row is None:
            await _first_seen(session, desk, address, view, final)
            return final
    executed = await _executed(contract, view_of(row), row.seen_block, view, final)
    async with desk.database.write() as session:
        locked = await lock_safe(session, address)
        if locked.seen_block == row.seen_block and final.number > row.seen_block:
            await _record(session, desk, locked, view, final, executed)
    return final


async def _first_seen(session: WriteSession, desk: SafeDesk, address: Address, view: SafeView, at: BlockStamp) -> None:
    statement = insert(SafeRow).values(
        address=address,
        name=desk.name(address),
        owners=list(view.owners),
        threshold=view.threshold,
        nonce=view.nonce,
        next_nonce=view.nonce,
        seen_block=at.number,
        seen_hash=at.hash,
    )
    await session.execute(statement.on_conflict_do_nothing(index_elements=[SafeRow.address]))
    log.info("safe.first_seen", safe=checksum(address), name=desk.name(address), nonce=view.nonce)


async def _executed(
    contract: SafeContract, before: SafeView, seen_block: int, now: SafeView, final: BlockStamp
) -> dict[int, Execution]:
    """What used each nonce since the Safe was last seen; the logs are read only when its nonce has moved."""
    if now.nonce <= before.nonce:
        return {}
    found: list[Execution] = []
    for first in range(seen_block + 1, final.number + 1, BLOCKS_MAX):
        found += await contract.executions(first, min(first + BLOCKS_MAX - 1, final.number))
    return by_nonce(found, before=before.nonce, now=now.nonce)


async def _record(
    session: WriteSession, desk: SafeDesk, row: SafeRow, view: SafeView, at: BlockStamp, executed: dict[int, Execution]
) -> None:
    now, safe = await database_now(session), Address(row.address)
    if set(row.owners) != set(view.owners) or row.threshold != view.threshold:
        owners = [checksum(each) for each in view.owners]
        log.warning("safe.owners_changed", safe=checksum(safe), owners=owners, threshold=view.threshold)
    for proposal in await list_open(session, safe):
        execution = executed.get(proposal.nonce)
        if execution is None:
            continue
        rejection = hash_card(rejection_at(proposal.nonce, safe), desk.scope(safe)).transaction
        proposal.outcome = outcome_of(proposal.hash, execution, rejection=rejection)
        proposal.executed_tx = execution.tx_hash
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
