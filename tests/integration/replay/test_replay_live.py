"""Replay beside a running system: a listener that records, readers that read, a process that is killed."""

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import text
from tests.support.assertions.derived_tables import (
    execute,
    libpq,
    outbox_rows,
    projection_rows,
    record_range,
    synthetic_contracts,
)
from tests.support.cli_processes import CliProcess, CliRunner
from tests.support.factories.synthetic_logs import ADDRESSES, TRACKED, ranges, write_cursor, write_logs

from paimon.application.event_listener.fetch.decode import decode_log
from paimon.application.event_listener.record.outbox_messages import due_messages
from paimon.application.replay.replay import check_replay, replay
from paimon.domain.events.errors import InapplicableEvent
from paimon.domain.kernel.chain import checksum
from paimon.domain.projection import Projection
from paimon.domain.vault.share_balance import ShareBalance
from paimon.infrastructure.database.sessions import Database, create_engine

pytestmark = pytest.mark.integration

Sums = tuple[int, int, int]
"""Shares, locked shares, open requests."""

_SUMS: Final = text("""
    SELECT (SELECT number FROM derived.cursor) AS number,
           (SELECT sum(shares) FROM derived.share_balances) AS shares,
           (SELECT sum(locked_shares) FROM derived.share_balances) AS locked,
           (SELECT count(*) FROM derived.redemption_requests WHERE closed_at IS NULL) AS open
""")
_LOGS: Final = 3_000


def expected_sums(count: int, *, blocks_each: int) -> dict[int, Sums]:
    """Return the sums after each range, folded in memory."""
    contracts, projection, sums = synthetic_contracts(), Projection(), {0: (0, 0, 0)}
    for fetched in ranges(count, blocks_each=blocks_each):
        for decoded in (decode_log(log, TRACKED.names(), contracts.abis) for log in fetched.logs):
            try:
                if decoded.event:
                    projection.apply(decoded.event, contract=decoded.contract, at=decoded.log.block)
            except InapplicableEvent:
                continue
        share_balances: list[ShareBalance] = list(projection.share_balances.values())
        open_requests = sum(redemption.is_open for redemption in projection.redemptions.values())
        shares = sum(balance.shares for balance in share_balances)
        locked = sum(balance.locked_shares for balance in share_balances)
        sums[fetched.last.number] = (shares, locked, open_requests)
    return sums


async def test_replay_beside_listener_and_readers_is_atomic_and_loses_nothing(database: Database, owner_url: str) -> None:
    """Each reader runs several queries in one snapshot; the results fit its cursor although swaps run meanwhile."""
    sums = expected_sums(_LOGS, blocks_each=8)
    contracts, recording, due = synthetic_contracts(), True, 0
    seen: set[int] = set()
    owner = create_engine(owner_url, pool_size=1, connect_timeout_seconds=5, application_name="tests")
    write_cursor(libpq(owner_url), 0)

    async def listen() -> None:
        nonlocal recording, due
        for fetched in ranges(_LOGS, blocks_each=8):
            logs = await record_range(database, contracts, fetched)
            due += len(due_messages(logs))
            await asyncio.sleep(0.005)
        recording = False

    async def read() -> None:
        while recording:
            async with database.read() as session:
                number = (await session.execute(text("SELECT number FROM derived.cursor"))).scalar_one()
                await asyncio.sleep(random.uniform(0, 0.05))
                row = (await session.execute(_SUMS)).one()
            assert row.number == number
            assert (int(row.shares or 0), int(row.locked or 0), row.open) == sums[number]
            seen.add(number)

    async def rebuild() -> int:
        replays = 0
        while recording:
            # A replay must correct this, in a column that the readers do not read.
            wrong = "UPDATE derived.redemption_requests SET updated_block = 0 WHERE request_id % 3 = 0"
            await asyncio.to_thread(execute, owner_url, wrong)  # it may wait for the listener
            replays += bool((await replay(owner, contracts)).rows_changed)
        return replays

    async with asyncio.TaskGroup() as group:
        replays = group.create_task(rebuild())
        group.create_task(listen())
        for _ in range(3):
            group.create_task(read())
    assert replays.result() >= 3, "too few replays to prove anything"
    assert len(seen) > 10
    await replay(owner, contracts)
    assert (await check_replay(owner, contracts)).comparison.rows_differing == 0
    assert len(outbox_rows(owner_url)) == due
    await owner.dispose()


