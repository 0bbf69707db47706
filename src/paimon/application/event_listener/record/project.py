"""From decoded logs to the derived tables: load what the batch touches, fold its transactions, write what changed."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from sqlalchemy import delete, select, tuple_

from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.application.event_listener.record.projection_rows import (
    FACT_TABLES,
    STATE_TABLES,
    fact_columns,
    fact_values,
    from_row,
    to_row,
)
from paimon.domain.asset.asset import Asset
from paimon.domain.asset.otc_order import OtcOrder
from paimon.domain.asset.token_transfer import TokenFlow
from paimon.domain.events import ChainTransaction, LoggedEvent
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.treasury import Treasury
from paimon.domain.kernel.units import RawAmount
from paimon.domain.projection import Projection, ProtocolAddress, ProtocolAddressKey, RequiredRows, required_rows
from paimon.domain.vault.fees import FeeAccount
from paimon.domain.vault.share_balance import Holding
from paimon.infrastructure.database.arrays import cached_array_literal, in_values
from paimon.infrastructure.database.bulk_copy import copy_rows, copying_rows
from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.derived import (
    AssetConfigRow,
    ChainTransactionRow,
    ContractFlagRow,
    FeeAccountRow,
    OtcOrderRow,
    ProtocolAddressRow,
    RedemptionRequestRow,
    RoleHolderRow,
    TokenFlowRow,
)
from paimon.infrastructure.database.models.derived import ShareBalanceRow as ShareBalanceRow
from paimon.infrastructure.database.rows.redemption import to_domain, to_values
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.database.upsert import upsert


async def project(session: WriteSession, logs: Sequence[DecodedLog], treasury: Treasury) -> None:
    """Fold the batch's transactions into the derived tables; a log that cannot be applied is quarantined with its reason.

    The batch holds whole transactions, one at least. Absolute values are written, not increments: the caller's
    compare-and-set on the cursor makes it the only writer. The tables' schema is the session's business, so that a replay
    can have them written elsewhere.
    """
    projection = await _load(session, required_rows(log.event for log in logs if log.event))
    before = [dict(table.values_of(projection)) for table in STATE_TABLES]
    services_before = dict(projection.protocol_addresses)
    transactions = _by_transaction(logs)
    rows = [_transaction_values(each) for each in transactions]
    async with copying_rows(session, ChainTransactionRow, _TRANSACTION, rows):
        for transaction_logs in transactions:
            if inapplicable := projection.fold(_chain_transaction(transaction_logs), treasury):
                for log in transaction_logs:
                    if (reason := inapplicable.get(log.log.log_index)) is not None:
                        log.quarantine(reason)
    await _save_shares_and_control(session, projection)
    await _save_protocol_addresses(
        session,
        {
            key: appointment
            for key, appointment in projection.protocol_addresses.items()
            if services_before.get(key) != appointment
        },
    )
    for table, loaded in zip(STATE_TABLES, before, strict=True):
        changed = [value for key, value in table.values_of(projection).items() if loaded.get(key) != value]
        await upsert(session, table.model, [to_row(value) for value in changed])
    await _add_facts(session, projection)


def _by_transaction(logs: Sequence[DecodedLog]) -> list[list[DecodedLog]]:
    """The batch's transactions, each as its logs."""
    return [
        list(transaction_logs)
        for _, transaction_logs in groupby(logs, key=lambda each: (each.log.block.number, each.log.tx_hash))
    ]


def _chain_transaction(transaction_logs: Sequence[DecodedLog]) -> ChainTransaction:
    first = transaction_logs[0].log
    events = tuple([LoggedEvent(each.event, each.contract, each.log.log_index) for each in transaction_logs if each.event])
    return ChainTransaction(first.block, first.tx_hash, events, frozenset([each.contract for each in transaction_logs]))


