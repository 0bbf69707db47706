"""Check that the parts of a demo's data folder belong together, before anything works on them.

Accounts, database, chain and the fund on it are made one after the other, and `fund.json` last. From then on none of them can
be replaced alone: the recorded state of one chain is wrong on another. What is not listed here is made again when it is
missing: the files of Redis and of the signer, and the settings.

    fund.json without accounts, database or chain    a part was deleted                               refused
    a recorded block without fund.json               it was deleted; a second fund would be deployed  refused
    the recorded block is not on the chain           an older or another chain                        refused
    neither                                          a new folder, or an interrupted first start      accepted
"""

import os
from pathlib import Path

import psycopg

from paimon_devkit.stack.chain_rpc import ChainRpc
from paimon_devkit.stack.errors import DataFolderUnusable, InconsistentDataFolder
from paimon_devkit.stack.lock import DataFolderLock
from paimon_devkit.stack.secret_files import make_private_folder
from paimon_devkit.stack.unprivileged_user import unprivileged_user


def prepare_data_folder(data: Path) -> None:
    """Create the folder for the demo's data, or close an earlier demo's to other users.

    From now on, this process and its children write files that only their user can read.
    Raises DataFolderUnusable when the folder cannot be made or is not a demo's.
    """
    try:
        require_demo_folder(data)
        os.umask(0o077)
        make_private_folder(data, passable_by=unprivileged_user())
    except OSError as error:
        raise DataFolderUnusable(
            f"{data} cannot be the demo's data folder: {error.strerror} ({error.filename}); name another with --data"
        ) from error


def require_demo_folder(data: Path) -> None:
    """Refuse a folder with files that are not a demo's: `--fresh` might delete them. Raises DataFolderUnusable."""
    if data.exists() and not data.is_dir():
        raise DataFolderUnusable(f"{data} is not a folder: name another with --data")
    if data.is_dir() and any(data.iterdir()) and not DataFolderLock(data).was_ever_held:
        raise DataFolderUnusable(f"{data} has files that are not a demo's: name a new or empty folder with --data")


def require_complete_data(data: Path, **others: bool) -> None:
    """Refuse a folder with a fund but without its accounts or one of `others` (name: whether it exists).

    Raises InconsistentDataFolder.
    """
    if not (data / "fund.json").exists():
        return
    present = {"accounts": (data / "accounts").exists(), **others}
    if missing := [name for name, exists in present.items() if not exists]:
        raise InconsistentDataFolder(f"{data} has a fund, but not its {' and '.join(missing)} any more")


def require_matching_database(chain: ChainRpc, libpq_url: str, *, has_fund: bool) -> None:
    """Refuse a database with blocks of another chain, or of a fund that the data folder does not know.

    Raises InconsistentDataFolder.
    """
    with psycopg.connect(libpq_url, connect_timeout=5) as connection:
        if connection.execute("SELECT to_regclass('derived.cursor')").fetchone() == (None,):
            return
        found = connection.execute("SELECT number, '0x' || encode(hash, 'hex') FROM derived.cursor").fetchone()
    if found is None:
        return
    number, block_hash = found
    if not has_fund:
        raise InconsistentDataFolder("the database has blocks of a fund, but fund.json, which says where the fund is, is gone")
    block = chain.call("eth_getBlockByNumber", hex(number), False)
    if block is None:
        raise InconsistentDataFolder(f"the database has blocks up to {number}, but the chain ends before")
    if block["hash"] != block_hash:
        raise InconsistentDataFolder(f"the database has blocks of another chain: block {number} is not the one it recorded")
