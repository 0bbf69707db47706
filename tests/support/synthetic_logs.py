"""Any number of recorded logs without a chain: written by COPY as a listener would have recorded them, but undecoded.

What they say is valid by construction and the same for the same `count`: holders minted to, transfers among them,
requests on every path, roles, a pause now and then, and now and then a log that means nothing or cannot be.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby, islice
from typing import Final

import psycopg
from tests.support.strategies import address, stamp

from paimon.application.event_listener.fetch import ChainLog, Header, Range
from paimon.domain.chain import ZERO_ADDRESS, Address, ContractName, Hash32, OnChainRole
from paimon.infrastructure.blockchain.abi import Entry, load_abi
from paimon.infrastructure.blockchain.contracts import FundAddresses

ADDRESSES: Final = FundAddresses(address(0xFA), address(0xFB), address(0xFC))
HOLDERS_MAX: Final = 2_000
LOGS_PER_BLOCK: Final = 5
_VAULT, _MANAGER = ContractName.VAULT, ContractName.REDEMPTION_MANAGER
_WHERE: Final = {name: where for where, name in ADDRESSES.names().items()}

Spoken = tuple[ContractName, tuple[bytes, ...], bytes]


@cache
def _event(contract: ContractName, name: str) -> Entry:
    return next(each for each in load_abi(contract.value).events_by_topic.values() if each.name == name)


def spoken(contract: ContractName, name: str, *args: int | bytes) -> Spoken:
    """Topics and data of an event all of whose arguments are a word each."""
    event = _event(contract, name)
    words = [(each.indexed, _word(value)) for each, value in zip(event.inputs, args, strict=True)]
    topics = (event.topic, *(word for indexed, word in words if indexed))
    return contract, topics, b"".join(word for indexed, word in words if not indexed)


def _word(value: int | bytes) -> bytes:
    return value.rjust(32, b"\0") if isinstance(value, bytes) else value.to_bytes(32)


@dataclass(slots=True)
class _Fund:
    rng: random.Random
    holders: list[Address] = field(default_factory=list)
    requests: int = 0
    open: list[tuple[int, Address]] = field(default_factory=list)

    def story(self) -> Iterator[Spoken]:
        while True:
            chance = self.rng.random()
            if len(self.holders) < 2 or (chance < 0.2 and len(self.holders) < HOLDERS_MAX):
                self.holders.append(address(1_000 + len(self.holders)))
                yield spoken(_VAULT, "Transfer", ZERO_ADDRESS, self.holders[-1], 10**30)
            elif chance < 0.7:
                yield spoken(_VAULT, "Transfer", *self.rng.sample(self.holders, 2), self.rng.randrange(10**20))
            elif chance < 0.96:
                yield from self._redemption()
            elif chance < 0.98:
                role = OnChainRole.VIP_APPROVER_ROLE.id
                name = self.rng.choice(["RoleGranted", "RoleRevoked"])
                yield spoken(_MANAGER, name, role, self.rng.choice(self.holders), ADDRESSES.vault)
            elif chance < 0.985:
                yield spoken(_VAULT, self.rng.choice(["Paused", "Unpaused"]), self.holders[0])
            elif chance < 0.99:
                yield _VAULT, (b"\x99" * 32,), b"of no ABI"
            elif chance < 0.995:
                yield _VAULT, spoken(_VAULT, "Transfer", ZERO_ADDRESS, self.holders[0], 1)[1], b"too short"
            else:
                yield spoken(_MANAGER, "RedemptionCancelled", 10**9, self.holders[0])

    def _redemption(self) -> Iterator[Spoken]:
        if not self.open or self.rng.random() < 0.4:
            owner, awaits = self.rng.choice(self.holders), self.rng.random() < 0.5
            self.requests += 1
            self.open.append((self.requests, owner))
            yield spoken(_VAULT, "SharesLocked", owner, 10**18)
            terms = (10**18, 10**18, 10**16, 0, awaits, 0 if awaits else 1_800_000_000, 0)
            yield spoken(_MANAGER, "RedemptionRequested", self.requests, owner, owner, *terms)
            if awaits:
                yield spoken(_MANAGER, "RedemptionApproved", self.requests, ADDRESSES.vault, 1_800_000_000)
        else:
            request_id, owner = self.open.pop(self.rng.randrange(len(self.open)))
            if self.rng.random() < 0.8:
                yield spoken(_VAULT, "SharesBurned", owner, 10**18)
                yield spoken(_MANAGER, "RedemptionSettled", request_id, owner, owner, 10**18, 10**16, 10**18 - 10**16, 0)
            else:
                yield spoken(_VAULT, "SharesUnlocked", owner, 10**18)
                yield spoken(_MANAGER, "RedemptionCancelled", request_id, owner)


def chain_logs(count: int) -> Iterator[ChainLog]:
    """The first `count` logs, in order; always the same."""
    story = _Fund(random.Random(7)).story()
    for index in range(count):
        number, log_index = 1 + index // LOGS_PER_BLOCK, index % LOGS_PER_BLOCK
        contract, topics, data = next(story)
        tx_hash = Hash32(index.to_bytes(32))
        yield ChainLog(stamp(number), log_index, tx_hash, 0, _WHERE[contract], topics, data)


def header(number: int) -> Header:
    return Header(stamp(number), stamp(number - 1).hash)


def ranges(count: int, *, blocks_each: int) -> Iterator[Range]:
    """The same logs as a listener would fetch them, after block 0."""
    blocks = groupby(chain_logs(count), key=lambda log: log.block.number)
    while several := list(islice(((number, tuple(logs)) for number, logs in blocks), blocks_each)):
        yield Range(tuple(header(number) for number, _ in several), tuple(log for _, logs in several for log in logs))


def write_cursor(dsn: str, number: int) -> None:
    """The books at block `number`, under epoch 0."""
    at = stamp(number)
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "INSERT INTO derived.cursor (id, number, hash, timestamp, epoch) VALUES (1, %s, %s, %s, 0)",
            (at.number, at.hash, at.timestamp),
        )


def write_logs(dsn: str, count: int) -> None:
    """`count` logs with their blocks, and the cursor at the last of them."""
    names = ADDRESSES.names()
    blocks = -(-count // LOGS_PER_BLOCK)
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        with cursor.copy("COPY derived.blocks (number, hash, parent_hash, timestamp) FROM STDIN") as copy:
            for each in map(header, range(1, blocks + 1)):
                copy.write_row((each.stamp.number, each.stamp.hash, each.parent_hash, each.stamp.timestamp))
        columns = "block_number, log_index, block_hash, tx_hash, tx_index, address, contract, topics, data, status"
        with cursor.copy(f"COPY derived.raw_logs ({columns}) FROM STDIN") as copy:
            for log in chain_logs(count):
                place = (log.block.number, log.log_index, log.block.hash, log.tx_hash, log.tx_index, log.address)
                copy.write_row((*place, names[log.address].value, list(log.topics), log.data, "unknown"))
    write_cursor(dsn, blocks)
