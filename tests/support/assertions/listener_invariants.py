"""Check that the recorded state equals the chain, with each event once, when a listener has caught up.

- The rows of blocks and logs equal the chain's: the logs are fetched without any filter and selected here, by an independent
  copy of the rule.
- The derived tables equal a clean replay of those logs, and the contracts' state (a reconciliation).
- The batches cover the chain without gaps or overlaps, and each queued its outbox messages once.
"""

from collections import Counter
from typing import Any, Final

import orjson
from eth_utils.crypto import keccak
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from paimon.application.common.topics import CONTRACTS, RECONCILE
from paimon.application.event_listener.fetch.block_range import ChainLog
from paimon.application.event_listener.fetch.decode import decode_log
from paimon.application.event_listener.fetch.store import load_tracked_contracts
from paimon.application.event_listener.record.outbox_messages import due_messages
from paimon.application.reconciliation.reconcile import reconcile
from paimon.application.replay.replay import check_replay
from paimon.composition import AppContext
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32
from paimon.infrastructure.blockchain.finality import block_stamp
from paimon.infrastructure.database.models.derived import BlockRow, CursorRow, RawLogRow
from paimon.infrastructure.database.models.ops.event_listener import EventProcessingLogRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow

_TRANSFER: Final = keccak(text="Transfer(address,address,uint256)")
_ASSET_ADDED: Final = keccak(text="AssetAdded(address,uint8,uint256)")
_OTC_MANAGER_UPDATED: Final = keccak(text="OTCManagerUpdated(address,address)")


async def assert_records_match_chain(app_context: AppContext, owner: AsyncEngine, *, usdt: Address) -> Counter[str]:
    """Check all of the above. Return how often each event was recorded.

    `app_context` reads from a node without faults; `owner` owns the tables, as a replay needs it.
    """
    async with app_context.database.read() as session:
        cursor = (await session.scalars(select(CursorRow))).one()
        first = app_context.settings.fund.start_block
        headers = await _headers(app_context, first, cursor.number)
        logs = await _logs(app_context, headers, usdt=usdt)
        blocks = [(row.number, bytes(row.hash)) for row in await session.scalars(select(BlockRow).order_by(BlockRow.number))]
        recorded = [_row_columns(row) for row in await session.scalars(select(RawLogRow))]
        tracked = await load_tracked_contracts(session)
        batches = list(await session.scalars(select(EventProcessingLogRow).order_by(EventProcessingLogRow.first_block)))
        # Every catch-up queues both of these; no log did, since none is quarantined (see below) or about an upgrade.
        messages = select(OutboxMessageRow).where(OutboxMessageRow.kind.not_in([RECONCILE, CONTRACTS]))
        written_messages = Counter([_message(row) for row in await session.scalars(messages)])
        quarantined = (await session.execute(text("SELECT count(*) FROM derived.raw_logs WHERE reason IS NOT NULL"))).scalar()
    known = {header.number: header.hash for header in headers}
    assert all(known[number] == hash_ for number, hash_ in blocks), "blocks"
    assert sorted(recorded) == sorted(_log_columns(log) for log in logs), _describe_differences(recorded, logs)
    assert quarantined == 0
    decoded = [decode_log(log, tracked.names(), app_context.contracts.abis) for log in logs]
    due: Counter[str] = Counter()
    last_block = first - 1
    for batch in batches:
        assert batch.first_block == last_block + 1, (
            f"a batch begins at {batch.first_block}, the one before ended at {last_block}"
        )
        last_block = batch.last_block
        within = [entry for entry in decoded if batch.first_block <= entry.log.block.number <= batch.last_block]
        assert batch.logs == len(within)
        due += Counter(
            _serialize(message.kind, message.aggregate_id, message.priority.value, message.payload)
            for message in due_messages(within)
        )
    assert last_block == cursor.number
    assert written_messages == due, f"surplus messages {written_messages - due}, missing messages {due - written_messages}"
    replayed = await check_replay(owner, app_context.contracts)
    assert replayed.comparison.rows_differing == 0, replayed.comparison.examples
    compared = await reconcile(app_context.database, app_context.contracts)
    assert compared.discrepancies == (), compared.discrepancies
    return Counter(entry.name or "unknown" for entry in decoded)


async def _headers(app_context: AppContext, first: int, last: int) -> list[BlockStamp]:
    numbers = range(first, last + 1)
    return [
        block_stamp(header)
        for header in await app_context.rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
    ]


async def _logs(app_context: AppContext, headers: list[BlockStamp], *, usdt: Address) -> list[ChainLog]:
    """Fetch all logs that should be recorded.

    These are the logs of the fund's contracts and of its OTC managers, and its tokens' Transfers from and to the vault.
    Managers and tokens count from the start of the block that names them.
    """
    stamps = {header.hash: header for header in headers}
    query = {"fromBlock": hex(headers[0].number), "toBlock": hex(headers[-1].number)}
    found = [_log(raw, stamps) for raw in await app_context.rpc.call("eth_getLogs", [query])]
    addresses = app_context.contracts.addresses
    others = dict.fromkeys(addresses.names(), 0)
    tokens = {usdt: 0}
    for log in found:
        if log.address == addresses.asset_controller and log.topics[0] == _ASSET_ADDED:
            tokens.setdefault(Address(log.topics[1][12:]), log.block.number)
        if log.address == addresses.asset_controller and log.topics[0] == _OTC_MANAGER_UPDATED:
            others.setdefault(Address(log.topics[2][12:]), log.block.number)
    vault = bytes(12) + addresses.vault

    def belongs(log: ChainLog) -> bool:
        if log.address in others:
            return log.block.number >= others[log.address]
        of_ours = log.address in tokens and log.block.number >= tokens[log.address]
        return of_ours and log.topics[0] == _TRANSFER and vault in log.topics[1:3]

    return [log for log in found if belongs(log)]


def _bytes(value: str) -> bytes:
    return bytes.fromhex(value[2:])


def _log(raw: dict[str, Any], stamps: dict[Hash32, BlockStamp]) -> ChainLog:
    return ChainLog(
        block=stamps[Hash32(_bytes(raw["blockHash"]))],
        log_index=int(raw["logIndex"], 16),
        tx_hash=Hash32(_bytes(raw["transactionHash"])),
        tx_index=int(raw["transactionIndex"], 16),
        address=Address(_bytes(raw["address"])),
        topics=tuple(_bytes(topic) for topic in raw["topics"]),
        data=_bytes(raw["data"]),
    )


_Row = tuple[int, int, bytes, bytes, int, bytes, list[bytes], bytes]


def _log_columns(log: ChainLog) -> _Row:
    block = log.block
    return (block.number, log.log_index, block.hash, log.tx_hash, log.tx_index, log.address, list(log.topics), log.data)


def _row_columns(row: RawLogRow) -> _Row:
    topics = [bytes(topic) for topic in row.topics]
    position = (row.block_number, row.log_index, bytes(row.block_hash), bytes(row.tx_hash), row.tx_index, bytes(row.address))
    return (*position, topics, bytes(row.data))


def _describe_differences(recorded: list[_Row], logs: list[ChainLog]) -> str:
    in_rows, on_chain = {row[:2] for row in recorded}, {_log_columns(log)[:2] for log in logs}
    return f"logs not recorded: {sorted(on_chain - in_rows)}, recorded and not on the chain: {sorted(in_rows - on_chain)}"


def _message(row: OutboxMessageRow) -> str:
    return _serialize(row.kind, row.aggregate_id, row.priority.value, row.payload)


def _serialize(*parts: Any) -> str:
    return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS).decode()
