"""After a long simulated history the recorded state equals the chain and a replay, and NAV is explained to the wei."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.conftest import make_settings
from tests.support.chain.fund import TestFund, start_fund
from tests.support.paths import CONTRACTS
from tests.support.scenarios.market_history import prove_history

from paimon.composition import AppContext, open_app_context
from paimon.infrastructure.database.sessions import create_engine
from paimon_devkit.stack.embedded_chain import find_anvil

pytestmark = pytest.mark.fault

LONG = os.environ.get("PAIMON_LONG_PROOF") == "1"
ACTIONS = 10_000 if LONG else 400
SEEDS = [int(seed) for seed in os.environ.get("PAIMON_PROOF_SEEDS", "7,11,23" if LONG else "7").split(",")]


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def market_fund(data_folder: Path, seed: int) -> Iterator[TestFund]:
    fund = start_fund(data_folder / f"proof-{seed}", anvil=find_anvil(CONTRACTS))
    yield fund
    fund.node.stop()


@pytest.fixture
async def market_context(market_fund: TestFund, app_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[AppContext]:
    options = make_settings(market_fund, app_url=app_url, redis_url=redis_url, folder=tmp_path)
    async with open_app_context(options, process="test") as app_context:
        yield app_context


@pytest.fixture
async def owner_engine(owner_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(owner_url, pool_size=1, connect_timeout_seconds=5, application_name="tests")
    yield engine
    await engine.dispose()


@pytest.mark.timeout(7200 if LONG else 600)
async def test_recorded_state_equals_the_chain_after_a_long_history(
    market_context: AppContext, market_fund: TestFund, owner_engine: AsyncEngine, seed: int, figures: Callable[[str], None]
) -> None:
    proof = await prove_history(market_context, market_fund, owner_engine, seed=seed, actions=ACTIONS)
    figures(f"a long history, {proof}")
    assert proof.summary.actions == ACTIONS
    assert proof.snapshots > ACTIONS // 40, "too few pairs of snapshots prove little"
    assert proof.quarantined == 0
    assert proof.differences == []
    assert proof.rows_differing == []
    assert proof.blocks_with_tier_mismatch == []
    assert proof.not_summing == []
    assert proof.unexplained == []
