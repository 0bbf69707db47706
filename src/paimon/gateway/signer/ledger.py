"""The spend ledger: every transaction that the signer has signed, and what it moves. The application cannot reach it.

It is an SQLite file beside the policy. An entry is synced to disk before its signature leaves the process, so that after a
crash the ledger counts at least what can be on chain. Nothing in it is ever deleted. Only `paimon signer --new-ledger` makes
a new one, because an empty ledger gives the keys a full day's limit again.

An old copy of the ledger would do the same, so two things outside it must agree with it. The counter, a file that belongs on
another disk, says how many transactions were signed. The chain says how many of a key's nonces are used: the ledger has
signed every one of them since it was made. One signer at a time has the ledger open.

Integers are text where they may exceed SQLite's 2⁶³.
"""

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.spending_limit import ROLLING_DAY, Spend
from paimon.gateway.signer.ledger_counter import LedgerCounter, LedgerError
from paimon.infrastructure.keys.keystore import KeystoreError, require_private

_SCHEMA: Final = """
CREATE TABLE ledger (id TEXT NOT NULL) STRICT;
CREATE TABLE wallets (
    address     BLOB PRIMARY KEY CHECK (length(address) = 20),
    first_nonce INTEGER NOT NULL CHECK (first_nonce >= 0)  -- the chain's count when this ledger first knew the key
) STRICT;
CREATE TABLE signed_transactions (
    number      INTEGER PRIMARY KEY,  -- 1, 2, 3 …; the counter holds the last one
    hash        BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    wallet      BLOB NOT NULL CHECK (length(wallet) = 20),
    nonce       INTEGER NOT NULL CHECK (nonce >= 0),
    gas_wei     TEXT NOT NULL,
    signed_at   TEXT NOT NULL,
    amount      TEXT NOT NULL,
    plan        TEXT,
    plan_digest BLOB CHECK (length(plan_digest) = 32),
    plan_signer BLOB CHECK (length(plan_signer) = 20),
    plan_nonce  BLOB CHECK (length(plan_nonce) = 32),
    plan_call   INTEGER,
    decided     INTEGER NOT NULL DEFAULT 0  -- 1: the nonce is final, and `amount` is what the transaction moved
) STRICT;
CREATE INDEX signed_by_nonce ON signed_transactions (wallet, nonce);
CREATE INDEX signed_by_time ON signed_transactions (wallet, signed_at);
CREATE INDEX signed_by_plan ON signed_transactions (plan_digest) WHERE plan_digest IS NOT NULL;
CREATE INDEX signed_by_plan_nonce ON signed_transactions (plan_signer, plan_nonce) WHERE plan_nonce IS NOT NULL;
CREATE INDEX undecided ON signed_transactions (wallet, nonce) WHERE decided = 0;
"""
_APPLICATION_ID: Final = 0x5061696D  # "Paim"
_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class PlanCall:
    """The call of a signed plan that a transaction makes. `call_index` is None when a Safe makes all calls at once."""

    name: str
    digest: Hash32
    signer: Address
    nonce: Hash32
    call_index: int | None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What a transaction counts for: the most that its gas may cost, and the amount that it moves in raw units of the asset."""

    wallet: Address
    nonce: int
    gas_wei: int
    signed_at: datetime
    amount: RawAmount = RawAmount(0)
    plan: PlanCall | None = None


@dataclass(frozen=True, slots=True)
class NonceUse:
    """All transactions that were signed at one nonce; `undecided` are those whose amount is not settled yet."""

    nonce: int
    hashes: tuple[Hash32, ...]
    undecided: tuple[Hash32, ...]


class Ledger:
    """The spend ledger of one signer. All calls come from one thread; each change is one transaction on disk."""

    def __init__(self, connection: sqlite3.Connection, counter: LedgerCounter) -> None:
        self._connection = connection
        self._counter = counter

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, counter: Path, new: bool = False) -> Iterator[Self]:
        """Open the ledger in the file, or create it and its counter with `new`.

        Raises:
            LedgerError: the file is missing, exists already (`new`), is readable by others, is no ledger, is an old copy, or
                is open in another signer.
        """
        if new:
            _create(path, counter)
        elif not path.exists():
            raise LedgerError(
                f"the spend ledger {path} is missing: restore it, because without it the spending of the last 24 hours is"
                " unknown; `--new-ledger` starts with an empty one"
            )
        try:
            require_private(path)
        except KeystoreError as error:
            raise LedgerError(str(error)) from error
        with _exclusive(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
            _require_ledger(path, connection)
            (ledger_id,) = connection.execute("SELECT id FROM ledger").fetchone()
            ledger = cls(connection, LedgerCounter(counter, ledger_id))
            ledger._require_newest(path)
            yield ledger

    def register_wallet(self, wallet: Address, used_nonces: int) -> None:
        """Note how many nonces the key had used on chain when this ledger first knew it. A known key keeps its number."""
        self._connection.execute(
            "INSERT INTO wallets (address, first_nonce) VALUES (?, ?) ON CONFLICT DO NOTHING", (wallet, used_nonces)
        )

    def next_nonce(self, wallet: Address) -> int:
        """Return one more than the highest nonce that the key has used with this ledger's knowledge."""
        (first,) = self._connection.execute("SELECT first_nonce FROM wallets WHERE address = ?", (wallet,)).fetchone()
        (highest,) = self._connection.execute(
            "SELECT max(nonce) FROM signed_transactions WHERE wallet = ?", (wallet,)
        ).fetchone()
        return int(first) if highest is None else max(int(first), int(highest) + 1)

    def add(self, hash_: Hash32, entry: LedgerEntry) -> None:
        """Add an entry, synced to disk on return. A transaction that is added again keeps its first entry."""
        plan = entry.plan
        number = self._last_number() + 1
        self._connection.execute(
            "INSERT INTO signed_transactions (number, hash, wallet, nonce, gas_wei, signed_at, amount,"
            " plan, plan_digest, plan_signer, plan_nonce, plan_call, decided)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING",
            (
                number,
                hash_,
                entry.wallet,
                entry.nonce,
                str(entry.gas_wei),
                _text(entry.signed_at),
                str(entry.amount),
                *((plan.name, plan.digest, plan.signer, plan.nonce, plan.call_index) if plan is not None else [None] * 5),
                entry.amount == 0,
            ),
        )
        self._counter.write(self._last_number())

    def list_counted(self, wallet: Address, spend: Spend, *, signed_by: Address | None = None) -> list[Spend]:
        """List the spends that count: undecided, of the 24 hours before this spend, or of its plan at any time.

        With `signed_by`, only those of the plans that this person or planner signed.
        """
        rows = self._connection.execute(
            "SELECT nonce, amount, plan, signed_at, decided FROM signed_transactions"
            " WHERE wallet = ? AND (decided = 0 OR signed_at > ? OR plan = ?) AND (?4 IS NULL OR plan_signer = ?4)",
            (wallet, _text(spend.signed_at - ROLLING_DAY), spend.plan, signed_by),
        )
        return [_spend(*row) for row in rows]

    def gas_wei_of_day(self, entry: LedgerEntry) -> int:
        """Return the most that the key's gas of the last 24 hours may cost, this entry included.

        Of the transactions at one nonce at most one is mined, so the dearest counts.
        """
        rows = self._connection.execute(
            "SELECT nonce, gas_wei FROM signed_transactions WHERE wallet = ? AND signed_at > ?",
            (entry.wallet, _text(entry.signed_at - ROLLING_DAY)),
        )
        dearest = {entry.nonce: entry.gas_wei}
        for nonce, gas_wei in rows:
            dearest[nonce] = max(int(gas_wei), dearest.get(nonce, 0))
        return sum(dearest.values())

    def document_of(self, signer: Address, nonce: Hash32) -> Hash32 | None:
        """Return the digest of the plan document that this nonce of the signer stands for, if one was used."""
        row = self._connection.execute(
            "SELECT plan_digest FROM signed_transactions WHERE plan_signer = ? AND plan_nonce = ? LIMIT 1", (signer, nonce)
        ).fetchone()
        return None if row is None else Hash32(row[0])

    def moved_by_document(self, wallet: Address, nonce: int, plan: PlanCall) -> RawAmount:
        """Return what the document's transactions at other nonces have moved or may move. The largest of each nonce counts."""
        rows = self._connection.execute(
            "SELECT nonce, amount FROM signed_transactions WHERE plan_digest = ? AND NOT (wallet = ? AND nonce = ?)",
            (plan.digest, wallet, nonce),
        )
        largest: dict[int, int] = {}
        for used, amount in rows:
            largest[used] = max(int(amount), largest.get(used, 0))
        return RawAmount(sum(largest.values()))

    def other_nonce_of(self, wallet: Address, nonce: int, plan: PlanCall) -> int | None:
        """Return another nonce at which this call of the plan was signed and has moved, or may still move, its amount."""
        row = self._connection.execute(
            "SELECT nonce FROM signed_transactions WHERE plan_digest = ? AND plan_call IS ?"
            " AND NOT (wallet = ? AND nonce = ?) AND NOT (decided = 1 AND amount = '0') LIMIT 1",
            (plan.digest, plan.call_index, wallet, nonce),
        ).fetchone()
        return None if row is None else int(row[0])

    def list_undecided(self, wallet: Address, *, below_nonce: int) -> list[NonceUse]:
        """List the nonces below this one with a transaction whose amount is not settled, with all their transactions."""
        rows = self._connection.execute(
            "SELECT nonce, hash, decided FROM signed_transactions WHERE wallet = ?1 AND nonce IN"
            " (SELECT nonce FROM signed_transactions WHERE wallet = ?1 AND decided = 0 AND nonce < ?2) ORDER BY nonce, number",
            (wallet, below_nonce),
        ).fetchall()
        return [
            NonceUse(
                nonce,
                tuple(Hash32(hash_) for used, hash_, _ in rows if used == nonce),
                tuple(Hash32(hash_) for used, hash_, decided in rows if used == nonce and not decided),
            )
            for nonce in sorted({used for used, _, _ in rows})
        ]

    def mark_decided(self, moved: Mapping[Hash32, bool]) -> None:
        """Record that these nonces are final. A transaction that did not move its amount counts as 0 from now on."""
        with _transaction(self._connection):
            for hash_, has_moved in moved.items():
                amount = "" if has_moved else ", amount = '0'"
                self._connection.execute(
                    f"UPDATE signed_transactions SET decided = 1{amount} WHERE hash = ?",  # noqa: S608
                    (hash_,),
                )

    def _last_number(self) -> int:
        return int(self._connection.execute("SELECT coalesce(max(number), 0) FROM signed_transactions").fetchone()[0])

    def _require_newest(self, path: Path) -> None:
        """Compare with the counter. A crash between ledger and counter leaves the counter one behind, which is mended."""
        counted, signed = self._counter.read(), self._last_number()
        if signed < counted:
            raise LedgerError(
                f"{path} is an old copy: it has {signed} transactions, the counter {self._counter.path} has counted {counted}."
                " Put the newest ledger back. If it is lost, move both files away and start with `--new-ledger`, 24 hours after"
                " the last signature"
            )
        self._counter.write(signed)


