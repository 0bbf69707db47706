"""Carrying out what people decided about single logs: a replay, run by a worker.

It runs over a session of its own, outside the pool: the shadow lives in that session's temporary schema. The application's
role may do all of it, unless its right to temporary tables was taken away (then the message has the grant to give).
"""

from paimon.application.replay.quarantine_decisions import load_verdicts
from paimon.application.replay.replay import replay
from paimon.infrastructure.blockchain.contracts import FundContracts
from paimon.infrastructure.database.sessions import Database, create_engine


async def carry_out_verdicts(database: Database, contracts: FundContracts) -> None:
    """Nothing, where nothing waits: another replay has taken it up.

    Raises:
        NothingRecorded, ForeignLogs, NoTemporaryTables, BooksBusy.
    """
    async with database.read() as session:
        waiting = (await load_verdicts(session, with_asked=True)).asked
    if not waiting:
        return
    url = database.engine.url.render_as_string(hide_password=False)
    engine = create_engine(url, pool_size=1, connect_timeout_seconds=5, application_name="paimon-replay")
    try:
        await replay(engine, contracts)
    finally:
        await engine.dispose()
