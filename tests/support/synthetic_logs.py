"""Any number of recorded logs without a chain: written by COPY as a listener would have recorded them, but undecoded.

What they say is valid by construction and the same for the same `count`: holders minted to, transfers among them,
requests on every path, roles, a pause now and then, and now and then a log that means nothing or cannot be.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import psycopg
from eth_abi.abi import encode
from tests.support.strategies import EPOCH, address

from paimon.domain.chain import ZERO_ADDRESS, Address, ContractName, OnChainRole
from paimon.infrastructure.blockchain.abi import load_abi
from paimon.infrastructure.blockchain.contracts import FundAddresses

ADDRESSES: Final = FundAddresses(address(0xFA), address(0xFB), address(0xFC))
HOLDERS_MAX: Final = 2_000
LOGS_PER_BLOCK: Final = 5
_VAULT, _MANAGER = ContractName.VAULT, ContractName.REDEMPTION_MANAGER
_WHERE: Final = {name: where for where, name in ADDRESSES.names().items()}

Spoken = tuple[ContractName, tuple[bytes, ...], bytes]


def spoken(contract: ContractName, name: str, *args: Any) -> Spoken:
    """Topics and data of an event, by its ABI."""
    event = next(each for each in load_abi(contract.value).events_by_topic.values() if each.name == name)
    pairs = list(zip(event.inputs, args, strict=True))
    topics = tuple(encode([kind.type], [value]) for kind, value in pairs if kind.indexed)
    plain = [(kind.type, value) for kind, value in pairs if not kind.indexed]
    return contract, (event.topic, *topics), encode([kind for kind, _ in plain], [value for _, value in plain])


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


def write_logs(dsn: str, count: int) -> None:
    """`count` logs with their blocks and the cursor at the last of them."""
    story = _Fund(random.Random(7)).story()
    blocks = -(-count // LOGS_PER_BLOCK)
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        with cursor.copy("COPY derived.blocks (number, hash, parent_hash, timestamp) FROM STDIN") as copy:
            for number in range(1, blocks + 1):
                copy.write_row((number, _hash(number), _hash(number - 1), EPOCH + timedelta(seconds=number)))
        columns = "block_number, log_index, block_hash, tx_hash, tx_index, address, contract, topics, data, status"
        with cursor.copy(f"COPY derived.raw_logs ({columns}) FROM STDIN") as copy:
            for index in range(count):
                number = 1 + index // LOGS_PER_BLOCK
                contract, topics, data = next(story)
                place = (number, index % LOGS_PER_BLOCK, _hash(number), _hash(index), 0)
                copy.write_row((*place, _WHERE[contract], contract.value, list(topics), data, "unknown"))
        last = (blocks, _hash(blocks), EPOCH + timedelta(seconds=blocks))
        cursor.execute("INSERT INTO derived.cursor (id, number, hash, timestamp, epoch) VALUES (1, %s, %s, %s, 0)", last)


def _hash(number: int) -> bytes:
    return number.to_bytes(32, "big")
