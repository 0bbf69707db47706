"""What the signer has signed that moves money: its own memory, apart from the application's database and out of its reach.

An SQLite file beside the policy, written and synced before a signature leaves the process: after a crash at any point
it counts at least what can be on chain. A signer with limits does not start without its ledger; a new one is made only on
purpose (`paimon signer --new-ledger`), since an empty ledger is a day's limit anew.

Amounts are text: SQLite's integers end at 2⁶³.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.spending_limit import ROLLING_DAY, Spend
from paimon.infrastructure.keys.keystore import KeystoreError, require_private

_SCHEMA: Final = """
CREATE TABLE spends (
    hash      BLOB PRIMARY KEY CHECK (length(hash) = 32),
    wallet    BLOB NOT NULL CHECK (length(wallet) = 20),
    nonce     INTEGER NOT NULL CHECK (nonce >= 0),
    amount    TEXT NOT NULL,
    plan      TEXT,
    signed_at TEXT NOT NULL,
    decided   INTEGER NOT NULL DEFAULT 0  -- 1: the nonce is final, and `amount` is what this transaction did move
) STRICT;
CREATE INDEX spends_by_wallet ON spends (wallet, decided);
"""
_APPLICATION_ID: Final = 0x5061696D  # "Paim"


class LedgerError(Exception):
    """The ledger cannot be used; the message names the file and what to do."""


@dataclass(frozen=True, slots=True)
class SignedSpend:
    """A spend and the transaction it is from."""

    hash: Hash32
    spend: Spend


class Ledger:
    """One signer's. All calls are made from one thread, and each is one transaction on disk."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, new: bool = False) -> Iterator[Self]:
        """The ledger in the file.

        Raises:
            LedgerError: it is missing, there already (`new`), open to others, or no ledger.
        """
        if new:
            _create(path)
        elif not path.exists():
            raise LedgerError(
                f"the spend ledger {path} is missing: bring it back, for without it the limits of the last 24 hours are"
                " unknown; `--new-ledger` starts with an empty one"
            )
        try:
            require_private(path)
        except KeystoreError as error:
            raise LedgerError(str(error)) from error
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            try:
                known = connection.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID
                connection.execute("PRAGMA synchronous = FULL")
            except sqlite3.DatabaseError as error:
                raise LedgerError(f"{path} is no spend ledger: {error}") from error
            if not known:
                raise LedgerError(f"{path} is no spend ledger of this signer")
            yield cls(connection)

    def add(self, wallet: Address, signed: SignedSpend) -> None:
        """Synced to disk when it returns. The same transaction again keeps its first entry."""
        spend = signed.spend
        self._connection.execute(
            "INSERT INTO spends (hash, wallet, nonce, amount, plan, signed_at) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (signed.hash, wallet, spend.nonce, str(spend.amount), spend.plan, _text(spend.signed_at)),
        )

    def list_counted(self, wallet: Address, spend: Spend) -> list[Spend]:
        """What the wallet may still move, has moved in the 24 hours before, or has moved ever for the same plan."""
        rows = self._connection.execute(
            "SELECT nonce, amount, plan, signed_at, decided FROM spends"
            " WHERE wallet = ? AND (decided = 0 OR signed_at > ? OR plan = ?)",
            (wallet, _text(spend.signed_at - ROLLING_DAY), spend.plan),
        )
        return [_spend(*row) for row in rows]

    def list_undecided(self, wallet: Address) -> list[SignedSpend]:
        """Those whose nonce was not seen final yet."""
        rows = self._connection.execute(
            "SELECT hash, nonce, amount, plan, signed_at, 0 FROM spends WHERE wallet = ? AND decided = 0 ORDER BY nonce",
            (wallet,),
        )
        return [SignedSpend(Hash32(hash_), _spend(*row)) for hash_, *row in rows]

    def mark_decided(self, decided: dict[Hash32, bool]) -> None:
        """Each of these nonces is final; what did not move its amount counts for nothing from now on."""
        with _transaction(self._connection):
            for hash_, moved in decided.items():
                amount = "" if moved else ", amount = '0'"
                self._connection.execute(f"UPDATE spends SET decided = 1{amount} WHERE hash = ?", (hash_,))  # noqa: S608


def _text(at: datetime) -> str:
    """Of fixed length and always UTC, so that order of text is order of time."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _spend(nonce: int, amount: str, plan: str | None, signed_at: str, decided: int) -> Spend:
    return Spend(nonce, RawAmount(int(amount)), plan, datetime.fromisoformat(signed_at), is_open=not decided)


def _create(path: Path) -> None:
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise LedgerError(f"{path} exists: a spend ledger is never overwritten") from None
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
