"""Reads of what follows from logs: the chain's transactions, the holder register, and totals of fees."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.nav.as_of import get_recorded_block
from paimon.application.nav.store import find_kept_snapshot, find_newest_snapshot
from paimon.application.vault.chain_transactions import LOGS_MAX, ChainTransactionDetail, TransactionFilter, TransactionLog
from paimon.application.vault.holders import HolderList
from paimon.domain.asset.token_transfer import TransferPurpose
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, BlockStamp, ContractName, Hash32
from paimon.domain.kernel.units import UINT256_MAX, RawAmount
from paimon.domain.vault.fees import FeeEntryType, FeeKind
from paimon.domain.vault.holder_register import RegisteredHolder
from paimon.infrastructure.database.models.derived import ChainTransactionRow, FeeEntryRow
from paimon.infrastructure.database.paging import InvalidCursor, Page, PageRequest, Position, fetch_page, latest_first
from paimon.infrastructure.database.sessions import ReadSession

_LOGS: Final = text("""
    SELECT log.tx_hash, log.log_index, log.contract, log.address, log.event, log.args, log.status, log.reason,
           transfer.purpose
      FROM unnest(CAST(:hashes AS bytea[])) AS requested (tx_hash)
     CROSS JOIN LATERAL (SELECT * FROM derived.raw_logs WHERE raw_logs.tx_hash = requested.tx_hash
                          ORDER BY block_number, log_index LIMIT :logs_max) AS log
      LEFT JOIN derived.token_transfers AS transfer
             ON transfer.block_number = log.block_number AND transfer.log_index = log.log_index
     ORDER BY log.block_number, log.log_index
