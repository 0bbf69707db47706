"""A data folder whose pieces do not belong together is refused, and the way out is named."""

import re
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from tests.support.chain.fund import TestFund

from paimon.settings import DatabaseSettings, RetentionSettings, Settings
from paimon_devkit.stack.data_folder_checks import require_complete_data, require_demo_folder, require_matching_database
from paimon_devkit.stack.demo_stack import DemoStack
from paimon_devkit.stack.errors import DataFolderUnusable, DemoError, InconsistentDataFolder
from paimon_devkit.stack.lock import DataFolderLock
from paimon_devkit.stack.supervisor import Supervisor

pytestmark = pytest.mark.integration


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a demo that ran."""
    for name in ("accounts", "fund.json"):
        (tmp_path / name).write_text("{}")
    return tmp_path


def test_a_complete_folder_and_a_new_one_go_on(data: Path, tmp_path: Path) -> None:
    require_complete_data(data, database=True, chain=True)
    require_complete_data(tmp_path / "new", database=False, chain=False)


@pytest.mark.parametrize("lost", ["database", "chain"])
def test_a_lost_part_is_named_with_the_way_out(data: Path, lost: str) -> None:
    there = {"database": True, "chain": True} | {lost: False}
    with pytest.raises(InconsistentDataFolder, match=f"has a fund, but not its {lost} any more.*--fresh"):
        require_complete_data(data, **there)


def test_lost_wallets_are_named(data: Path) -> None:
    (data / "accounts").unlink()
    with pytest.raises(InconsistentDataFolder, match="not its accounts any more"):
        require_complete_data(data, database=True, chain=True)


class TestBooks:
    @pytest.fixture
    def libpq(self, owner_url: str) -> str:
        return owner_url.replace("+psycopg", "")

    @staticmethod
    def _stand_at(libpq: str, number: int, block_hash: str) -> None:
        with psycopg.connect(libpq) as connection:
            connection.execute(
                "INSERT INTO derived.cursor (id, number, hash, timestamp, epoch) VALUES (1, %s, decode(%s, 'hex'), now(), 1)",
                (number, block_hash.removeprefix("0x")),
            )

    def test_a_database_without_books_fits_any_chain(self, libpq: str, fund: TestFund) -> None:
        require_matching_database(fund.node.rpc, libpq, has_fund=False)

    def test_books_of_this_chain(self, libpq: str, fund: TestFund) -> None:
        block = fund.node.rpc.call("eth_getBlockByNumber", "0x1", False)
        self._stand_at(libpq, 1, block["hash"])
        require_matching_database(fund.node.rpc, libpq, has_fund=True)
        with pytest.raises(InconsistentDataFolder, match=r"fund\.json, which says where it is, is gone"):
            require_matching_database(fund.node.rpc, libpq, has_fund=False)

    def test_a_chain_behind_the_books(self, libpq: str, fund: TestFund) -> None:
        self._stand_at(libpq, 1_000_000, "11" * 32)
        with pytest.raises(InconsistentDataFolder, match=r"books up to block 1000000, but the chain ends before it.*--fresh"):
            require_matching_database(fund.node.rpc, libpq, has_fund=True)

    def test_another_chain(self, libpq: str, fund: TestFund) -> None:
        self._stand_at(libpq, 1, "11" * 32)
        with pytest.raises(InconsistentDataFolder, match=r"books of another chain: block 1 .*--fresh"):
            require_matching_database(fund.node.rpc, libpq, has_fund=True)

    @pytest.mark.parametrize(
        ("given", "way_out"),
        [(False, "start over with `paimon demo --fresh`"), (True, "It is yours, so --fresh leaves it alone")],
    )
    def test_a_database_of_migrations_that_are_gone(
        self, tmp_path: Path, app_url: str, owner_url: str, libpq: str, given: bool, way_out: str
    ) -> None:
        with psycopg.connect(libpq) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0023'")
        stack = DemoStack(tmp_path, print_line=lambda _: None, environment={"PAIMON_DATABASE__URL": app_url} if given else {})
        databases = DatabaseSettings(url=SecretStr(app_url), owner_url=SecretStr(owner_url))
        stack.settings = Settings.model_construct(database=databases, retention=RetentionSettings())
        with pytest.raises(DemoError, match=f"at migration 0023 of a chain from before 0001_initial.*{way_out}"):
            stack._prepare_database()


class TestFolder:
    def test_files_that_are_not_a_demos_are_left_alone(self, tmp_path: Path) -> None:
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

    def test_starting_over_works_on_a_folder_whatever_is_broken_in_it(self, data: Path) -> None:
        (data / "postgres" / "cluster").mkdir(parents=True)  # without passwords and without PG_VERSION
        (data / "chain").mkdir()
        (data / "kept.txt").write_text("not ours")
        DemoStack(data, print_line=lambda _: None).delete_data()
        assert {path.name for path in data.iterdir()} == {"kept.txt"}


class TestGivenServices:
    @pytest.mark.parametrize(
        ("given", "missing"),
        [
            ({"PAIMON_DATABASE__URL": "postgresql+psycopg://a@b/c"}, "PAIMON_DATABASE__OWNER_URL"),
            ({"PAIMON_DATABASE__OWNER_URL": "postgresql+psycopg://a@b/c"}, "PAIMON_DATABASE__URL"),
            ({"PAIMON_CHAIN__WS_URL": "ws://b"}, "PAIMON_CHAIN__RPC_URL"),
        ],
    )
    def test_half_of_a_pair_is_refused_before_anything_starts(
        self, tmp_path: Path, given: dict[str, str], missing: str
    ) -> None:
        stack = DemoStack(tmp_path, print_line=lambda _: None, environment=given)
        with Supervisor(tmp_path) as supervisor, pytest.raises(DemoError, match=re.escape(f"set without {missing}")):
            stack.start(supervisor)
        assert not (tmp_path / "accounts").exists()
