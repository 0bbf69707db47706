"""Logs encoded as the fund's contracts emit them, recorded without a chain."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from eth_abi.abi import encode
from sqlalchemy import text
from tests.support.factories.headers import bare_header
from tests.support.factories.strategies import address, stamp

from paimon.application.event_listener.fetch.block_range import BlockRange, ChainLog
from paimon.application.event_listener.fetch.decode import DecodedLog, decode_log
from paimon.application.event_listener.fetch.store import add_tracked_contracts
from paimon.application.event_listener.record.record import record
from paimon.domain.chain.tracked_contracts import ContractOrigin, TrackedContract, TrackedContracts
from paimon.domain.kernel.chain import ContractName, Hash32
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi, load_abi
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses, FundContracts
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.sessions import Database

FUND: Final = FundAddresses(address(0xFA), address(0xFB), address(0xFC))
TRACKED: Final = TrackedContracts.of(
    [
        *(TrackedContract(where, name, ContractOrigin.SETTINGS, 1) for where, name in FUND.names().items()),
        TrackedContract(address(0xA0), ContractName.TOKEN, ContractOrigin.VAULT_ASSET, 1),
    ]
)
_ADDRESS_OF: Final = {name: where for where, name in TRACKED.names().items()}
_ABIS: Final[dict[ContractName, ContractAbi]] = {name: load_abi(name.value) for name in ContractName}

Abis = Mapping[ContractName, ContractAbi]

EncodedLog = tuple[ContractName, tuple[bytes, ...], bytes]
"""The contract, the topics and the data of one log."""


def encode_log(contract: ContractName, event: str, *args: Any) -> EncodedLog:
    """Encode the log of an event with these arguments, in the ABI's order."""
    entry, *_ = [candidate for candidate in _ABIS[contract].events_by_topic.values() if candidate.name == event]
    given = list(zip(entry.inputs, args, strict=True))
    topics = (entry.topic, *(encode([argument.type], [value]) for argument, value in given if argument.indexed))
    unindexed = [(argument.type, value) for argument, value in given if not argument.indexed]
    return contract, topics, encode([kind for kind, _ in unindexed], [value for _, value in unindexed])


async def insert_cursor(database: Database) -> None:
    """Set the cursor to block 0, under epoch 1."""
    async with database.write() as session:
        values = {"hash": stamp(0).hash, "timestamp": stamp(0).timestamp}
        await session.execute(text("INSERT INTO derived.cursor VALUES (1, 0, :hash, :timestamp, 1)"), values)


async def insert_cursor_and_tracked(database: Database) -> None:
    """Set the cursor to block 0 and insert the tracked contracts, as a replay needs them."""
    await insert_cursor(database)
    async with database.write() as session:
        await add_tracked_contracts(session, TRACKED.contracts.values())


def offline_contracts() -> FundContracts:
    """Return the contracts that emit these logs; no request goes to their node."""
    return FundContracts(Rpc("http://127.0.0.1:1", timeout_seconds=1, attempts_max=1), FUND)


def abi_with_wrong_event(contract: ContractName, event: str) -> Abis:
    """Change one argument of the event to indexed in the ABI, so that none of its logs decodes."""
    entries = json.loads(files("paimon.infrastructure.blockchain.abi").joinpath(f"{contract.value}.json").read_text())
    (entry,) = (candidate for candidate in entries if candidate.get("name") == event)
    entry["inputs"][-1]["indexed"] = True
    return _ABIS | {contract: ContractAbi(entries)}


async def record_block(database: Database, number: int, *logs: EncodedLog, abis: Abis | None = None) -> list[DecodedLog]:
    """Record the block after `number - 1` with these logs, as the listener does."""
    block = stamp(number)
    seen = [
        ChainLog(block, index, Hash32(number.to_bytes(16) + index.to_bytes(16)), index, _ADDRESS_OF[contract], topics, data)
        for index, (contract, topics, data) in enumerate(logs)
    ]
    decoded = [decode_log(log, TRACKED.names(), abis or _ABIS) for log in seen]
    fetched = BlockRange((bare_header(number),), tuple(seen))
    await record(database, fetched, decoded, tracked=TRACKED, epoch=1)
    return decoded
