"""The block time is measured from recorded headers, and no jump of the clock changes it."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.api_client import BLOCK_TIME, add_block

from paimon.application.event_listener.ingest.queries import BlockTime, measure_block_time
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration


async def measured(database: Database, seconds: list[float], *, stride: int = 1) -> BlockTime | None:
    """Record headers that stand `seconds` apart, each `stride` blocks after the last, measure, and remove them again."""
    async with database.write() as session:
        at = BLOCK_TIME
        await add_block(session, 1_000, at=at)
        for step, pause in enumerate(seconds, start=1):
            at += timedelta(seconds=pause)
            await add_block(session, 1_000 + step * stride, at=at.replace(microsecond=0))
        result = await measure_block_time(session)
        await session.rollback()
    return result


async def test_nothing_is_measured_before_two_blocks(database: Database) -> None:
    async with database.read() as session:
        assert await measure_block_time(session) is None
    assert await measured(database, []) is None


async def test_two_blocks_are_enough(database: Database) -> None:
    assert await measured(database, [3.0]) == BlockTime(3.0, 1)


async def test_blocks_of_less_than_a_second_are_measured_from_whole_seconds(database: Database) -> None:
    result = await measured(database, [0.45] * 600)
    assert result is not None
    assert result.blocks == 500
    assert result.block_seconds == pytest.approx(0.45, rel=0.05)


async def test_headers_that_were_not_recorded_are_counted(database: Database) -> None:
    assert await measured(database, [30.0] * 20, stride=10) == BlockTime(3.0, 200)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 99), jump=st.integers(60, 400 * 86_400))
async def test_a_jump_of_the_clock_does_not_change_it(database: Database, place: int, jump: int) -> None:
    seconds = [3.0] * 100
    seconds[place] += jump
    assert await measured(database, seconds) == BlockTime(3.0, 100)
