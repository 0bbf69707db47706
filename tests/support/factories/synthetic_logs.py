"""Any number of recorded logs without a chain, written by COPY as the listener records them, but undecoded.

They are valid by construction and the same for the same `count`: shares minted to holders, transfers between them,
requests on every path, roles, sometimes a pause, sometimes a log that cannot be decoded or applied, and the rest of the
event catalogue in whole transactions.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Final

import psycopg
from tests.support.factories.headers import bare_header
from tests.support.factories.strategies import address, stamp
from tests.support.factories.synthetic_catalogue import ADDRESSES, TRACKED, Catalogue, EmittedLog, emitted_log

from paimon.application.event_listener.fetch.block_range import BlockRange, ChainLog, Header
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, Hash32, OnChainRole

HOLDERS_MAX: Final = 2_000
LOGS_PER_BLOCK: Final = 5
_VAULT, _MANAGER = ADDRESSES.vault, ADDRESSES.redemption_manager


@dataclass(slots=True)
class _Fund:
    rng: random.Random
    holders: list[Address] = field(default_factory=list)
    requests: int = 0
    open: list[tuple[int, Address]] = field(default_factory=list)

    def transactions(self) -> Iterator[list[EmittedLog]]:
        """Yield one transaction after the other."""
        catalogue = Catalogue(self.rng)
        yield from catalogue.deployment_logs()
        while True:
            yield from ([log] for log in self._shares())
            if self.rng.random() < 0.3:
                yield catalogue.next()

    def _shares(self) -> Iterator[EmittedLog]:
        chance = self.rng.random()
        if len(self.holders) < 2 or (chance < 0.2 and len(self.holders) < HOLDERS_MAX):
            self.holders.append(address(1_000 + len(self.holders)))
            yield emitted_log(_VAULT, "Transfer", ZERO_ADDRESS, self.holders[-1], 10**30)
        elif chance < 0.7:
            yield emitted_log(_VAULT, "Transfer", *self.rng.sample(self.holders, 2), self.rng.randrange(10**20))
        elif chance < 0.96:
            yield from self._redemption()
        elif chance < 0.98:
            role = OnChainRole.VIP_APPROVER_ROLE.id
            name = self.rng.choice(["RoleGranted", "RoleRevoked"])
            yield emitted_log(_MANAGER, name, role, self.rng.choice(self.holders), ADDRESSES.vault)
        elif chance < 0.985:
            yield emitted_log(_VAULT, self.rng.choice(["Paused", "Unpaused"]), self.holders[0])
        elif chance < 0.99:
            yield _VAULT, (b"\x99" * 32,), b"of no ABI"
        elif chance < 0.995:
            yield _VAULT, emitted_log(_VAULT, "Transfer", ZERO_ADDRESS, self.holders[0], 1)[1], b"too short"
        else:
            yield emitted_log(_MANAGER, "RedemptionCancelled", 10**9, self.holders[0])

    def _redemption(self) -> Iterator[EmittedLog]:
        if not self.open or self.rng.random() < 0.4:
            owner, awaits = self.rng.choice(self.holders), self.rng.random() < 0.5
            self.requests += 1
            self.open.append((self.requests, owner))
            yield emitted_log(_VAULT, "SharesLocked", owner, 10**18)
            terms = (10**18, 10**18, 10**16, 0, awaits, 0 if awaits else 1_800_000_000, 0)
            yield emitted_log(_MANAGER, "RedemptionRequested", self.requests, owner, owner, *terms)
            if awaits:
                yield emitted_log(_MANAGER, "RedemptionApproved", self.requests, ADDRESSES.vault, 1_800_000_000)
        else:
            request_id, owner = self.open.pop(self.rng.randrange(len(self.open)))
            if self.rng.random() < 0.8:
                yield emitted_log(_VAULT, "SharesBurned", owner, 10**18)
                yield emitted_log(_MANAGER, "RedemptionSettled", request_id, owner, owner, 10**18, 10**16, 10**18 - 10**16, 0)
            else:
                yield emitted_log(_VAULT, "SharesUnlocked", owner, 10**18)
                yield emitted_log(_MANAGER, "RedemptionCancelled", request_id, owner)


def chain_logs(count: int) -> Iterator[ChainLog]:
    """Yield the first `count` logs in order; they are always the same."""
    return islice(_generate_logs(), count)


def _generate_logs() -> Iterator[ChainLog]:
    """Fill each block with five logs, but never split a transaction."""
    number, log_index, tx_index = 1, 0, 0
    for index, transaction in enumerate(_Fund(random.Random(7)).transactions()):
        for where, topics, data in transaction:
            yield ChainLog(stamp(number), log_index, Hash32(index.to_bytes(32)), tx_index, where, topics, data)
            log_index += 1
        tx_index += 1
        if log_index >= LOGS_PER_BLOCK:
            number, log_index, tx_index = number + 1, 0, 0


def header(number: int) -> Header:
    return bare_header(number)


__all__ = ["ADDRESSES", "TRACKED", "chain_logs", "header", "ranges", "write_cursor", "write_logs"]


def ranges(count: int, *, blocks_each: int) -> Iterator[BlockRange]:
    """Yield the logs as the listener would fetch them, after block 0."""
    blocks = groupby(chain_logs(count), key=lambda log: log.block.number)
    while several := list(islice(((number, tuple(logs)) for number, logs in blocks), blocks_each)):
        yield BlockRange(tuple(header(number) for number, _ in several), tuple(log for _, logs in several for log in logs))


def write_cursor(dsn: str, number: int) -> None:
    """Insert the cursor at block `number`, under epoch 0, and the tracked contracts."""
    at = stamp(number)
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "INSERT INTO derived.cursor (id, number, hash, timestamp, epoch) VALUES (1, %s, %s, %s, 0)",
            (at.number, at.hash, at.timestamp),
        )
        for tracked in TRACKED.contracts.values():
            connection.execute(
                "INSERT INTO derived.tracked_contracts (address, contract, origin, since_block) VALUES (%s, %s, %s, %s)",
                (tracked.address, tracked.contract.value, tracked.origin.value, tracked.since_block),
            )


def write_logs(dsn: str, count: int) -> None:
    """Insert `count` logs with their blocks, and the cursor at the last one."""
    names = TRACKED.names()
    columns = "block_number, log_index, block_hash, tx_hash, tx_index, address, contract, topics, data, status"
    last = 0
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        for fetched in ranges(count, blocks_each=2_000):
            with cursor.copy(
                "COPY derived.blocks (number, hash, parent_hash, timestamp, previous_kept_number) FROM STDIN"
            ) as copy:
                for header_row in fetched.headers:
                    number = header_row.stamp.number
                    copy.write_row(
                        (number, header_row.stamp.hash, header_row.parent_hash, header_row.stamp.timestamp, number - 1)
                    )
            with cursor.copy(f"COPY derived.raw_logs ({columns}) FROM STDIN") as copy:
                for log in fetched.logs:
                    place = (log.block.number, log.log_index, log.block.hash, log.tx_hash, log.tx_index, log.address)
                    copy.write_row((*place, names[log.address].value, list(log.topics), log.data, LogStatus.UNKNOWN.value))
            last = fetched.last.number
    write_cursor(dsn, last)
