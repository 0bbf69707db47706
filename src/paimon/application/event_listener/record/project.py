"""Project decoded logs into the derived tables: load what the batch touches, fold its transactions, write what changed."""

from collections.abc import Sequence
from itertools import groupby

from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.application.event_listener.record.projection_rows import STATE_TABLES
from paimon.application.event_listener.record.projection_store import (
    add_facts,
    copying_transactions,
    load_projection,
    save_protocol_addresses,
    save_shares_and_control,
    save_states,
)
from paimon.domain.events import ChainTransaction, LoggedEvent
from paimon.domain.kernel.treasury import Treasury
from paimon.domain.projection import required_rows
from paimon.infrastructure.database.sessions import WriteSession


async def project(session: WriteSession, logs: Sequence[DecodedLog], treasury: Treasury) -> None:
    """Fold the batch's transactions into the derived tables. Quarantine each log that cannot be applied, with the reason.

    The batch holds whole transactions, one at least. Absolute values are written, not increments: the caller's
    compare-and-set on the cursor makes it the only writer.
    """
    projection = await load_projection(session, required_rows(decoded.event for decoded in logs if decoded.event))
    states_before = [dict(table.values_of(projection)) for table in STATE_TABLES]
    addresses_before = dict(projection.protocol_addresses)
    transactions = _by_transaction(logs)
    async with copying_transactions(session, transactions):
        for transaction_logs in transactions:
            if inapplicable := projection.fold(_chain_transaction(transaction_logs), treasury):
                for decoded in transaction_logs:
                    if (reason := inapplicable.get(decoded.log.log_index)) is not None:
                        decoded.quarantine(reason)
    await save_shares_and_control(session, projection)
    await save_protocol_addresses(
        session,
        {key: address for key, address in projection.protocol_addresses.items() if addresses_before.get(key) != address},
    )
    for table, before in zip(STATE_TABLES, states_before, strict=True):
        await save_states(
            session, table, [value for key, value in table.values_of(projection).items() if before.get(key) != value]
        )
    await add_facts(session, projection)


def _by_transaction(logs: Sequence[DecodedLog]) -> list[list[DecodedLog]]:
    return [
        list(transaction_logs)
        for _, transaction_logs in groupby(logs, key=lambda decoded: (decoded.log.block.number, decoded.log.tx_hash))
    ]


def _chain_transaction(transaction_logs: Sequence[DecodedLog]) -> ChainTransaction:
    first = transaction_logs[0].log
    events = tuple(
        [LoggedEvent(decoded.event, decoded.contract, decoded.log.log_index) for decoded in transaction_logs if decoded.event]
    )
    return ChainTransaction(first.block, first.tx_hash, events, frozenset([decoded.contract for decoded in transaction_logs]))