""")


async def list_transactions(
    session: ReadSession, page: PageRequest, filters: TransactionFilter, *, block: int | None
) -> tuple[BlockStamp, Page[ChainTransactionDetail]]:
    """Return transactions up to a block, latest first.

    Raises:
        NothingRecorded, BlockNotRecorded.
    """
    at = await get_recorded_block(session, page.block_or(block))
    row = ChainTransactionRow
    query = select(row).where(row.block_number <= at.number, *_conditions(filters))
    order = latest_first(row.block_number, row.tx_index)
    found: Page[ChainTransactionRow] = await fetch_page(session, query, page, lambda transaction: transaction, order=order)
    logs = await _load_logs(session, (transaction.tx_hash for transaction in found.items))
    return at, found.mapped(lambda transaction: _detail(transaction, logs[transaction.tx_hash])).as_of(at.number)


def _conditions(filters: TransactionFilter) -> list[ColumnElement[bool]]:
    row = ChainTransactionRow
    conditions: list[ColumnElement[bool]] = []
    if filters.contract is not None:
        conditions.append(row.contracts.contains([filters.contract.value]))
    if filters.event is not None:
        conditions.append(row.events.contains([filters.event]))
    if filters.first_day is not None:
        conditions.append(row.at >= datetime.combine(filters.first_day, time.min, UTC))
    if filters.last_day is not None:
        conditions.append(row.at <= datetime.combine(filters.last_day, time.max, UTC))
    return conditions


def _detail(row: ChainTransactionRow, logs: list[TransactionLog]) -> ChainTransactionDetail:
    return ChainTransactionDetail(
        hash=row.tx_hash,
        block_number=row.block_number,
        index=row.tx_index,
        time=row.at,
        contracts=tuple(ContractName(contract) for contract in row.contracts),
        events=tuple(row.events),
        log_count=row.logs,
        logs=logs,
    )


async def _load_logs(session: AsyncSession, hashes: Iterable[Hash32]) -> dict[bytes, list[TransactionLog]]:
    logs: dict[bytes, list[TransactionLog]] = {tx_hash: [] for tx_hash in hashes}
    for row in await session.execute(_LOGS, {"hashes": list(logs), "logs_max": LOGS_MAX}):
        logs[bytes(row.tx_hash)].append(
            TransactionLog(
                row.log_index,
                ContractName(row.contract),
                Address(bytes(row.address)),
                row.event,
                row.args,
                None if row.purpose is None else TransferPurpose(row.purpose),
                LogStatus(row.status),
                row.reason,
            )
        )
    return logs


# The present share balances, less what was recorded after the block. Every log is recorded and folded in order, so walking
# back over the logs after a block gives the balances at it: nothing for the present, little for a recent block. The holders
# whose balance of now is not that of the block, and the vault, are computed one by one (`exceptions`); of all others the index
# of the order has the page.
_HOLDERS: Final = text("""
    WITH later AS (
        SELECT contract, event, args, request_id FROM derived.raw_logs
         WHERE block_number > :block AND status = 'APPLIED' AND contract IN ('Vault', 'RedemptionManager')
    ), moved AS (
        SELECT decode(substr(account, 3), 'hex') AS holder, sum(shares) AS shares, sum(locked_shares) AS locked_shares
          FROM (SELECT args ->> 'from' AS account, - CAST(args ->> 'value' AS numeric) AS shares, 0 AS locked_shares
                  FROM later WHERE contract = 'Vault' AND event = 'Transfer'
                UNION ALL
                SELECT args ->> 'to', CAST(args ->> 'value' AS numeric), 0
                  FROM later WHERE contract = 'Vault' AND event = 'Transfer'
                UNION ALL
                SELECT args ->> 'owner', 0,
                       CASE event WHEN 'SharesLocked' THEN 1 ELSE -1 END * CAST(args ->> 'shares' AS numeric)
                  FROM later WHERE contract = 'Vault' AND event IN ('SharesLocked', 'SharesUnlocked', 'SharesBurned')) AS steps
         GROUP BY holder
    ), vault AS (
        SELECT address FROM derived.tracked_contracts WHERE contract = 'Vault'
    ), held AS MATERIALIZED (
        SELECT now.holder, now.since, now.shares - COALESCE(moved.shares, 0) AS shares,
               now.locked_shares - COALESCE(moved.locked_shares, 0) AS locked_shares
          FROM (SELECT holder FROM moved UNION SELECT address FROM vault) AS named
          JOIN derived.share_balances AS now ON now.holder = named.holder
          LEFT JOIN moved ON moved.holder = now.holder
         WHERE now.holder <> :zero_address
    ), others AS NOT MATERIALIZED (
        SELECT holder, since, shares, locked_shares FROM derived.share_balances
         WHERE holder NOT IN (SELECT holder FROM held) AND holder <> :zero_address AND shares + locked_shares > 0
    ), sums AS (
        SELECT COALESCE(sum(shares), 0) AS shares, COALESCE(sum(locked_shares), 0) AS locked_shares
          FROM (SELECT shares, locked_shares FROM held UNION ALL SELECT shares, locked_shares FROM others) AS everyone
    ), exceptions AS (
        SELECT holder, since, locked_shares,
               CASE WHEN vault.address IS NULL THEN shares
                    ELSE GREATEST(shares - (SELECT locked_shares FROM sums), 0) END AS shares
          FROM held LEFT JOIN vault ON vault.address = held.holder
    ), totals AS (
        SELECT (SELECT shares FROM sums) + (SELECT locked_shares FROM sums)
               - COALESCE((SELECT held.shares - exceptions.shares FROM held JOIN exceptions USING (holder)
                             JOIN vault ON vault.address = holder), 0) AS supply,
               CASE WHEN :counted THEN
                   (SELECT count(*) FROM others WHERE CAST(:holder AS bytea) IS NULL OR holder = :holder)
                   + (SELECT count(*) FROM exceptions
                       WHERE (CAST(:holder AS bytea) IS NULL OR holder = :holder) AND shares + locked_shares > 0) END AS total
    ), page AS (
        SELECT holder, since, shares, locked_shares
          FROM (SELECT holder, since, shares, locked_shares FROM exceptions
                 WHERE shares + locked_shares > 0 AND (CAST(:holder AS bytea) IS NULL OR holder = :holder)
                   AND (shares + locked_shares, holder) < (CAST(:last_shares AS numeric), CAST(:last_holder AS bytea))
                UNION ALL
                (SELECT holder, since, shares, locked_shares FROM others
                  WHERE (CAST(:holder AS bytea) IS NULL OR holder = :holder)
                    AND (shares + locked_shares, holder) < (CAST(:last_shares AS numeric), CAST(:last_holder AS bytea))
                  ORDER BY shares + locked_shares DESC, holder DESC LIMIT :limit + :offset)) AS candidates
         ORDER BY shares + locked_shares DESC, holder DESC LIMIT :limit OFFSET :offset
    ), claims AS (
        SELECT owner, sum(amount) AS claim
          FROM (SELECT owner, gross_amount AS amount FROM derived.redemption_requests
                 WHERE closed_at IS NULL AND owner IN (SELECT holder FROM page)
                UNION ALL
                SELECT request.owner,
                       CASE later.event WHEN 'RedemptionRequested' THEN -1 ELSE 1 END * request.gross_amount
                  FROM later JOIN derived.redemption_requests AS request ON request.request_id = later.request_id
                 WHERE later.contract = 'RedemptionManager' AND request.owner IN (SELECT holder FROM page)
                   AND later.event IN ('RedemptionRequested', 'RedemptionSettled', 'RedemptionCancelled',
                                       'RedemptionRejected')) AS steps
         GROUP BY owner
    )
    SELECT totals.*, page.*, COALESCE(claims.claim, 0) AS claim
      FROM totals LEFT JOIN page ON TRUE LEFT JOIN claims ON claims.owner = page.holder
     ORDER BY page.shares + page.locked_shares DESC, page.holder DESC