def _text(at: datetime) -> str:
    """Return UTC text of fixed length, whose order is the order of time."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _spend(nonce: int, amount: str, plan: str | None, signed_at: str, decided: int) -> Spend:
    return Spend(nonce, RawAmount(int(amount)), plan, datetime.fromisoformat(signed_at), is_open=not decided)


def _create(path: Path, counter: Path) -> None:
    if path.exists():
        raise LedgerError(f"{path} exists: a spend ledger is never overwritten; start without `--new-ledger`")
    if counter.exists():
        raise LedgerError(f"{counter} exists: it belongs to another spend ledger, and is never overwritten")
    ledger_id = secrets.token_hex(16)
    try:
        LedgerCounter(counter, ledger_id).write(0)
        path.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        counter.unlink(missing_ok=True)
        raise LedgerError(f"cannot make the spend ledger {path} with its counter {counter}: {error}") from error
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(_SCHEMA)
        connection.execute("INSERT INTO ledger (id) VALUES (?)", (ledger_id,))
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")


def _require_ledger(path: Path, connection: sqlite3.Connection) -> None:
    try:
        known = connection.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.DatabaseError as error:
        raise LedgerError(f"{path} is no spend ledger: {error}") from error
    if not known:
        raise LedgerError(f"{path} is no spend ledger of this signer")
    if version != _VERSION:
        raise LedgerError(
            f"{path} is a spend ledger of another version of the signer. Move it away and start with `--new-ledger`, 24 hours"
            " after the last signature"
        )


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Hold the ledger for this process. A lock file of its own, because SQLite's locks end when any handle closes."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LedgerError(f"another signer has the spend ledger {path} open; stop it first") from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