async def _load(session: WriteSession, needed: RequiredRows) -> Projection:
    """Nothing is asked for what the batch does not touch."""
    projection = Projection()
    if needed.requests:
        requests = select(RedemptionRequestRow).where(in_values(table_of(RedemptionRequestRow).c.request_id, needed.requests))
        projection.redemptions = {row.request_id: to_domain(row) for row in await session.scalars(requests)}
    if needed.holders:
        holdings = select(
            ShareBalanceRow.holder, ShareBalanceRow.shares, ShareBalanceRow.locked_shares, ShareBalanceRow.since
        ).where(in_values(table_of(ShareBalanceRow).c.holder, needed.holders))
        for holder, shares, locked_shares, since in await session.execute(holdings):
            projection.holdings[holder] = Holding(Address(holder), RawAmount(shares), RawAmount(locked_shares), since)
    if needed.assets:
        assets = select(AssetConfigRow).where(AssetConfigRow.token.in_(needed.assets))
        projection.assets = {Address(row.token): from_row(Asset, row) for row in await session.scalars(assets)}
    if needed.orders:
        orders = select(OtcOrderRow).where(tuple_(OtcOrderRow.manager, OtcOrderRow.order_id).in_(needed.orders))
        found = [from_row(OtcOrder, row) for row in await session.scalars(orders)]
        projection.orders = {(order.manager, order.order_id): order for order in found}
    if needed.tokens:
        token_flows = select(TokenFlowRow).where(TokenFlowRow.token.in_(needed.tokens))
        projection.token_flows = {Address(row.token): from_row(TokenFlow, row) for row in await session.scalars(token_flows)}
    if needed.fees:
        accounts = await session.scalars(select(FeeAccountRow))
        projection.fees = {row.kind: from_row(FeeAccount, row) for row in accounts}
        for appointment in await session.scalars(select(ProtocolAddressRow)):
            projection.protocol_addresses[appointment.contract, appointment.role] = ProtocolAddress(
                Address(appointment.address), appointment.since_block
            )
    return projection


async def _save_shares_and_control(session: WriteSession, projection: Projection) -> None:
    await upsert(
        session,
        RedemptionRequestRow,
        [to_values(projection.redemptions[key], updated_block=block) for key, block in projection.updated_blocks.items()],
    )
    await upsert(session, ShareBalanceRow, [to_row(projection.holdings[holder]) for holder in projection.changed_holders])
    await upsert(
        session,
        RoleHolderRow,
        [
            {"contract": contract, "role": role, "account": account}
            for (contract, role, account), held in projection.roles.items()
            if held
        ],
    )
    if revoked := [key for key, held in projection.roles.items() if not held]:
        await session.execute(
            delete(RoleHolderRow).where(tuple_(RoleHolderRow.contract, RoleHolderRow.role, RoleHolderRow.account).in_(revoked))
        )
    await upsert(
        session,
        ContractFlagRow,
        [
            {"contract": contract, "flag": flag.value, "enabled": state.enabled, "since_block": state.since_block}
            for (contract, flag), state in projection.flags.items()
        ],
    )


async def _save_protocol_addresses(session: WriteSession, changed: Mapping[ProtocolAddressKey, ProtocolAddress]) -> None:
    await upsert(
        session,
        ProtocolAddressRow,
        [
            {"contract": contract, "role": role, "address": appointment.address, "since_block": appointment.since_block}
            for (contract, role), appointment in changed.items()
        ],
    )


async def _add_facts(session: WriteSession, projection: Projection) -> None:
    for table in FACT_TABLES:
        if facts := [*table.values_of(projection.facts)]:
            await copy_rows(session, table.model, fact_columns(facts[0]), [fact_values(each) for each in facts])


_TRANSACTION: Final = ("block_number", "tx_index", "tx_hash", "at", "logs", "contracts", "events")


def _transaction_values(transaction_logs: Sequence[DecodedLog]) -> tuple[object, ...]:
    first = transaction_logs[0].log
    contracts = cached_array_literal(*dict.fromkeys([each.contract for each in transaction_logs]))
    events = cached_array_literal(*dict.fromkeys([each.name for each in transaction_logs if each.name is not None]))
    return first.block.number, first.tx_index, first.tx_hash, first.block.timestamp, len(transaction_logs), contracts, events
