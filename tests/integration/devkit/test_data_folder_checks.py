"""A data folder whose parts do not belong together is refused, and the message names the way out."""

import os
import re
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from tests.support.chain.fund import TestFund

from paimon.settings import DatabaseSettings, RetentionSettings, Settings
from paimon_devkit.stack.data_folder_checks import (
    prepare_data_folder,
    require_complete_data,
    require_demo_folder,
    require_matching_database,
)
from paimon_devkit.stack.demo_stack import DemoStack
from paimon_devkit.stack.errors import DataFolderUnusable, DemoError, InconsistentDataFolder
from paimon_devkit.stack.lock import DataFolderLock
from paimon_devkit.stack.supervisor import Supervisor
from paimon_devkit.stack.unprivileged_user import unprivileged_user

pytestmark = pytest.mark.integration


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of a demo that ran."""
    for name in ("accounts", "fund.json"):
        (tmp_path / name).write_text("{}")
    return tmp_path


def test_complete_folder_and_new_folder_are_accepted(data: Path, tmp_path: Path) -> None:
    require_complete_data(data, database=True, chain=True)
    require_complete_data(tmp_path / "new", database=False, chain=False)


@pytest.mark.parametrize("lost", ["database", "chain"])
def test_missing_part_is_named_with_the_way_out(data: Path, lost: str) -> None:
    there = {"database": True, "chain": True} | {lost: False}
    with pytest.raises(InconsistentDataFolder, match=f"has a fund, but not its {lost} any more.*--fresh"):
        require_complete_data(data, **there)


def test_missing_accounts_are_named(data: Path) -> None:
    (data / "accounts").unlink()
    with pytest.raises(InconsistentDataFolder, match="not its accounts any more"):
        require_complete_data(data, database=True, chain=True)


class TestMatchingDatabase:
    @pytest.fixture
    def libpq(self, owner_url: str) -> str:
        return owner_url.replace("+psycopg", "")

    @staticmethod
    def _record_block(libpq: str, number: int, block_hash: str) -> None:
        with psycopg.connect(libpq) as connection:
            connection.execute(
                "INSERT INTO derived.cursor (id, number, hash, timestamp, epoch) VALUES (1, %s, decode(%s, 'hex'), now(), 1)",
                (number, block_hash.removeprefix("0x")),
            )

    def test_empty_database_matches_any_chain(self, libpq: str, fund: TestFund) -> None:
        require_matching_database(fund.node.rpc, libpq, has_fund=False)

    def test_database_of_this_chain_matches_unless_the_fund_is_unknown(self, libpq: str, fund: TestFund) -> None:
        block = fund.node.rpc.call("eth_getBlockByNumber", "0x1", False)
        self._record_block(libpq, 1, block["hash"])
        require_matching_database(fund.node.rpc, libpq, has_fund=True)
        with pytest.raises(InconsistentDataFolder, match=r"fund\.json, which says where the fund is, is gone"):
            require_matching_database(fund.node.rpc, libpq, has_fund=False)

    def test_chain_that_ends_before_the_recorded_block_is_refused(self, libpq: str, fund: TestFund) -> None:
        self._record_block(libpq, 1_000_000, "11" * 32)
        with pytest.raises(InconsistentDataFolder, match=r"blocks up to 1000000, but the chain ends before.*--fresh"):
            require_matching_database(fund.node.rpc, libpq, has_fund=True)

    def test_database_of_another_chain_is_refused(self, libpq: str, fund: TestFund) -> None:
        self._record_block(libpq, 1, "11" * 32)
        with pytest.raises(InconsistentDataFolder, match=r"blocks of another chain: block 1 .*--fresh"):
            require_matching_database(fund.node.rpc, libpq, has_fund=True)

    @pytest.mark.parametrize(
        ("own_database", "way_out"),
        [(False, "start over with `paimon demo --fresh`"), (True, "This database is your own, so --fresh does not delete it")],
    )
    def test_database_of_an_earlier_chain_of_migrations_is_refused(
        self, tmp_path: Path, app_url: str, owner_url: str, libpq: str, own_database: bool, way_out: str
    ) -> None:
        with psycopg.connect(libpq) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0023'")
        environment = {"PAIMON_DATABASE__URL": app_url} if own_database else {}
        stack = DemoStack(tmp_path, print_line=lambda _: None, environment=environment)
        databases = DatabaseSettings(url=SecretStr(app_url), owner_url=SecretStr(owner_url))
        stack.settings = Settings.model_construct(database=databases, retention=RetentionSettings())
        with pytest.raises(DemoError, match=f"at migration 0023 of a chain from before 0001_initial.*{way_out}"):
            stack._prepare_database()


class TestDemoFolder:
    def test_folder_with_other_files_is_refused(self, tmp_path: Path) -> None:
        require_demo_folder(tmp_path)
        require_demo_folder(tmp_path / "new")
        (tmp_path / "logs").mkdir()
        with pytest.raises(DataFolderUnusable, match="has files that are not a demo's"):
            require_demo_folder(tmp_path)
        with DataFolderLock(tmp_path):
            require_demo_folder(tmp_path)
        (file := tmp_path / "file").touch()
        with pytest.raises(DataFolderUnusable, match="is not a folder"):
            require_demo_folder(file)

    @pytest.mark.parametrize("parent", ["file", "file/below"], ids=["a file", "below a file"])
    def test_folder_that_cannot_be_made_is_refused_in_one_line(self, tmp_path: Path, parent: str) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(DataFolderUnusable) as refusal:
            prepare_data_folder(tmp_path / parent / "demo")
        assert re.fullmatch(
            rf"{tmp_path}/{parent}/demo cannot be the demo's data folder: Not a directory .*--data", str(refusal.value)
        )

    def test_folder_is_closed_to_all_users_but_the_servers(self, tmp_path: Path) -> None:
        """The server's user passes through to its own files; it cannot list the folder."""
        (data := tmp_path / "data").mkdir(mode=0o755)
        umask = os.umask(0o022)
        try:
            prepare_data_folder(data)
            (data / "made").touch()
            (data / "logs").mkdir()
        finally:
            os.umask(umask)
        server_user = unprivileged_user()
        assert data.stat().st_mode & 0o777 == (0o700 if server_user is None else 0o710)
        assert server_user is None or data.stat().st_gid == server_user.gid
        assert (data / "made").stat().st_mode & 0o077 == 0
        assert (data / "logs").stat().st_mode & 0o077 == 0

    def test_delete_data_works_on_a_broken_folder_and_keeps_other_files(self, data: Path) -> None:
        (data / "postgres" / "cluster").mkdir(parents=True)  # without passwords and without PG_VERSION
        (data / "chain").mkdir()
        (data / "kept.txt").write_text("not ours")
        DemoStack(data, print_line=lambda _: None).delete_data()
        assert {path.name for path in data.iterdir()} == {"kept.txt"}