""")

_OFFSET_MAX: Final = 2**62
"""PostgreSQL's offsets have 64 bits; a request may name a page beyond."""
_BEFORE_ALL: Final = (2 * UINT256_MAX + 1, b"")
"""The keys that are before every holder's: more shares than anyone can have."""


async def list_holders(session: ReadSession, page: PageRequest, *, block: int | None, holder: Address | None) -> HolderList:
    """Return every holder at a block exactly, or the requested one. All pages behind the first one are as of its block.

    Raises:
        NothingRecorded, BlockNotRecorded, InvalidCursor.
    """
    block = page.block_or(block)
    at = await get_recorded_block(session, block)
    last_shares, last_holder = _BEFORE_ALL if page.after is None else _keys_of(page.after)
    values: dict[str, Any] = {
        "block": at.number,
        "holder": holder,
        "zero_address": ZERO_ADDRESS,
        "counted": page.after is None,
        "last_shares": last_shares,
        "last_holder": last_holder,
        "limit": page.size + 1,
        "offset": min(page.offset, _OFFSET_MAX),
    }
    rows = (await session.execute(_HOLDERS, values)).all()
    holders = [
        RegisteredHolder(
            Address(bytes(row.holder)),
            RawAmount(int(row.shares)),
            RawAmount(int(row.locked_shares)),
            RawAmount(int(row.claim)),
            row.since.astimezone(UTC),
        )
        for row in rows
        if row.holder is not None  # a page past the end has the totals alone
    ]
    shown = holders[: page.size]
    following = Position((shown[-1].total_shares, shown[-1].holder), at.number) if len(holders) > len(shown) else None
    snapshot = await (find_newest_snapshot(session) if block is None else find_kept_snapshot(session, at.number))
    return HolderList(at, RawAmount(int(rows[0].supply)), snapshot, Page(shown, rows[0].total, page, following))


def _keys_of(position: Position) -> tuple[int, bytes]:
    match position.keys:
        case (int(shares), bytes(holder)):
            return shares, holder
    raise InvalidCursor


async def sum_fee_entries(session: ReadSession, *, until: int) -> Mapping[tuple[FeeKind, FeeEntryType], int]:
    """Return the sums of the fee entries up to a block, by kind and type of entry."""
    entry = FeeEntryRow
    sums = select(entry.kind, entry.entry_type, func.sum(entry.amount)).where(entry.block_number <= until)
    rows = await session.execute(sums.group_by(entry.kind, entry.entry_type))
    return {(kind, entry_type): int(total) for kind, entry_type, total in rows}
