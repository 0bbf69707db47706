"""Check of a replay's inputs: what was recorded is compared with itself.

Checked are: the kept blocks form an unbroken chain up to the cursor; logs and observations are in those blocks; each
transaction has one place; no proof covers blocks that are not recorded; and the time series equal the snapshots they were taken
from.

A replay cannot correct these, because nothing in this database says what they were. What differs here was changed or lost
outside the listener, and is recorded again from the chain.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from paimon.application.nav.series import asset_rows, fund_row
from paimon.application.replay.inputs_sql import (
    EXPECTED_PREFIX,
    INPUT_CHECKS,
    LIVE_ASSET_SERIES,
    LIVE_FUND_SERIES,
    InputCheck,
    key_columns,
    read_contradictions,
    read_series,
    read_snapshots,
)
from paimon.domain.risk.discrepancy import RowDifference, compare_rows
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.infrastructure.database.sessions import WriteSession

_PAGE_SNAPSHOTS: Final = 500
_BLOCK_NUMBER_MAX: Final = 2**63 - 1


async def find_input_differences(session: WriteSession) -> list[RowDifference]:
    """Return every contradiction within what was recorded; `session` is a shadow's."""
    differences: list[RowDifference] = []
    for check in INPUT_CHECKS:
        for row in await read_contradictions(session, check):
            differences += _contradictions(check, row)
    return differences + await _find_series_differences(session)


def _contradictions(check: InputCheck, row: Mapping[str, Any]) -> list[RowDifference]:
    """Return every column `x` of a row that differs from its column `expected_x`."""
    live = {name: value for name, value in row.items() if not name.startswith(EXPECTED_PREFIX)}
    expected = {name.removeprefix(EXPECTED_PREFIX): value for name, value in row.items() if name not in live}
    return compare_rows(check.table, check.keys, live, live | expected)


async def _find_series_differences(session: WriteSession) -> list[RowDifference]:
    """Return the rows that differ from their snapshot, or have no snapshot. A missing row was removed by retention."""
    differences: list[RowDifference] = []
    after = -1
    while True:
        snapshots = await read_snapshots(session, after=after, limit=_PAGE_SNAPSHOTS)
        until = snapshots[-1].at.number if snapshots else _BLOCK_NUMBER_MAX
        for series, rows_of in ((LIVE_FUND_SERIES, _fund_rows), (LIVE_ASSET_SERIES, asset_rows)):
            keys = key_columns(series)
            expected = {tuple(row[key] for key in keys): row for snapshot in snapshots for row in rows_of(snapshot)}
            for row in await read_series(session, series, after=after, until=until):
                differences += compare_rows(series.name, keys, row, expected.get(tuple(row[key] for key in keys)))
        if not snapshots:
            return differences
        after = until


def _fund_rows(snapshot: FundSnapshot) -> Sequence[dict[str, Any]]:
    return [fund_row(snapshot)]
