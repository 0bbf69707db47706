"""Properties of recording and rebuilding: tables do not depend on batches, pages or the block that is reached."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import make_settings
from tests.support.assertions.derived_tables import (
    PROJECTED,
    TableRows,
    execute,
    projection_rows,
    record_range,
    synthetic_contracts,
    with_model_types,
)
from tests.support.chain.fund import ARTIFACTS, TestFund, start_fund
from tests.support.chain.recording import record_ranges
from tests.support.factories.synthetic_logs import ranges, write_cursor
from tests.support.paths import CONTRACTS

from paimon.application.event_listener.fetch.block_range import BlockRange
from paimon.application.replay.rebuild import Rebuild
from paimon.application.replay.shadow_tables import TABLE_PAIRS, open_shadow
from paimon.composition import AppContext, open_app_context
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon.settings import ChainSettings, Settings
from paimon_devkit.market.history import generate_history
from paimon_devkit.stack.embedded_chain import find_anvil

pytestmark = pytest.mark.integration

LOGS, ACTIONS = 250, 250
BLOCKS: Final = [fetched.last.number for fetched in ranges(LOGS, blocks_each=1)]
ON_REAL_SERVICES: Final = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)
RECORDED: Final = (*PROJECTED, "raw_logs", "blocks", "cursor", "tracked_contracts", "range_proofs")


def recorded_in(owner_url: str, app_url: str, cuts: list[int]) -> TableRows:
    """Record the synthetic fund in ranges that end at these blocks, as the listener does; return its projections."""
    execute(owner_url, f"TRUNCATE {', '.join(f'derived.{table}' for table in RECORDED)}")
    write_cursor(owner_url.replace("+psycopg", ""), 0)
    one_by_one = list(ranges(LOGS, blocks_each=1))
    ends = [0, *(BLOCKS.index(cut) + 1 for cut in cuts), len(one_by_one)]

    async def record() -> None:
        database = Database(create_engine(app_url, pool_size=1, connect_timeout_seconds=5, application_name="tests"))
        for start, end in pairwise(ends):
            if joined := one_by_one[start:end]:
                headers = tuple(header for fetched in joined for header in fetched.headers)
                logs = tuple(log for fetched in joined for log in fetched.logs)
                await record_range(database, synthetic_contracts(), BlockRange(headers, logs))
        await database.close()

    asyncio.run(record())
    return projection_rows(owner_url)


def test_recorded_tables_are_equal_for_any_split_into_ranges(owner_url: str, app_url: str) -> None:
    at_once = recorded_in(owner_url, app_url, [])
    assert all(at_once[name] for name in PROJECTED), "a table without rows proves nothing"

    @settings(max_examples=8, suppress_health_check=ON_REAL_SERVICES)
    @given(st.sets(st.sampled_from(BLOCKS[:-1]), max_size=40))
    def check(cuts: set[int]) -> None:
        assert recorded_in(owner_url, app_url, sorted(cuts)) == at_once

    check()
    assert recorded_in(owner_url, app_url, BLOCKS[:-1]) == at_once, "block by block"


# ------------------------------------------------------------------------------------------------ a simulated market


@pytest.fixture(scope="module")
def market_fund(data_folder: Path) -> Iterator[TestFund]:
    fund = start_fund(data_folder / "replayed", anvil=find_anvil(CONTRACTS))
    accounts = fund.accounts.fund_accounts()
    generate_history(fund.rpc_url, fund.deployment, accounts, artifacts=ARTIFACTS, seed=5, actions=ACTIONS, days=60)
    fund.wait_until_final()
    yield fund
    fund.node.stop()


@pytest.fixture
def market_settings(market_fund: TestFund, app_url: str, redis_url: str, tmp_path: Path) -> Settings:
    options = make_settings(market_fund, app_url=app_url, redis_url=redis_url, folder=tmp_path)
    few: ChainSettings = options.chain.model_copy(update={"batch_blocks_max": 3})
    return options.model_copy(update={"chain": few})


@pytest.fixture
async def market_context(market_settings: Settings) -> AsyncIterator[AppContext]:
    async with open_app_context(market_settings, process="test") as opened:
        yield opened


@pytest.fixture
async def recorded(market_context: AppContext, owner_url: str) -> dict[int, TableRows]:
    """Record the market with the real listener; return its projections after every few blocks."""
    return {cursor.number: projection_rows(owner_url) async for cursor in record_ranges(market_context)}


def test_rebuild_by_any_pages_equals_the_listeners_tables_at_each_block(
    market_context: AppContext, market_settings: Settings, owner_url: str, recorded: dict[int, TableRows]
) -> None:
    blocks = sorted(recorded)
    assert len(blocks) > 8

    @settings(max_examples=12, suppress_health_check=ON_REAL_SERVICES)
    @given(st.sets(st.sampled_from(blocks), min_size=1, max_size=6), st.integers(1, 200))
    def check(stops: set[int], page_logs: int) -> None:
        contracts = FundContracts(market_context.rpc, market_context.contracts.addresses)  # decodes only; makes no call
        asyncio.run(fold(contracts, sorted(stops), page_logs))

    async def fold(contracts: FundContracts, stops: list[int], page_logs: int) -> None:
        engine = create_engine(owner_url, pool_size=1, connect_timeout_seconds=5, application_name="tests")
        async with open_shadow(engine) as shadow, shadow.transaction() as session:
            rebuild = Rebuild(shadow, contracts, page_logs=page_logs)
            for stop in stops:
                await rebuild.fold_to(session, stop)
                for pair in TABLE_PAIRS:
                    found = (await session.execute(pair.rebuilt.select())).mappings().all()
                    expected = with_model_types(pair.name, recorded[stop])
                    assert sorted(map(dict, found), key=repr) == expected, f"{pair.name} at {stop}"
        await engine.dispose()

    check()