class TestOwnServices:
    @pytest.mark.parametrize(
        ("environment", "missing"),
        [
            ({"PAIMON_DATABASE__URL": "postgresql+psycopg://a@b/c"}, "PAIMON_DATABASE__OWNER_URL"),
            ({"PAIMON_DATABASE__OWNER_URL": "postgresql+psycopg://a@b/c"}, "PAIMON_DATABASE__URL"),
            ({"PAIMON_CHAIN__WS_URL": "ws://b"}, "PAIMON_CHAIN__RPC_URL"),
        ],
    )
    def test_one_url_of_a_pair_is_refused_before_anything_starts(
        self, tmp_path: Path, environment: dict[str, str], missing: str
    ) -> None:
        stack = DemoStack(tmp_path, print_line=lambda _: None, environment=environment)
        with Supervisor(tmp_path) as supervisor, pytest.raises(DemoError, match=re.escape(f"set without {missing}")):
            stack.start(supervisor)
        assert not (tmp_path / "accounts").exists()

    def test_api_beyond_this_machine_is_refused(self, tmp_path: Path) -> None:
        stack = DemoStack(tmp_path, print_line=lambda _: None, environment={"PAIMON_API__HOST": "0.0.0.0"})
        with Supervisor(tmp_path) as supervisor, pytest.raises(DemoError, match=r"127\.0\.0\.1 only.*PAIMON_API__HOST"):
            stack.start(supervisor)
