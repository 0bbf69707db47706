"""Application of operators' decisions about single logs: a replay, run by a worker.

It runs over a session of its own, outside the pool, because the shadow lives in that session's temporary schema. The
application's role may do all of it, unless its right to temporary tables was revoked; then the error has the grant to give.
"""

from paimon.application.replay.replay import replay
from paimon.application.replay.store import load_quarantine_decisions
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.sessions import Database, create_engine


async def apply_quarantine_decisions(database: Database, contracts: FundContracts) -> None:
    """Replay with every requested decision; do nothing if another replay has applied them all.

    Raises:
        NothingRecorded, ForeignLogs, NoTemporaryTables, CursorLocked.
    """
    async with database.read() as session:
        requested = (await load_quarantine_decisions(session, include_requested=True)).requested_ids
    if not requested:
        return
    url = database.engine.url.render_as_string(hide_password=False)
    engine = create_engine(url, pool_size=1, connect_timeout_seconds=5, application_name="paimon-replay")
    try:
        await replay(engine, contracts)
    finally:
        await engine.dispose()
