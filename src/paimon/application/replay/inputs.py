"""What a replay starts from, held against itself: the kept blocks in an unbroken chain up to the cursor, logs and
observations in those blocks, each transaction in one place, no proof of blocks that are not there, and the time series beside
the snapshots they were taken from.

A replay cannot put these right, for nothing in this database says what they were. What differs here was changed by
somebody, or lost, and is recorded anew from the chain.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Table, TextClause, select, text

from paimon.application.nav.series import asset_rows, fund_row
from paimon.application.nav.stored_snapshot import from_stored_json
from paimon.application.replay.shadow_tables import live_table
from paimon.domain.risk.discrepancy import RowDifference, compare_rows
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.infrastructure.database.models.derived import ObservationRow
from paimon.infrastructure.database.models.derived.snapshot import AssetHoldingSnapshotRow, DailySnapshotRow
from paimon.infrastructure.database.sessions import WriteSession

_EXPECTED_PREFIX: Final = "expected_"
_PAGE_SNAPSHOTS: Final = 500
_BLOCK_NUMBER_MAX: Final = 2**63 - 1

LIVE_OBSERVATIONS: Final = live_table(ObservationRow)

_BROKEN_CHAIN = text("""
    SELECT number, previous_kept_number, expected_previous_kept_number, parent_hash,
           CASE WHEN previous_kept_number = number - 1 THEN hash_before ELSE parent_hash END AS expected_parent_hash
      FROM (SELECT number, previous_kept_number, parent_hash,
                   lag(number) OVER by_number AS expected_previous_kept_number, lag(hash) OVER by_number AS hash_before
              FROM derived.blocks WINDOW by_number AS (ORDER BY number)) AS block
     WHERE expected_previous_kept_number IS NOT NULL
       AND (previous_kept_number <> expected_previous_kept_number OR (previous_kept_number = number - 1 AND parent_hash <> hash_before))
     ORDER BY number
""")
_CURSOR_MISMATCH = text("""
    SELECT cursor.id, cursor.number, cursor.hash, cursor.timestamp,
           block.number AS expected_number, block.hash AS expected_hash, block.timestamp AS expected_timestamp
      FROM derived.cursor AS cursor
     CROSS JOIN (SELECT number, hash, timestamp FROM derived.blocks ORDER BY number DESC LIMIT 1) AS block
     WHERE (cursor.number, cursor.hash, cursor.timestamp) IS DISTINCT FROM (block.number, block.hash, block.timestamp)
""")
_LOG_BLOCK_MISMATCH = text("""
    SELECT log.block_number, log.log_index, log.block_hash, block.hash AS expected_block_hash
      FROM derived.raw_logs AS log
      JOIN derived.blocks AS block ON block.number = log.block_number
     WHERE log.block_hash <> block.hash
     ORDER BY log.block_number, log.log_index
""")
_SPLIT_TRANSACTIONS = text("""
    SELECT block_number, log_index, tx_hash, tx_index,
           CASE WHEN tx_index = index_before THEN hash_before ELSE tx_hash END AS expected_tx_hash,
           CASE WHEN tx_hash = hash_before OR tx_index < index_before THEN index_before ELSE tx_index END AS expected_tx_index
      FROM (SELECT block_number, log_index, tx_hash, tx_index,
                   lag(tx_hash) OVER in_block AS hash_before, lag(tx_index) OVER in_block AS index_before
              FROM derived.raw_logs WINDOW in_block AS (PARTITION BY block_number ORDER BY log_index)) AS log
     WHERE (tx_hash = hash_before) <> (tx_index = index_before) OR tx_index < index_before
     ORDER BY block_number, log_index
""")
_OBSERVATION_BLOCK_MISMATCH = text("""
    SELECT seen.kind, seen.subject, seen.block_number, seen.block_hash, seen.block_timestamp,
           block.hash AS expected_block_hash, block.timestamp AS expected_block_timestamp
      FROM derived.observations AS seen
      LEFT JOIN derived.blocks AS block ON block.number = seen.block_number
     WHERE seen.block_number >= (SELECT min(number) FROM derived.blocks)
       AND (seen.block_hash, seen.block_timestamp) IS DISTINCT FROM (block.hash, block.timestamp)
     ORDER BY seen.block_number, seen.kind, seen.subject
""")
_PROOF_BEYOND_CURSOR = text("""
    SELECT proof.first_block, proof.last_block, least(proof.last_block, cursor.number) AS expected_last_block
      FROM derived.range_proofs AS proof CROSS JOIN derived.cursor AS cursor
     WHERE proof.last_block > cursor.number
     ORDER BY proof.first_block
""")


async def find_input_differences(session: WriteSession) -> list[RowDifference]:
    """Every place in which what was recorded contradicts itself; `session` is a shadow's."""
    return [
        *await _contradictions(session, "blocks", ("number",), _BROKEN_CHAIN),
        *await _contradictions(session, "cursor", ("id",), _CURSOR_MISMATCH),
        *await _contradictions(session, "raw_logs", ("block_number", "log_index"), _LOG_BLOCK_MISMATCH),
        *await _contradictions(session, "raw_logs", ("block_number", "log_index"), _SPLIT_TRANSACTIONS),
        *await _contradictions(session, "observations", ("kind", "subject", "block_number"), _OBSERVATION_BLOCK_MISMATCH),
        *await _contradictions(session, "range_proofs", ("first_block",), _PROOF_BEYOND_CURSOR),
        *await _find_series_differences(session),
    ]


async def _contradictions(session: WriteSession, table: str, keys: Sequence[str], query: TextClause) -> list[RowDifference]:
    """Of each row the query gives: every column `x` that has another value than `wanted_x`."""
    found: list[RowDifference] = []
    for row in (await session.execute(query)).mappings():
        live = {name: value for name, value in row.items() if not name.startswith(_EXPECTED_PREFIX)}
        expected = {
            name.removeprefix(_EXPECTED_PREFIX): value for name, value in row.items() if name.startswith(_EXPECTED_PREFIX)
        }
        found += compare_rows(table, keys, live, live | expected)
    return found


async def _find_series_differences(session: WriteSession) -> list[RowDifference]:
    """Rows that are not what their snapshot says, or of no snapshot at all. One that is missing is retention's doing."""
    found: list[RowDifference] = []
    after = -1
    while True:
        query = select(LIVE_OBSERVATIONS.c.data).where(
            LIVE_OBSERVATIONS.c.kind == "fund_snapshot", LIVE_OBSERVATIONS.c.block_number > after
        )
        page = await session.scalars(query.order_by(LIVE_OBSERVATIONS.c.block_number).limit(_PAGE_SNAPSHOTS))
        snapshots = [from_stored_json(data) for data in page]
        until = snapshots[-1].at.number if snapshots else _BLOCK_NUMBER_MAX
        for table, rows_of in _SERIES:
            keys = [column.name for column in table.primary_key]
            expected = {tuple(row[key] for key in keys): row for each in snapshots for row in rows_of(each)}
            live = await session.execute(select(table).where(table.c.block_number > after, table.c.block_number <= until))
            for row in live.mappings():
                found += compare_rows(table.name, keys, dict(row), expected.get(tuple(row[key] for key in keys)))
        if not snapshots:
            return found
        after = until


def _fund_rows(snapshot: FundSnapshot) -> list[dict[str, Any]]:
    return [fund_row(snapshot)]


_SERIES: Final[tuple[tuple[Table, Callable[[FundSnapshot], list[dict[str, Any]]]], ...]] = (
    (live_table(DailySnapshotRow), _fund_rows),
    (live_table(AssetHoldingSnapshotRow), asset_rows),
)
