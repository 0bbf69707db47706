"""SQL of the inputs' checks: rows in which what was recorded contradicts itself.

Each query returns a row's key and columns as they are, and the columns as they should be with the prefix `expected_`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Table, TextClause, select, text

from paimon.application.nav.stored_snapshot import from_stored_json
from paimon.application.replay.shadow_tables import live_table
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.infrastructure.database.models.derived import ObservationRow
from paimon.infrastructure.database.models.derived.snapshot import AssetHoldingSnapshotRow, DailySnapshotRow
from paimon.infrastructure.database.sessions import WriteSession

EXPECTED_PREFIX: Final = "expected_"

_BROKEN_CHAIN: Final = text("""
    SELECT number, previous_kept_number, expected_previous_kept_number, parent_hash,
           CASE WHEN previous_kept_number = number - 1 THEN hash_before ELSE parent_hash END AS expected_parent_hash
      FROM (SELECT number, previous_kept_number, parent_hash,
                   lag(number) OVER by_number AS expected_previous_kept_number, lag(hash) OVER by_number AS hash_before
              FROM derived.blocks WINDOW by_number AS (ORDER BY number)) AS block
     WHERE expected_previous_kept_number IS NOT NULL
       AND (previous_kept_number <> expected_previous_kept_number
            OR (previous_kept_number = number - 1 AND parent_hash <> hash_before))
     ORDER BY number
""")
_CURSOR_MISMATCH: Final = text("""
    SELECT cursor.id, cursor.number, cursor.hash, cursor.timestamp,
           block.number AS expected_number, block.hash AS expected_hash, block.timestamp AS expected_timestamp
      FROM derived.cursor AS cursor
     CROSS JOIN (SELECT number, hash, timestamp FROM derived.blocks ORDER BY number DESC LIMIT 1) AS block
     WHERE (cursor.number, cursor.hash, cursor.timestamp) IS DISTINCT FROM (block.number, block.hash, block.timestamp)
""")
_LOG_BLOCK_MISMATCH: Final = text("""
    SELECT log.block_number, log.log_index, log.block_hash, block.hash AS expected_block_hash
      FROM derived.raw_logs AS log
      JOIN derived.blocks AS block ON block.number = log.block_number
     WHERE log.block_hash <> block.hash
     ORDER BY log.block_number, log.log_index
""")
_SPLIT_TRANSACTIONS: Final = text("""
    SELECT block_number, log_index, tx_hash, tx_index,
           CASE WHEN tx_index = index_before THEN hash_before ELSE tx_hash END AS expected_tx_hash,
           CASE WHEN tx_hash = hash_before OR tx_index < index_before THEN index_before ELSE tx_index END AS expected_tx_index
      FROM (SELECT block_number, log_index, tx_hash, tx_index,
                   lag(tx_hash) OVER in_block AS hash_before, lag(tx_index) OVER in_block AS index_before
              FROM derived.raw_logs WINDOW in_block AS (PARTITION BY block_number ORDER BY log_index)) AS log
     WHERE (tx_hash = hash_before) <> (tx_index = index_before) OR tx_index < index_before
     ORDER BY block_number, log_index
""")
_OBSERVATION_BLOCK_MISMATCH: Final = text("""
    SELECT observation.kind, observation.subject, observation.block_number, observation.block_hash,
           observation.block_timestamp, block.hash AS expected_block_hash, block.timestamp AS expected_block_timestamp
      FROM derived.observations AS observation
      LEFT JOIN derived.blocks AS block ON block.number = observation.block_number
     WHERE observation.block_number >= (SELECT min(number) FROM derived.blocks)
       AND (observation.block_hash, observation.block_timestamp) IS DISTINCT FROM (block.hash, block.timestamp)
     ORDER BY observation.block_number, observation.kind, observation.subject
""")
_PROOF_BEYOND_CURSOR: Final = text("""
    SELECT proof.first_block, proof.last_block, least(proof.last_block, cursor.number) AS expected_last_block
      FROM derived.range_proofs AS proof CROSS JOIN derived.cursor AS cursor
     WHERE proof.last_block > cursor.number
     ORDER BY proof.first_block
""")


class InputCheck(NamedTuple):
    """A query for the contradicting rows of one table, and the columns of its key."""

    table: str
    keys: tuple[str, ...]
    query: TextClause


INPUT_CHECKS: Final = (
    InputCheck("blocks", ("number",), _BROKEN_CHAIN),
    InputCheck("cursor", ("id",), _CURSOR_MISMATCH),
    InputCheck("raw_logs", ("block_number", "log_index"), _LOG_BLOCK_MISMATCH),
    InputCheck("raw_logs", ("block_number", "log_index"), _SPLIT_TRANSACTIONS),
    InputCheck("observations", ("kind", "subject", "block_number"), _OBSERVATION_BLOCK_MISMATCH),
    InputCheck("range_proofs", ("first_block",), _PROOF_BEYOND_CURSOR),
)


async def read_contradictions(session: WriteSession, check: InputCheck) -> Sequence[Mapping[str, Any]]:
    """Return the contradicting rows of one check, by column."""
    return [dict(row) for row in (await session.execute(check.query)).mappings()]


LIVE_OBSERVATIONS: Final = live_table(ObservationRow)
LIVE_FUND_SERIES: Final = live_table(DailySnapshotRow)
LIVE_ASSET_SERIES: Final = live_table(AssetHoldingSnapshotRow)


async def read_snapshots(session: WriteSession, *, after: int, limit: int) -> list[FundSnapshot]:
    """Return the next kept snapshots after a block, in order."""
    observations = LIVE_OBSERVATIONS.c
    query = select(observations.data).where(observations.kind == "fund_snapshot", observations.block_number > after)
    return [from_stored_json(data) for data in await session.scalars(query.order_by(observations.block_number).limit(limit))]


def key_columns(series: Table) -> list[str]:
    """Return the names of a table's key columns."""
    return [column.name for column in series.primary_key]


async def read_series(session: WriteSession, series: Table, *, after: int, until: int) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a time series in a range of blocks, by column."""
    rows = await session.execute(select(series).where(series.c.block_number > after, series.c.block_number <= until))
    return [dict(row) for row in rows.mappings()]