@pytest.fixture
def environment(app_url: str, owner_url: str, redis_url: str, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a `paimon` process on the synthetic fund, without a node: a replay never calls one."""
    fund = {"VAULT": ADDRESSES.vault, "REDEMPTION_MANAGER": ADDRESSES.redemption_manager}
    fund["ASSET_CONTROLLER"] = ADDRESSES.asset_controller
    return {
        "PAIMON_DATABASE__URL": app_url,
        "PAIMON_DATABASE__OWNER_URL": owner_url,
        "PAIMON_REDIS__URL": redis_url,
        "PAIMON_CHAIN__CHAIN_ID": "31337",
        "PAIMON_CHAIN__RPC_URL": "http://127.0.0.1:1",
        **{f"PAIMON_FUND__{name}": checksum(address) for name, address in fund.items()},
        "PAIMON_FUND__START_BLOCK": "1",
        "PAIMON_SENDING__KEEPER": checksum(ADDRESSES.vault),
        "PAIMON_SENDING__APPROVER": checksum(ADDRESSES.vault),
        "PAIMON_SIGNER__SOCKET": str(tmp_path / "signer.sock"),
        "PAIMON_AUTH__TOKEN_SECRET": "a secret for tests only, 32 bytes+",
        "PAIMON_AUTH__PERSONAL_DATA_SECRET": "another secret for tests only: 32+",
        "PAIMON_AUTH__DOMAIN": "localhost",
        "PAIMON_AUTH__URI": "http://localhost",
        "PAIMON_REDIS__INTEGRITY_KEY": "a key of its own, of 32 bytes or more",
    }


def output_of(process: CliProcess) -> tuple[int, str]:
    """Return the exit code, and what the process printed on either stream."""
    return process.wait(120), process.output_text


def test_replay_command_checks_and_corrects_tables(cli: CliRunner, owner_url: str, environment: dict[str, str]) -> None:
    write_logs(libpq(owner_url), 500)
    code, out = output_of(cli.start("replay", env=environment))
    assert code == 0, out
    assert re.search(r"500 logs folded up to block \d+", out)
    assert re.search(r"^share_balances: \d+ rows? corrected$", out, re.MULTILINE)
    execute(
        owner_url,
        "UPDATE derived.share_balances SET shares = 7 WHERE holder = (SELECT max(holder) FROM derived.share_balances)",
    )
    code, out = output_of(cli.start("replay", "--check", env=environment))
    assert code == 1
    assert re.search(r"^share_balances holder=0x\w{40}, shares: live 7, rebuilt \d+$", out, re.MULTILINE)
    assert "rows that differ: 1" in out
    output_of(cli.start("replay", env=environment))
    code, out = output_of(cli.start("replay", "--check", env=environment))
    assert code == 0, out
    assert "rows that differ: 0" in out


def test_replay_command_explains_its_refusals(cli: CliRunner, owner_url: str, environment: dict[str, str]) -> None:
    code, err = output_of(cli.start("replay", env=environment))
    assert (code, "the listener has recorded nothing yet" in err) == (2, True)
    without_owner = {name: value for name, value in environment.items() if not name.endswith("OWNER_URL")}
    code, err = output_of(cli.start("replay", "--check", env=without_owner))
    assert (code, "PAIMON_DATABASE__OWNER_URL is not set" in err) == (2, True)
    nowhere = environment | {"PAIMON_DATABASE__OWNER_URL": re.sub(r":\d+/", ":1/", owner_url)}
    code, err = output_of(cli.start("replay", env=nowhere))
    assert (code, "PostgreSQL does not answer" in err) == (2, True)
    assert "Traceback" not in err


@pytest.mark.fault
async def test_killed_replay_changes_nothing_and_leaves_nothing_behind(
    cli: CliRunner,
    database: Database,
    owner_url: str,
    environment: dict[str, str],
    eventually: Callable[..., Awaitable[object]],
) -> None:
    write_logs(libpq(owner_url), 3_000)
    unfilled = projection_rows(owner_url)
    began = asyncio.get_running_loop().time()
    assert output_of(cli.start("replay", env=environment))[0] == 0
    whole_seconds = asyncio.get_running_loop().time() - began
    correct = projection_rows(owner_url)
    for _ in range(20 if os.environ.get("PAIMON_LONG_FAULTS") else 3):
        execute(owner_url, "DELETE FROM derived.redemption_requests")
        wrong = projection_rows(owner_url)
        process = cli.start("replay", env=environment)
        await asyncio.sleep(random.uniform(0.3, 1.0) * whole_seconds)
        with suppress(ProcessLookupError):  # it may just have ended
            os.kill(process.pid, signal.SIGKILL)
        process.wait()

        async def is_gone() -> bool:
            async with database.read() as session:
                backends = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'paimon-replay'")
                tables = text("SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'")
                return not (await session.execute(backends)).scalar() and not (await session.execute(tables)).scalar()

        await eventually(is_gone)
        assert projection_rows(owner_url) in (wrong, correct)
    assert output_of(cli.start("replay", env=environment))[0] == 0
    assert projection_rows(owner_url) == correct != unfilled


def test_replay_memory_does_not_grow_with_the_history(owner_url: str) -> None:
    """Compare one page of logs with three: the memory of a page is released."""
    peaks_kib = []
    for count in (10_000, 30_000):
        inputs = ("cursor", "blocks", "raw_logs", "tracked_contracts", "range_proofs")
        execute(owner_url, f"TRUNCATE {', '.join(f'derived.{table}' for table in inputs)}")
        write_logs(libpq(owner_url), count)
        command = [sys.executable, "-m", "tests.support.replay_process", owner_url]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=200)
        logs, _seconds, _cpu_seconds, peak_kib, differing = done.stdout.splitlines()[-1].split()
        assert (int(logs), int(differing) > 0) == (count, True)
        peaks_kib.append(int(peak_kib))
    assert peaks_kib[1] < peaks_kib[0] * 1.1
