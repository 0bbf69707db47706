"""The demo's embedded servers start, keep their data, and resume after any kind of end."""

import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.support.paths import CONTRACTS

from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon_devkit.stack import ports
from paimon_devkit.stack.block_producer import IDLE_INTERVAL_SECONDS, BlockPace
from paimon_devkit.stack.chain_state import STATES_KEPT
from paimon_devkit.stack.child import RunAs
from paimon_devkit.stack.embedded_chain import LASTING_PACE, EmbeddedChain, find_anvil
from paimon_devkit.stack.embedded_postgres import DATABASE, OWNER_ROLE, EmbeddedPostgres
from paimon_devkit.stack.embedded_redis import EmbeddedRedis
from paimon_devkit.stack.errors import DataFolderUnusable, DemoError, PortInUse, ServerUnavailable
from paimon_devkit.stack.postgres_programs import find_programs
from paimon_devkit.stack.unprivileged_user import first_inaccessible_folder

pytestmark = pytest.mark.integration

DAYS_9 = 9 * 86_400
RICH = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
POOR = "0x1111111111111111111111111111111111111111"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the user of a server")


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder the server's user can reach, unlike pytest's own temporary folders."""
    folder = Path(tempfile.mkdtemp(prefix="paimon-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def libpq(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_port_in_use_is_named_with_what_to_do() -> None:
    port = ports.free_port()
    with socket.socket() as taken:
        taken.bind((ports.HOST, port))
        taken.listen()
        with pytest.raises(PortInUse, match=rf"port {port} .*choose another port"):
            ports.require_free(port)
    assert ports.require_free(port) == port


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """One running server for the tests that only read."""
    folder = Path(tempfile.mkdtemp(prefix="paimon-test-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder, durable=False)
    with server:
        yield server
    server.remove()
    shutil.rmtree(folder)


class TestPostgres:
    def test_roles_have_only_their_rights(self, server: EmbeddedPostgres) -> None:
        assert rows(server.owner_url, "SELECT current_user::text, current_database()::text") == [(OWNER_ROLE, DATABASE)]
        assert rows(server.process_url(DatabaseRole.API), "SELECT current_user::text, current_database()::text") == [
            ("paimon_api", DATABASE)
        ]
        assert rows(server.process_url(DatabaseRole.API), "SELECT rolname FROM pg_roles WHERE rolsuper") == [("postgres",)]
        rows(server.owner_url, "CREATE TABLE owned_by_owner (id int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(server.process_url(DatabaseRole.API), "CREATE TABLE owned_by_app (id int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(server.process_url(DatabaseRole.API), "SELECT * FROM owned_by_owner")

    def test_settings_are_those_of_the_demo(self, server: EmbeddedPostgres) -> None:
        names = ("server_encoding", "fsync", "max_connections", "listen_addresses", "TimeZone", "password_encryption")
        values = [rows(server.process_url(DatabaseRole.API), f"SHOW {name}")[0][0] for name in names]
        assert values == ["UTF8", "off", "200", "127.0.0.1", "UTC", "scram-sha-256"]
        assert rows(server.process_url(DatabaseRole.API), "SELECT datcollate FROM pg_database WHERE datname = 'paimon'") == [
            ("C",)
        ]

    def test_wrong_password_is_refused(self, server: EmbeddedPostgres) -> None:
        wrong = f"postgresql://{OWNER_ROLE}:wrong@127.0.0.1:{server.port}/{DATABASE}"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)

    def test_database_is_dropped_even_with_sessions_open(self, server: EmbeddedPostgres) -> None:
        server.create_database("test_extra")
        with psycopg.connect(libpq(server.url(OWNER_ROLE, "test_extra"))) as session:
            session.execute("CREATE TABLE t (id int)")
            session.commit()
            server.drop_database("test_extra")
            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT 1")
        server.drop_database("test_extra")

    def test_password_file_is_private(self, server: EmbeddedPostgres) -> None:
        files = list(server.records.glob("passwords.json"))
        assert [file.stat().st_mode & 0o777 for file in files] == [0o600]


def test_postgres_resumes_after_a_kill_despite_a_stale_pid_file(data: Path) -> None:
    first = EmbeddedPostgres(data, durable=False)
    first.start()
    rows(first.owner_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    first.kill()
    first.stop()
    pid_file = data / "postgres" / "cluster" / "postmaster.pid"
    # The worst case: the pid now belongs to an unrelated process.
    pid_file.write_text("\n".join([str(os.getpid()), *pid_file.read_text().splitlines()[1:]]) + "\n")
    with EmbeddedPostgres(data, durable=False) as second:
        assert rows(second.owner_url, "SELECT answer FROM kept") == [(42,)]


def test_postgres_replaces_the_server_of_an_earlier_run(data: Path) -> None:
    left = EmbeddedPostgres(data, durable=False)
    left.start()
    try:
        with EmbeddedPostgres(data, durable=False) as second:
            assert rows(second.process_url(DatabaseRole.API), "SELECT 1") == [(1,)]
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(libpq(left.process_url(DatabaseRole.API)))
    finally:
        left.stop()


@as_root
def test_postgres_runs_from_another_folder_when_the_data_folder_is_closed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a clone below /root: neither the data folder nor the virtual environment's programs can be reached."""
    closed = data / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(
        "paimon_devkit.stack.postgres_programs.first_inaccessible_folder", lambda _folder, _user: Path("/closed")
    )
    server = EmbeddedPostgres(closed / "data", durable=False)
    try:
        assert server.notice is not None
        assert str(closed) in server.notice
        home = Path((closed / "data" / "postgres" / "location").read_text().strip())
        with server:
            assert rows(server.process_url(DatabaseRole.API), "SELECT 1") == [(1,)]
            assert (home / "cluster" / "postmaster.pid").exists()
            copied = home / f"programs-{server.version}" / "embedded_postgres" / "pginstall" / "bin" / "postgres"
            assert (Path("/proc") / str(server.pid) / "exe").readlink() == copied
        # The data folder is deleted by hand: the cluster outside it must not be in the way.
        shutil.rmtree(closed / "data")
        server = EmbeddedPostgres(closed / "data", durable=False)
        with server:
            assert rows(server.process_url(DatabaseRole.API), "SELECT 1") == [(1,)]
    finally:
        server.remove()
    assert not home.exists()


