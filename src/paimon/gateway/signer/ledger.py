"""The spend ledger: every transaction the signer has signed that moves money. The application cannot reach it.

It is an SQLite file beside the policy. An entry is synced to disk before its signature leaves the process, so that after a
crash the ledger counts at least what can be on chain. A signer with limits does not start without its ledger. Only
`paimon signer --new-ledger` makes a new one, because an empty ledger gives the keys a full day's limit again.

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
    decided   INTEGER NOT NULL DEFAULT 0  -- 1: the nonce is final, and `amount` is what the transaction moved
) STRICT;
CREATE INDEX spends_by_wallet ON spends (wallet, decided);
"""
_APPLICATION_ID: Final = 0x5061696D  # "Paim"


class LedgerError(Exception):
    """The ledger cannot be used. The message names the file and what to do."""


@dataclass(frozen=True, slots=True)
class SignedSpend:
    """A spend with the hash of its transaction."""

    hash: Hash32
    spend: Spend


class Ledger:
    """The spend ledger of one signer. All calls come from one thread; each is one transaction on disk."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, new: bool = False) -> Iterator[Self]:
        """Open the ledger in the file, or create it with `new`.

        Raises:
            LedgerError: the file is missing, exists already (`new`), is readable by others, or is no ledger.
        """
        if new:
            _create(path)
        elif not path.exists():
            raise LedgerError(
                f"the spend ledger {path} is missing: restore it, because without it the spending of the last 24 hours is"
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
        """Add an entry, synced to disk on return. A transaction that is added again keeps its first entry."""
        spend = signed.spend
        self._connection.execute(
            "INSERT INTO spends (hash, wallet, nonce, amount, plan, signed_at) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (signed.hash, wallet, spend.nonce, str(spend.amount), spend.plan, _text(spend.signed_at)),
        )

    def list_counted(self, wallet: Address, spend: Spend) -> list[Spend]:
        """List the spends that count: undecided, of the 24 hours before this spend, or of its plan at any time."""
        rows = self._connection.execute(
            "SELECT nonce, amount, plan, signed_at, decided FROM spends"
            " WHERE wallet = ? AND (decided = 0 OR signed_at > ? OR plan = ?)",
            (wallet, _text(spend.signed_at - ROLLING_DAY), spend.plan),
        )
        return [_spend(*row) for row in rows]

    def list_undecided(self, wallet: Address) -> list[SignedSpend]:
        """List the spends whose nonce is not final yet, by nonce."""
        rows = self._connection.execute(
            "SELECT hash, nonce, amount, plan, signed_at, 0 FROM spends WHERE wallet = ? AND decided = 0 ORDER BY nonce",
            (wallet,),
        )
        return [SignedSpend(Hash32(hash_), _spend(*row)) for hash_, *row in rows]

    def mark_decided(self, decided: dict[Hash32, bool]) -> None:
        """Record that these nonces are final. A transaction that did not move its amount counts as 0 from now on."""
        with _transaction(self._connection):
            for hash_, moved in decided.items():
                amount = "" if moved else ", amount = '0'"
                self._connection.execute(f"UPDATE spends SET decided = 1{amount} WHERE hash = ?", (hash_,))  # noqa: S608


def _text(at: datetime) -> str:
    """Return UTC text of fixed length, whose order is the order of time."""
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
