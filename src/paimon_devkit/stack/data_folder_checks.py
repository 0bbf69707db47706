"""Whether the pieces of a data folder belong together, asked before anything works on them.

People, database, chain and the fund on it are made one after the other, and `fund.json` last; from then on none of them
can be replaced alone: books of one chain are wrong on another, however healthy each is. What is not listed here is made
again when it is missing: the Redis files, the signer's, the settings.

    fund.json without people, database or chain      one was deleted                                  refused
    books (a cursor) without fund.json               it was deleted; a second fund would be deployed  refused
    the cursor's block is not on the chain           an older or another chain                        refused
    neither                                          a new folder, or a first start that was cut off  goes on
"""

from pathlib import Path

import psycopg

from paimon_devkit.stack.chain_rpc import ChainRpc
from paimon_devkit.stack.errors import DataFolderUnusable, InconsistentDataFolder
from paimon_devkit.stack.lock import DataFolderLock


def require_demo_folder(data: Path) -> None:
    """Raises DataFolderUnusable for a folder with files that are not a demo's, which `--fresh` might delete."""
    if data.exists() and not data.is_dir():
        raise DataFolderUnusable(f"{data} is not a folder: name another with --data")
    if data.is_dir() and any(data.iterdir()) and not DataFolderLock(data).was_ever_held:
        raise DataFolderUnusable(f"{data} has files that are not a demo's: name a new or empty folder with --data")


def require_complete_data(data: Path, **others: bool) -> None:
    """Raises InconsistentDataFolder when the fund is recorded and the wallets or one of `others` (is it there?) are gone."""
    if not (data / "fund.json").exists():
        return
    present = {"accounts": (data / "accounts").exists(), **others}
    if missing := [name for name, exists in present.items() if not exists]:
        raise InconsistentDataFolder(f"{data} has a fund, but not its {' and '.join(missing)} any more")


def require_matching_database(chain: ChainRpc, libpq_url: str, *, has_fund: bool) -> None:
    """Raises InconsistentDataFolder unless the database is without books, or has those of this chain and a fund that is known."""
    with psycopg.connect(libpq_url, connect_timeout=5) as connection:
        if connection.execute("SELECT to_regclass('derived.cursor')").fetchone() == (None,):
            return
        found = connection.execute("SELECT number, '0x' || encode(hash, 'hex') FROM derived.cursor").fetchone()
    if found is None:
        return
    number, block_hash = found
    if not has_fund:
        raise InconsistentDataFolder("the database has books of a fund, but fund.json, which says where it is, is gone")
    block = chain.call("eth_getBlockByNumber", hex(number), False)
    if block is None:
        raise InconsistentDataFolder(f"the database has books up to block {number}, but the chain ends before it")
    if block["hash"] != block_hash:
        raise InconsistentDataFolder(f"the database has books of another chain: block {number} is not the one it recorded")
