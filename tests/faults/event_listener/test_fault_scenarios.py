"""Whatever chain, nodes and listeners do: once it is calm, the books are the chain's, each event in them once."""

import asyncio
import gc
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import psycopg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.assertions.cursor_moves import assert_moved_by_lease_holders, cursor_moves, track_cursor_moves
from tests.support.assertions.derived_tables import libpq
from tests.support.assertions.listener_invariants import assert_records_match_chain
from tests.support.chain.deep_chain import DeepChain
from tests.support.faults.chain_proxy import chain_proxies
from tests.support.scenarios.fault_scenario import FaultScenario
from tests.support.scenarios.fund_actions import FundActions
from tests.support.scenarios.listener_hosts import ENDPOINTS_MAX, HostConfig, ListenerHost
from tests.support.seeds import group_name, seed_groups

from paimon.composition import AppContext, open_app_context
from paimon.domain.kernel.chain import parse_address
from paimon.infrastructure.database.models.derived import RangeProofRow
from paimon.infrastructure.database.models.ops.event_listener import EndpointFaultRow
from paimon.settings import Settings

pytestmark = [
    pytest.mark.fault,
    # Whoever is told to stop while a connection is being made leaves it to the garbage collector, which closes it.
    pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:The garbage collector is trying to clean up:sqlalchemy.exc.SAWarning"),
]

LONG = os.environ.get("PAIMON_LONG_FAULTS") == "1"
SEED = int(os.environ.get("PAIMON_FAULT_SEED", "7"))
SCENARIOS = int(os.environ.get("PAIMON_FAULT_SCENARIOS", "2000" if LONG else "200"))
SCENARIOS_PER_TEST = 25
"""Scenarios in one test: about a minute, so that test processes share them evenly."""
SECONDS_MAX = 120
"""Of one ordeal: whoever hangs fails with the story of it."""
STATIONS = ("one", "other")


@pytest.fixture
def empty_tables(owner_url: str) -> list[str]:
    """Those without rows in a fresh database."""
    with psycopg.connect(libpq(owner_url)) as connection:
        names = connection.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('derived', 'ops')"
        ).fetchall()
        return [name for (name,) in names if connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() is None]


@pytest.fixture
async def fault_scenario(
    deep_chain: DeepChain, settings: Settings, owner: AsyncEngine
) -> AsyncIterator[tuple[FaultScenario, AppContext]]:
    node = deep_chain.fund.node
    await track_cursor_moves(owner)
    async with AsyncExitStack() as opened:
        stations = []
        for name in STATIONS:
            nodes = await opened.enter_async_context(chain_proxies(node.http_url, node.ws_url, ENDPOINTS_MAX))
            stations.append(
                ListenerHost(name, await opened.enter_async_context(open_app_context(settings, process=name)), nodes)
            )
        auditor = await opened.enter_async_context(open_app_context(settings, process="auditor"))
        yield FaultScenario(deep_chain, stations), auditor
    gc.collect()


@pytest.mark.parametrize("seeds", seed_groups(SEED, SCENARIOS, size=SCENARIOS_PER_TEST), ids=group_name)
@pytest.mark.timeout(900)
async def test_recorded_state_equals_the_chain_after_every_fault_scenario(
    seeds: range,
    fault_scenario: tuple[FaultScenario, AppContext],
    owner: AsyncEngine,
    empty_tables: list[str],
    figures: Callable[[str], None],
) -> None:
    """One ordeal a seed, PAIMON_FAULT_SEED and on; a failure names its seed, which alone draws that plan again."""
    scenario, auditor = fault_scenario
    usdt = parse_address(scenario.chain.fund.deployment.usdt)
    began, faults_met, events, ends = time.monotonic(), Counter[str](), Counter[str](), 0
    proven, lies = Counter[str](), Counter[str]()
    for seed in seeds:
        try:
            async with asyncio.timeout(SECONDS_MAX):
                async with owner.begin() as connection:
                    await connection.execute(text(f"TRUNCATE {', '.join(empty_tables)}"))
                await scenario.run(str(seed))
                assert_moved_by_lease_holders(await cursor_moves(owner), {each.name: each.epochs for each in scenario.stations})
                events += await assert_records_match_chain(auditor, owner, usdt=usdt)
        except BaseException as error:
            error.add_note(scenario.describe())
            raise
        async with auditor.database.read() as session:
            blocks = func.sum(RangeProofRow.last_block - RangeProofRow.first_block + 1)
            levels = await session.execute(select(RangeProofRow.level, blocks).group_by(RangeProofRow.level))
            proven += Counter({level.value: int(number) for level, number in levels})
            lies += Counter({each.kind.value: each.occurrences for each in await session.scalars(select(EndpointFaultRow))})
        for each in scenario.faults_met:
            faults_met[each.split(" of ")[0] if each.startswith("range cap") else each] += 1
        ends += sum("ended" in each or "stopped" in each for each in scenario.steps_taken)
    figures(
        f"{len(seeds)} fault scenarios from seed {seeds.start} on: {faults_met.total()} faults of {len(faults_met)} kinds, "
        f"{ends} listeners ended, {events.total()} events of {len(events)} kinds recorded, "
        f"blocks proven {describe(proven)}; invalid responses {describe(lies)}; {time.monotonic() - began:.0f} s"
    )


def describe(counted: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counted.most_common())


async def test_reorganisation_of_blocks_that_are_not_final_changes_nothing(
    fault_scenario: tuple[FaultScenario, AppContext], owner: AsyncEngine
) -> None:
    scenario, auditor = fault_scenario
    chain, host, rng = scenario.chain, scenario.stations[0], random.Random(SEED)
    await chain.mine(20)
    async with host.configured(HostConfig()):
        await host.take_lease()
        await host.start(batch_blocks=200)
        for reinclusion_chance in (0.0, 0.5, 1.0):
            await chain.mine_block([each for _ in range(5) for each in FundActions(chain).drawn(rng)[1]])
            await chain.mine(10)
            await host.wait_until_recorded(chain.final_max)
            asked = host.requests
            async with asyncio.timeout(30):
                while host.requests < asked + 3:  # noqa: ASYNC110 — it looks again, and again
                    await asyncio.sleep(0.005)
            assert await host.recorded_block() == chain.final_max
            assert await chain.reorganise(20, reinclusion_chance=reinclusion_chance, rng=rng) > 10
        await host.wait_until_recorded(await chain.finalize_all())
        await host.stop()
    await assert_records_match_chain(auditor, owner, usdt=parse_address(chain.fund.deployment.usdt))
