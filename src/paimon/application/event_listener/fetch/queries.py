"""How well the recorded ranges are proven, and which faults the endpoints had: for status, health and metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select, text

from paimon.domain.chain.range_proof import PROOF_LEVEL_REQUIRED, InvalidResponseKind, ProofLevel, RangeProof
from paimon.infrastructure.database.models.ops.event_listener import EndpointFaultRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession


@dataclass(frozen=True, slots=True)
class EndpointFaultCount:
    """How often an endpoint gave one kind of invalid response. `seconds_ago` is by the database's clock."""

    endpoint: str
    kind: InvalidResponseKind
    occurrences: int
    last_block: int
    last_seen_at: datetime
    seconds_ago: float


@dataclass(frozen=True, slots=True)
class BlockSpan:
    """A number of recorded blocks, all of them from `first` to `last`. Other blocks may be between them."""

    first: int
    last: int
    blocks: int


@dataclass(frozen=True, slots=True)
class ProofSummary:
    """How the recorded blocks are proven.

    `newest` is the newest range, and `weakest` the newest of the weakest ranges. `levels` counts the blocks at each level.
    `unproven` blocks were recorded before proofs were kept. `one_endpoint` says that this deployment reads from a single
    endpoint, so that no second one can agree. `reconciled_block` is the last block at which the recorded
    state equalled the contracts' state: a log that is missing before it left no trace in any figure.
    """

    newest: RangeProof | None
    weakest: RangeProof | None
    levels: Mapping[ProofLevel, BlockSpan]
    unproven: BlockSpan | None
    reconciled_block: int | None
    faults: tuple[EndpointFaultCount, ...]
    one_endpoint: bool

    @property
    def is_below_required(self) -> bool:
        """Whether a missing log could have gone unnoticed."""
        return self.unproven is not None or (self.weakest is not None and self.weakest.level.rank < PROOF_LEVEL_REQUIRED.rank)

    @property
    def is_chained_by_one_endpoint(self) -> bool:
        """Whether the past is as well proven as one endpoint can prove it: chained, and not confirmed by another."""
        is_chained = self.weakest is not None and self.weakest.level is ProofLevel.CHAINED
        return self.one_endpoint and self.unproven is None and is_chained

    @property
    def is_weak(self) -> bool:
        """Whether the blocks are less well proven than this deployment could prove them."""
        return self.is_below_required and not self.is_chained_by_one_endpoint


_RANKED: Final = ", ".join(f"'{level.value}'" for level in ProofLevel)
_RANGES: Final = text(f"""
    (SELECT first_block, last_block, level FROM derived.range_proofs ORDER BY first_block DESC LIMIT 1)
    UNION ALL
    (SELECT first_block, last_block, level FROM derived.range_proofs
      ORDER BY array_position(ARRAY[{_RANKED}], level::text), first_block DESC LIMIT 1)
""")  # noqa: S608 — the values of an enum
_LEVELS: Final = text("""
    SELECT level, min(first_block), max(last_block), CAST(sum(last_block - first_block + 1) AS bigint)
      FROM derived.range_proofs GROUP BY level
""")
# Gaps between the first recorded block and the cursor: before each range, and after the last.
_UNPROVEN: Final = text("""
    SELECT min(first), max(last), CAST(sum(last - first + 1) AS bigint)
      FROM (SELECT coalesce(lag(last_block) OVER (ORDER BY first_block) + 1, (SELECT min(number) FROM derived.blocks)) AS first,
                   first_block - 1 AS last
              FROM (SELECT first_block, last_block FROM derived.range_proofs
                    UNION ALL SELECT number + 1, number + 1 FROM derived.cursor) AS ranges) AS gaps
     WHERE first <= last
""")
_LAST_CLEAN_RECONCILIATION: Final = text(
    "SELECT now(), (SELECT max(block_number) FROM ops.reconciliations WHERE discrepancies = '[]')"
)


async def read_proof_summary(session: ReadSession | WriteSession, *, one_endpoint: bool) -> ProofSummary:
    """Read how the recorded blocks are proven, and the endpoints' faults, latest first.

    `one_endpoint` is whether the settings name a single endpoint that reads (`Rpc.has_one_reader`).
    """
    ranges = [RangeProof(first, last, ProofLevel(level)) for first, last, level in await session.execute(_RANGES)]
    levels = {ProofLevel(level): BlockSpan(*span) for level, *span in await session.execute(_LEVELS)}
    unproven = (await session.execute(_UNPROVEN)).one()
    now, reconciled_block = (await session.execute(_LAST_CLEAN_RECONCILIATION)).one()
    faults = await session.scalars(select(EndpointFaultRow).order_by(EndpointFaultRow.last_seen_at.desc()))
    return ProofSummary(
        newest=ranges[0] if ranges else None,
        weakest=ranges[1] if ranges else None,
        levels={level: levels[level] for level in ProofLevel if level in levels},
        unproven=None if unproven[0] is None else BlockSpan(*unproven),
        reconciled_block=reconciled_block,
        one_endpoint=one_endpoint,
        faults=tuple(
            EndpointFaultCount(
                endpoint=row.endpoint,
                kind=row.kind,
                occurrences=row.occurrences,
                last_block=row.last_block,
                last_seen_at=row.last_seen_at,
                seconds_ago=(now - row.last_seen_at).total_seconds(),
            )
            for row in faults
        ),
    )
