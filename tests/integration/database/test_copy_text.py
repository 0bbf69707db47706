"""Tests that PostgreSQL reads rows in COPY's text format as the values that were written."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import pytest
from sqlalchemy import text
from tests.support.factories.synthetic_logs import TRACKED, chain_logs

from paimon.application.event_listener.fetch.decode import decode_log
from paimon.application.event_listener.record.json_text import json_text
from paimon.domain.kernel.chain import ContractName
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.database.bulk_copy import copy_text, driver_connection
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration

_INSTANT: Final = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
ROWS: Final[list[tuple[Any, ...]]] = [
    (1, 2**256 - 1, "plain", b"\x00\xff\\\t\n", True, _INSTANT),
    (
        2,
        0,
        "tab\tline\nreturn\rback\\slash \\N \\. ü € \U0001f3e6",
        b"",
        False,
        _INSTANT.astimezone(timezone(timedelta(hours=-5))),
    ),
    (3, None, None, None, None, None),
    (4, -5, "", b"\\N", True, datetime(1, 1, 1, tzinfo=UTC)),
    (5, 7, "\\.", b"\\x00", False, datetime(9999, 12, 31, tzinfo=UTC)),
]


async def test_copied_rows_survive_round_trip(database: Database) -> None:
    async with database.write() as session:
        columns = "id int, n numeric(78, 0), t text, b bytea, f boolean, at timestamptz"
        await session.execute(text(f"CREATE TEMPORARY TABLE copied ({columns}) ON COMMIT DROP"))
        connection = await driver_connection(session)
        async with connection.cursor() as cursor, cursor.copy("COPY copied FROM STDIN") as copy:
            await copy.write(copy_text(ROWS))
        assert [tuple(row) for row in await session.execute(text("SELECT * FROM copied ORDER BY id"))] == ROWS


def test_copy_of_unknown_type_is_refused() -> None:
    with pytest.raises(TypeError, match="list"):
        copy_text([(1, [2])])


async def test_event_arguments_have_stored_text(database: Database) -> None:
    abis = {name: load_abi(name.value) for name in ContractName}
    values = {decoded.name: decoded.values for decoded in (decode_log(log, TRACKED.names(), abis) for log in chain_logs(2_000))}
    async with database.read() as session:
        for name, arguments in values.items():
            stored = await session.scalar(text("SELECT CAST(:args AS jsonb)::text"), {"args": json_text(arguments)})
            assert stored == json_text(arguments), name