def test_first_inaccessible_folder_is_found(data: Path) -> None:
    stranger = RunAs("stranger", uid=54_321, gid=54_321)
    (data / "a").mkdir(mode=0o700)
    assert first_inaccessible_folder(data / "a" / "b", stranger) == (data / "a").resolve()
    (data / "a").chmod(0o711)
    assert first_inaccessible_folder(data / "a" / "b", stranger) is None


def _fake_programs(folder: Path, version: str) -> Path:
    folder.mkdir()
    folder.chmod(0o755)  # under any umask, since the server's user must reach them
    for name in ("postgres", "initdb"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


def test_unsupported_postgres_is_refused(data: Path) -> None:
    with pytest.raises(ServerUnavailable, match=r"PostgreSQL 15\.4 .* not supported.* 16, 17, 18"):
        find_programs(_fake_programs(data / "old", "15.4 (Debian 15.4-1)"))
    assert find_programs(_fake_programs(data / "new", "17.2")).major == 17


def test_data_of_another_major_version_is_refused(data: Path) -> None:
    with pytest.raises(DataFolderUnusable, match="written by PostgreSQL 16, found only 17"):
        find_programs(_fake_programs(data / "new", "17.2"), major=16)


def test_slow_part_gets_the_seconds_that_the_setting_names(data: Path) -> None:
    programs = _fake_programs(data / "programs", "17.2")
    server = programs / "postgres"
    server.write_text(server.read_text().replace("\n", "\n[ $1 = -D ] && exec sleep 600\n", 1))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PAIMON_")}
    started = subprocess.run(
        [sys.executable, "-m", "paimon", "demo", "--data", str(data / "demo")],
        env=environment | {"PAIMON_DEMO_POSTGRES": str(programs), "PAIMON_DEMO_READY_SECONDS": "5.5"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert started.returncode == 2, started.stderr
    assert "postgres was not ready after 5.5 s" in started.stderr


def test_redis_requires_its_password_and_keeps_its_data(data: Path) -> None:
    with EmbeddedRedis(data) as server:
        with redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0)) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
        with redis.Redis.from_url(server.url) as client:
            client.set("kept", "yes")
    with EmbeddedRedis(data) as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        assert client.get("kept") == "yes"


def wait_until(holds: Callable[[], bool], seconds_max: float = 60.0) -> None:
    deadline = time.monotonic() + seconds_max
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class TestChain:
    @pytest.fixture
    def chain(self, data: Path) -> EmbeddedChain:
        return EmbeddedChain(data, anvil=find_anvil(CONTRACTS))

    @staticmethod
    def timestamps(chain: EmbeddedChain) -> list[int]:
        """Return every block's timestamp, after the chain has mined one more block by itself."""
        before = chain.rpc.head().number
        while (head := chain.rpc.head().number) == before:
            time.sleep(0.05)
        blocks = [chain.rpc.call("eth_getBlockByNumber", hex(number), False) for number in range(head + 1)]
        return [int(block["timestamp"], 16) for block in blocks]

    @staticmethod
    def balance(chain: EmbeddedChain, block: int | str) -> int:
        tag = hex(block) if isinstance(block, int) else block
        return int(chain.rpc.call("eth_getBalance", POOR, tag), 16)

    def test_stop_loses_nothing_and_timestamps_keep_growing(self, chain: EmbeddedChain) -> None:
        with chain:
            skipped = chain.warp(DAYS_9)
            sent = chain.rpc.call("eth_sendTransaction", {"from": RICH, "to": POOR, "value": "0x7"})
            while (receipt := chain.rpc.call("eth_getTransactionReceipt", sent)) is None:
                time.sleep(0.05)
            mined = int(receipt["blockNumber"], 16)
            stopped_at = chain.rpc.head()
        assert skipped.timestamp > time.time() + DAYS_9 - 60
        with chain:
            assert chain.rpc.head("finalized").number >= stopped_at.number
            assert self.balance(chain, "finalized") == 7
            # Reads pinned to blocks before the stop still work.
            assert (self.balance(chain, mined - 1), self.balance(chain, mined)) == (0, 7)
            assert chain.rpc.call("eth_getTransactionReceipt", sent)["blockNumber"] == hex(mined)
            times = self.timestamps(chain)
            # Blocks of one second have one timestamp, as a busy machine may make them; none is earlier than the one before.
            assert all(earlier <= later for earlier, later in itertools.pairwise(times)), times
            assert times[-1] > stopped_at.timestamp
            assert len(chain.rpc.call("eth_feeHistory", "0x4", "latest", [50])["baseFeePerGas"]) == 5

    def test_kill_loses_no_final_block(self, chain: EmbeddedChain) -> None:
        chain.start()
        chain.warp(DAYS_9)
        sent = chain.rpc.call("eth_sendTransaction", {"from": RICH, "to": POOR, "value": "0x7"})
        while (receipt := chain.rpc.call("eth_getTransactionReceipt", sent)) is None:
            time.sleep(0.05)
        final = chain.wait_until_final(int(receipt["blockNumber"], 16))
        chain.kill()
        chain.stop()
        with chain:
            assert chain.rpc.head("finalized").number >= final.number
            assert self.balance(chain, "finalized") == 7
            times = self.timestamps(chain)
            assert times == sorted(times)

    def test_truncated_state_file_falls_back_to_the_checkpoint(self, chain: EmbeddedChain, data: Path) -> None:
        with chain:
            chain.rpc.call("anvil_setBalance", POOR, "0x9")
            final = chain.wait_until_final(chain.rpc.head().number + 1).number
        state_file = data / "chain" / "anvil.json"
        state_file.write_bytes(state_file.read_bytes()[: state_file.stat().st_size // 4])
        with chain:
            assert chain.rpc.head("finalized").number >= final
            assert self.balance(chain, "finalized") == 9
        state_file.write_bytes(b"")
        (data / "chain" / "checkpoint.json").unlink()
        with pytest.raises(DataFolderUnusable, match="damaged"):
            chain.start()

    def test_lasting_chain_keeps_the_states_of_the_last_blocks_only(self, data: Path) -> None:
        """anvil ignores the limit when blocks come faster: then the demo took 800 MB after 45 minutes."""
        with EmbeddedChain(data, anvil=find_anvil(CONTRACTS), pace=LASTING_PACE) as chain:
            chain.rpc.call("anvil_mine", hex(3 * STATES_KEPT))
            head = chain.rpc.head().number
            assert self.balance(chain, head - STATES_KEPT // 2) == 0
            with pytest.raises(DemoError, match="requested was"):
                self.balance(chain, head - 2 * STATES_KEPT)
        dumped = json.loads((data / "chain" / "anvil.json").read_text())
        assert len(dumped["historical_states"]) <= STATES_KEPT
        with chain:
            assert chain.rpc.head("finalized").number >= head

    def test_lasting_chain_makes_blocks_only_until_each_event_is_final(self, data: Path) -> None:
        """Blocks at a fixed pace stay in anvil's memory for good: 12 MB an hour."""
        chain = EmbeddedChain(data, anvil=find_anvil(CONTRACTS), pace=BlockPace(busy_seconds=0.5, idle_seconds=3_600))
        with chain:
            wait_until(lambda: chain.rpc.head().number == 2)  # the first block is final
            chain.rpc.call("eth_sendTransaction", {"from": RICH, "to": POOR, "value": "0x7"})
            chain.wait_until_final(3)
            assert chain.rpc.head().number == 5
            assert chain.warp(DAYS_9).number == 6
            chain.wait_until_final(6)
            # The market writes a history in blocks of its own: meanwhile no other block may come between them.
            chain.rpc.call("evm_setIntervalMining", 0)
            chain.rpc.call("evm_mine")
            chain.rpc.call("eth_sendTransaction", {"from": RICH, "to": POOR, "value": "0x7"})
            chain.rpc.call("evm_setIntervalMining", IDLE_INTERVAL_SECONDS)
            chain.wait_until_final(10)
            assert chain.rpc.head().number == 12
            stopped_at = chain.rpc.head()
        with chain:
            assert chain.rpc.head("finalized").number >= stopped_at.number

    def test_failed_save_is_reported_once_and_repeated_until_it_succeeds(self, data: Path) -> None:
        lines: list[str] = []
        chain = EmbeddedChain(data, anvil=find_anvil(CONTRACTS), notify=lines.append)
        in_the_way = data / "chain" / "checkpoint.json.new"
        in_the_way.mkdir(parents=True)
        with chain:
            wait_until(lambda: bool(lines))
            first = chain.rpc.head().number
            wait_until(lambda: chain.rpc.head().number > first + 2)
            assert len(lines) == 1
            assert re.match(r"the chain cannot be saved.*checkpoint\.json\.new.*trying again", lines[0])
            in_the_way.rmdir()
            wait_until(lambda: len(lines) == 2)
            assert lines[1] == "the chain is saved again"
            assert (data / "chain" / "checkpoint.json").exists()

    def test_pages_of_other_origins_cannot_read_the_node(self, chain: EmbeddedChain) -> None:
        with chain:
            request = urllib.request.Request(
                chain.http_url,
                b'{"jsonrpc": "2.0", "id": 1, "method": "eth_accounts", "params": []}',
                {"Origin": "https://page.example", "Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request) as answer:
                assert answer.headers["Access-Control-Allow-Origin"] is None


def test_missing_chain_program_names_the_command_to_run(data: Path) -> None:
    with pytest.raises(ServerUnavailable, match="npm ci"):
        find_anvil(data)


def test_chain_and_postgres_are_stopped_by_sigint(data: Path) -> None:
    """Another signal would lose the chain's last state and cost PostgreSQL a recovery."""
    chain = EmbeddedChain(data, anvil=Path("/nowhere"))
    server = EmbeddedPostgres(data)
    for spec in (chain.spec(), server.spec()):
        assert (spec.stop_signal, spec.death_signal) == (signal.SIGINT, signal.SIGINT)
