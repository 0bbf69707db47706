"""The proofs of recorded ranges, as they are kept and as they are told; and what endpoints were caught at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.event_listener.fetch.block_range import EndpointFault
from paimon.domain.chain.range_proof import PROOF_LEVEL_REQUIRED, InvalidResponseKind, ProofLevel, RangeProof, raise_proof_level
from paimon.infrastructure.database.models.derived import CursorRow, RangeProofRow
from paimon.infrastructure.database.models.ops.event_listener import EndpointFaultRow
from paimon.infrastructure.database.sessions import WriteSession

_EXTEND: Final = text("""
    UPDATE derived.range_proofs SET last_block = :last
     WHERE last_block = :before AND level = :level AND first_block = (SELECT max(first_block) FROM derived.range_proofs)
    RETURNING first_block
""")


async def add_proof(session: WriteSession, proven: RangeProof) -> None:
    """The proof of blocks behind all others; part of the newest row where that has its level. The caller holds the cursor."""
    values = {"last": proven.last, "before": proven.first - 1, "level": proven.level.value}
    if (await session.execute(_EXTEND, values)).first() is None:
        await session.execute(insert(RangeProofRow), [_row(proven)])


async def strengthen_proof(session: WriteSession, proven: RangeProof) -> None:
    """A proof made later, of blocks anywhere; nothing becomes weaker by it. Waits for the listener's transaction, as a
    second listener would."""
    await session.execute(select(CursorRow.id).with_for_update())
    rows = await session.scalars(
        select(RangeProofRow).where(RangeProofRow.first_block <= proven.last + 1, RangeProofRow.last_block >= proven.first - 1)
    )
    known = [RangeProof(each.first_block, each.last_block, each.level) for each in rows]
    await session.execute(delete(RangeProofRow).where(RangeProofRow.first_block.in_([each.first for each in known])))
    await session.execute(
        insert(RangeProofRow),
        [_row(each) for each in raise_proof_level(known, proven)],
    )


def _row(proven: RangeProof) -> dict[str, object]:
    return {"first_block": proven.first, "last_block": proven.last, "level": proven.level}


async def record_endpoint_faults(session: WriteSession, faults: Iterable[EndpointFault]) -> None:
    for each in faults:
        values = {"last_block": each.block_number, "last_description": each.description}
        statement = upsert(EndpointFaultRow).values(endpoint=each.endpoint, lie=each.lie, occurrences=1, **values)
        counted = {"occurrences": EndpointFaultRow.occurrences + 1, "last_seen_at": func.now(), **values}
        await session.execute(statement.on_conflict_do_update(index_elements=["endpoint", "lie"], set_=counted))


@dataclass(frozen=True, slots=True)
class EndpointFaultCount:
    """How often an endpoint was caught at one kind of untrue answer."""

    endpoint: str
    lie: InvalidResponseKind
    occurrences: int
    last_block: int
    last_seen_at: datetime
    seconds_ago: float
    """The last one, by the database's clock."""


@dataclass(frozen=True, slots=True)
class BlockSpan:
    """So many recorded blocks, all of them from `first` to `last`; others may lie between."""

    first: int
    last: int
    blocks: int


@dataclass(frozen=True, slots=True)
class ProofSummary:
    """How what is recorded is proven: the newest range, the weakest (the newest of those), how many blocks at each level,
    and who was caught lying.

    `unproven` were recorded before proofs were kept. `reconciled_block` is the last at which the books were found equal
    to the contracts: whatever is missing before it left no trace in any figure.
    """

    newest: RangeProof | None
    weakest: RangeProof | None
    levels: Mapping[ProofLevel, BlockSpan]
    unproven: BlockSpan | None
    reconciled_block: int | None
    faults: tuple[EndpointFaultCount, ...]

    @property
    def is_weak(self) -> bool:
        """Whether a log that is missing from the books would not have been seen."""
        return self.unproven is not None or (self.weakest is not None and self.weakest.level.rank < PROOF_LEVEL_REQUIRED.rank)


_RANKED: Final = ", ".join(f"'{level.value}'" for level in ProofLevel)
_RANGES: Final = text(f"""
    (SELECT first_block, last_block, level FROM derived.range_proofs ORDER BY first_block DESC LIMIT 1)
    UNION ALL
    (SELECT first_block, last_block, level FROM derived.range_proofs
      ORDER BY array_position(ARRAY[{_RANKED}], level::text), first_block DESC LIMIT 1)
""")  # noqa: S608 — the enum's own words
_LEVELS: Final = text("""
    SELECT level, min(first_block), max(last_block), CAST(sum(last_block - first_block + 1) AS bigint)
      FROM derived.range_proofs GROUP BY level
""")
# What no range tells of, between the first recorded block and the cursor: before each range, and behind the last.
_UNPROVEN: Final = text("""
    SELECT min(first), max(last), CAST(sum(last - first + 1) AS bigint)
      FROM (SELECT coalesce(lag(last_block) OVER (ORDER BY first_block) + 1, (SELECT min(number) FROM derived.blocks)) AS first,
                   first_block - 1 AS last
              FROM (SELECT first_block, last_block FROM derived.range_proofs
                    UNION ALL SELECT number + 1, number + 1 FROM derived.cursor) AS ranges) AS gaps
     WHERE first <= last
""")
_LAST_CLEAN_RECONCILIATION: Final = text(
    "SELECT now(), (SELECT max(block_number) FROM ops.reconciliations WHERE differences = '[]')"
)


async def read_proof_summary(session: AsyncSession) -> ProofSummary:
    """For status, health and metrics."""
    found = [RangeProof(first, last, ProofLevel(level)) for first, last, level in await session.execute(_RANGES)]
    levels = {ProofLevel(level): BlockSpan(*span) for level, *span in await session.execute(_LEVELS)}
    unproven = (await session.execute(_UNPROVEN)).one()
    now, reconciled_block = (await session.execute(_LAST_CLEAN_RECONCILIATION)).one()
    faults = await session.scalars(select(EndpointFaultRow).order_by(EndpointFaultRow.last_seen_at.desc()))
    return ProofSummary(
        newest=found[0] if found else None,
        weakest=found[1] if found else None,
        levels={level: levels[level] for level in ProofLevel if level in levels},
        unproven=None if unproven[0] is None else BlockSpan(*unproven),
        reconciled_block=reconciled_block,
        faults=tuple(
            EndpointFaultCount(
                each.endpoint,
                each.lie,
                each.occurrences,
                each.last_block,
                each.last_seen_at,
                (now - each.last_seen_at).total_seconds(),
            )
            for each in faults
        ),
    )
