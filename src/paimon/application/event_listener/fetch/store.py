"""SQL of tracked contracts, range proofs and endpoint faults."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from paimon.application.event_listener.fetch.block_range import EndpointFault
from paimon.domain.chain.range_proof import RangeProof, raise_proof_level
from paimon.domain.chain.tracked_contracts import ContractOrigin, TrackedContract, TrackedContracts
from paimon.domain.kernel.chain import Address, ContractName
from paimon.infrastructure.database.models.derived import CursorRow, RangeProofRow, TrackedContractRow
from paimon.infrastructure.database.models.ops.event_listener import EndpointFaultRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

# The schema is spelled out, so that a session with a translated schema reads it too: a replay reads the tracked contracts
# as the listener recorded them, it does not rebuild them.
_TRACKED_CONTRACTS: Final = text("SELECT address, contract, origin, since_block FROM derived.tracked_contracts")


async def load_tracked_contracts(session: ReadSession | WriteSession) -> TrackedContracts:
    """Load the tracked contracts. There are none before the listener's first start."""
    return TrackedContracts.of(
        TrackedContract(Address(address), ContractName(contract), ContractOrigin(origin), since_block)
        for address, contract, origin, since_block in await session.execute(_TRACKED_CONTRACTS)
    )


async def add_tracked_contracts(session: WriteSession, contracts: Iterable[TrackedContract]) -> None:
    rows = [
        {
            "address": contract.address,
            "contract": contract.contract,
            "origin": contract.origin,
            "since_block": contract.since_block,
        }
        for contract in contracts
    ]
    if rows:
        await session.execute(insert(TrackedContractRow).on_conflict_do_nothing(), rows)


_EXTEND: Final = text("""
    UPDATE derived.range_proofs SET last_block = :last
     WHERE last_block = :before AND level = :level AND first_block = (SELECT max(first_block) FROM derived.range_proofs)
    RETURNING first_block
""")


async def add_proof(session: WriteSession, proven: RangeProof) -> None:
    """Add the proof of the newest blocks, to the newest row where that has the same level. The caller holds the cursor."""
    values = {"last": proven.last, "before": proven.first - 1, "level": proven.level.value}
    if (await session.execute(_EXTEND, values)).first() is None:
        await session.execute(insert(RangeProofRow), [_row(proven)])


async def strengthen_proof(session: WriteSession, proven: RangeProof) -> None:
    """Add a later proof of any recorded blocks. No level goes down.

    Waits for the listener's transaction, as a second listener would.
    """
    await session.execute(select(CursorRow.id).with_for_update())
    rows = await session.scalars(
        select(RangeProofRow).where(RangeProofRow.first_block <= proven.last + 1, RangeProofRow.last_block >= proven.first - 1)
    )
    proofs = [RangeProof(row.first_block, row.last_block, row.level) for row in rows]
    await session.execute(delete(RangeProofRow).where(RangeProofRow.first_block.in_([proof.first for proof in proofs])))
    await session.execute(insert(RangeProofRow), [_row(proof) for proof in raise_proof_level(proofs, proven)])


def _row(proof: RangeProof) -> dict[str, object]:
    return {"first_block": proof.first, "last_block": proof.last, "level": proof.level}


async def record_endpoint_faults(session: WriteSession, faults: Iterable[EndpointFault]) -> None:
    """Count each fault on its endpoint's row of that kind."""
    for fault in faults:
        values = {"last_block": fault.block_number, "last_description": fault.description}
        statement = insert(EndpointFaultRow).values(endpoint=fault.endpoint, kind=fault.kind, occurrences=1, **values)
        counted = {"occurrences": EndpointFaultRow.occurrences + 1, "last_seen_at": func.now(), **values}
        await session.execute(statement.on_conflict_do_update(index_elements=["endpoint", "kind"], set_=counted))
