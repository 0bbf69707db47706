"""Quarantine: a log that is unknown or cannot be applied is recorded with its reason; every other log is applied."""

import pytest
from sqlalchemy import select
from tests.support.factories.encoded_logs import EncodedLog, encode_log, insert_cursor, record_block
from tests.support.factories.strategies import address

from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, ContractName
from paimon.domain.redemption.request import RedemptionStatus
from paimon.infrastructure.database.models.derived import CursorRow, RawLogRow, RedemptionRequestRow, ShareBalanceRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration

VAULT, MANAGER = ContractName.VAULT, ContractName.REDEMPTION_MANAGER
INES, IVAN = address(1), address(2)


def transfer(sender: Address, receiver: Address, value: int) -> EncodedLog:
    return encode_log(VAULT, "Transfer", sender, receiver, value)


def mint(holder: Address, shares: int) -> EncodedLog:
    return transfer(ZERO_ADDRESS, holder, shares)


def request(request_id: int, *, channel: int = 0, approval: bool = False, settles_at: int = 9_000) -> EncodedLog:
    return encode_log(
        MANAGER, "RedemptionRequested", request_id, INES, INES, 10, 10, 0, channel, approval, 0 if approval else settles_at, 0
    )


async def statuses(database: Database) -> list[tuple[str | None, LogStatus, str | None]]:
    async with database.read() as session:
        rows = await session.scalars(select(RawLogRow).order_by(RawLogRow.block_number, RawLogRow.log_index))
        return [(row.event, row.status, row.reason) for row in rows]


async def shares(database: Database) -> dict[Address, int]:
    async with database.read() as session:
        return {Address(row.holder): row.shares for row in await session.scalars(select(ShareBalanceRow))}


async def due(database: Database) -> list[tuple[str, str, list[str]]]:
    async with database.read() as session:
        rows = await session.scalars(select(OutboxMessageRow).order_by(OutboxMessageRow.id))
        return [(row.kind, row.aggregate_id, row.payload.get("events", [])) for row in rows]


APPLIED, UNKNOWN, QUARANTINED = LogStatus.APPLIED, LogStatus.UNKNOWN, LogStatus.QUARANTINED


async def test_inapplicable_log_is_quarantined_with_its_reason_and_others_applied(database: Database) -> None:
    await insert_cursor(database)
    await record_block(database, 1, mint(INES, 100), transfer(IVAN, INES, 7), transfer(INES, IVAN, 30))
    recorded = await statuses(database)
    assert [status for _, status, _ in recorded] == [APPLIED, QUARANTINED, APPLIED]
    assert recorded[1][2] is not None
    assert "7 shares leave 0x0000000000000000000000000000000000000002, which is recorded with 0" in recorded[1][2]
    assert await shares(database) == {INES: 70, IVAN: 30}


async def test_undecodable_log_is_quarantined_with_its_reason_and_others_applied(database: Database) -> None:
    _, topics, data = mint(INES, 1)
    await insert_cursor(database)
    await record_block(
        database,
        1,
        (VAULT, topics[:2], data),
        (VAULT, topics, data),
        (VAULT, topics, b""),
        (VAULT, (topics[0], b"\xff" * 32, topics[2]), data),
        mint(IVAN, 5),
    )
    recorded = await statuses(database)
    assert [status for _, status, _ in recorded] == [QUARANTINED, APPLIED, QUARANTINED, QUARANTINED, APPLIED]
    assert recorded[0][2] == "Transfer has 2 indexed arguments, the log 1"
    assert all(reason and "Transfer does not decode" in reason for _, _, reason in (recorded[2], recorded[3]))
    assert await shares(database) == {INES: 1, IVAN: 5}


async def test_unknown_event_is_recorded_and_queues_nothing(database: Database) -> None:
    await insert_cursor(database)
    await record_block(database, 1, (MANAGER, (b"\xab" * 32, b"\x01" * 32), b"\x05" * 32), (VAULT, (), b"anonymous"))
    assert await statuses(database) == [(None, UNKNOWN, None), (None, UNKNOWN, None)]
    assert await due(database) == []
    async with database.read() as session:
        first, second = await session.scalars(select(RawLogRow).order_by(RawLogRow.log_index))
    assert (first.topics, first.data) == ([b"\xab" * 32, b"\x01" * 32], b"\x05" * 32)
    assert (second.topics, second.data) == ([], b"anonymous")


async def test_dependent_log_is_quarantined_too_and_later_blocks_are_recorded(database: Database) -> None:
    settled = encode_log(MANAGER, "RedemptionSettled", 1, INES, INES, 10, 0, 10, 0)
    await insert_cursor(database)
    await record_block(database, 1, mint(INES, 100), request(1, channel=3))
    await record_block(database, 2, settled, request(2))
    recorded = await statuses(database)
    assert [status for _, status, _ in recorded] == [APPLIED, QUARANTINED, QUARANTINED, APPLIED]
    assert recorded[1][2] == "channel 3 is none of 0 STANDARD, 1 EMERGENCY, 2 SCHEDULED"
    assert recorded[2][2] == "RedemptionSettled for request 1, which was never recorded"
    async with database.read() as session:
        assert [row.request_id for row in await session.scalars(select(RedemptionRequestRow))] == [2]
        assert await session.scalar(select(CursorRow.number)) == 2


async def test_quarantined_log_queues_only_a_reconciliation(database: Database) -> None:
    await insert_cursor(database)
    await record_block(database, 1, request(1, settles_at=2**255), request(2), request(2))
    assert [status for _, status, _ in await statuses(database)] == [QUARANTINED, APPLIED, QUARANTINED]
    assert await due(database) == [
        ("fund", "fund", ["RedemptionRequested"]),
        ("redemption", "2", ["RedemptionRequested"]),
        ("reconcile", "fund", []),
    ]


async def test_text_with_a_nul_byte_is_recorded(database: Database) -> None:
    """Solidity's strings are bytes: a reason may contain a NUL, which PostgreSQL's text cannot."""
    rejected = encode_log(MANAGER, "RedemptionRejected", 1, IVAN, "no\x00thanks")
    await insert_cursor(database)
    await record_block(database, 1, request(1, approval=True))
    await record_block(database, 2, rejected)
    async with database.read() as session:
        row = await session.get_one(RedemptionRequestRow, 1)
        log = (await session.scalars(select(RawLogRow).where(RawLogRow.event == "RedemptionRejected"))).one()
    assert (row.status, row.rejection_reason) == (RedemptionStatus.REJECTED, "no�thanks")
    assert log.args is not None
    assert log.args["reason"] == "no�thanks"
    assert b"no\x00thanks" in log.data


async def test_text_with_invalid_utf8_is_quarantined(database: Database) -> None:
    contract, topics, data = encode_log(MANAGER, "RedemptionRejected", 1, IVAN, "no way!")
    await insert_cursor(database)
    await record_block(database, 1, request(1, approval=True))
    await record_block(database, 2, (contract, topics, data.replace(b"no", b"\xff\xfe")))
    (_, status, reason) = (await statuses(database))[-1]
    assert status is QUARANTINED
    assert reason is not None
    assert "RedemptionRejected does not decode" in reason
