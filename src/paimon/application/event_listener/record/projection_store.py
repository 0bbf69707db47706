"""SQL of the projections: the derived tables of the fund's state and facts.

The session decides the schema of the tables, so that a replay can write them elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from sqlalchemy import delete, select, tuple_

from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.application.event_listener.record.projection_rows import (
    FACT_TABLES,
    StateTable,
    fact_columns,
    fact_values,
    from_row,
    to_row,
)
from paimon.domain.asset.asset import Asset
from paimon.domain.asset.otc_order import OtcOrder
from paimon.domain.asset.token_transfer import TokenFlow
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.projection import Projection, ProtocolAddress, ProtocolAddressKey, RequiredRows
from paimon.domain.vault.fees import FeeAccount
from paimon.domain.vault.share_balance import ShareBalance
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
    ShareBalanceRow,
    TokenFlowRow,
)
from paimon.infrastructure.database.rows.redemption import to_domain, to_values
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.database.upsert import upsert


async def load_projection(session: WriteSession, needed: RequiredRows) -> Projection:
    """Load the rows that the batch touches, and no others."""
    projection = Projection()
    if needed.requests:
        requests = select(RedemptionRequestRow).where(in_values(table_of(RedemptionRequestRow).c.request_id, needed.requests))
        projection.redemptions = {row.request_id: to_domain(row) for row in await session.scalars(requests)}
    if needed.holders:
        share_balances = select(
            ShareBalanceRow.holder, ShareBalanceRow.shares, ShareBalanceRow.locked_shares, ShareBalanceRow.since
        ).where(in_values(table_of(ShareBalanceRow).c.holder, needed.holders))
        for holder, shares, locked_shares, since in await session.execute(share_balances):
            projection.share_balances[holder] = ShareBalance(
                Address(holder), RawAmount(shares), RawAmount(locked_shares), since
            )
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


async def save_shares_and_control(session: WriteSession, projection: Projection) -> None:
    await upsert(
        session,
        RedemptionRequestRow,
        [to_values(projection.redemptions[key], updated_block=block) for key, block in projection.updated_blocks.items()],
    )
    await upsert(session, ShareBalanceRow, [to_row(projection.share_balances[holder]) for holder in projection.changed_holders])
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


async def save_protocol_addresses(session: WriteSession, changed: Mapping[ProtocolAddressKey, ProtocolAddress]) -> None:
    await upsert(
        session,
        ProtocolAddressRow,
        [
            {"contract": contract, "role": role, "address": appointment.address, "since_block": appointment.since_block}
            for (contract, role), appointment in changed.items()
        ],
    )


async def add_facts(session: WriteSession, projection: Projection) -> None:
    for table in FACT_TABLES:
        if facts := [*table.values_of(projection.facts)]:
            await copy_rows(session, table.model, fact_columns(facts[0]), [fact_values(fact) for fact in facts])


async def save_states(session: WriteSession, table: StateTable, values: Iterable[object]) -> None:
    await upsert(session, table.model, [to_row(value) for value in values])


_TRANSACTION_COLUMNS: Final = ("block_number", "tx_index", "tx_hash", "at", "logs", "contracts", "events")


def _transaction_values(transaction_logs: Sequence[DecodedLog]) -> tuple[object, ...]:
    first = transaction_logs[0].log
    contracts = cached_array_literal(*dict.fromkeys([decoded.contract for decoded in transaction_logs]))
    events = cached_array_literal(*dict.fromkeys([decoded.name for decoded in transaction_logs if decoded.name is not None]))
    return first.block.number, first.tx_index, first.tx_hash, first.block.timestamp, len(transaction_logs), contracts, events


def copying_transactions(
    session: WriteSession, transactions: Sequence[Sequence[DecodedLog]]
) -> AbstractAsyncContextManager[None]:
    """Copy the chain's transactions to the server while the block runs; every row is there when it ends."""
    rows = [_transaction_values(transaction_logs) for transaction_logs in transactions]
    return copying_rows(session, ChainTransactionRow, _TRANSACTION_COLUMNS, rows)
