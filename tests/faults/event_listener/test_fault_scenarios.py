"""After any faults of chain, nodes and listeners, the recorded state equals the chain, with each event once."""

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
from tests.support.database_roles import WITHOUT_TRIGGERS
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
    # A listener that is cancelled while it opens a connection leaves it to the garbage collector, which closes it.
    pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:The garbage collector is trying to clean up:sqlalchemy.exc.SAWarning"),
]

LONG = os.environ.get("PAIMON_LONG_FAULTS") == "1"
SEED = int(os.environ.get("PAIMON_FAULT_SEED", "7"))
SCENARIOS = int(os.environ.get("PAIMON_FAULT_SCENARIOS", "2000" if LONG else "200"))
SCENARIOS_PER_TEST = 25
"""Scenarios in one test: about a minute, so that test processes share them evenly."""
SECONDS_MAX = 120
"""Limit for one scenario: one that hangs fails with its description."""
HOSTS = ("one", "other")


@pytest.fixture
def empty_tables(owner_url: str) -> list[str]:
    """Return the tables without rows in a fresh database that no table with rows refers to: those can be emptied again."""
    with psycopg.connect(libpq(owner_url)) as connection:
        names = connection.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('derived', 'ops')"
        ).fetchall()
        filled = {name for (name,) in names if connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() is not None}
        references = connection.execute(
            "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"
        ).fetchall()
    kept = filled | {target for table, target in references if table in filled}
    return [name for (name,) in names if name not in kept]


@pytest.fixture
async def fault_scenario(
    deep_chain: DeepChain, settings: Settings, owner_engine: AsyncEngine
) -> AsyncIterator[tuple[FaultScenario, AppContext]]:
    node = deep_chain.fund.node
    await track_cursor_moves(owner_engine)
    async with AsyncExitStack() as opened:
        hosts = []
        for name in HOSTS:
            nodes = await opened.enter_async_context(chain_proxies(node.http_url, node.ws_url, ENDPOINTS_MAX))
            hosts.append(ListenerHost(name, await opened.enter_async_context(open_app_context(settings, process=name)), nodes))
        auditor = await opened.enter_async_context(open_app_context(settings, process="auditor"))
        yield FaultScenario(deep_chain, hosts), auditor
    gc.collect()


@pytest.mark.parametrize("seeds", seed_groups(SEED, SCENARIOS, size=SCENARIOS_PER_TEST), ids=group_name)
@pytest.mark.timeout(900)
@pytest.mark.long(40)
async def test_recorded_state_equals_the_chain_after_every_fault_scenario(
    seeds: range,
    fault_scenario: tuple[FaultScenario, AppContext],
    owner_engine: AsyncEngine,
    empty_tables: list[str],
    figures: Callable[[str], None],
) -> None:
    """Run one scenario per seed, from PAIMON_FAULT_SEED on. A failure names its seed, which alone repeats the plan."""
    scenario, auditor = fault_scenario
    usdt = parse_address(scenario.chain.fund.deployment.usdt)
    began, faults_met, events, ends = time.monotonic(), Counter[str](), Counter[str](), 0
    proven, invalid_responses = Counter[str](), Counter[str]()
    for seed in seeds:
        try:
            async with asyncio.timeout(SECONDS_MAX):
                async with owner_engine.begin() as connection:
                    await connection.execute(WITHOUT_TRIGGERS)
                    await connection.execute(text(f"TRUNCATE {', '.join(empty_tables)}"))
                await scenario.run(str(seed))
                assert_moved_by_lease_holders(
                    await cursor_moves(owner_engine), {host.name: host.epochs for host in scenario.hosts}
                )
                events += await assert_records_match_chain(auditor, owner_engine, usdt=usdt)
        except BaseException as error:
            error.add_note(scenario.describe())
            raise
        async with auditor.database.read() as session:
            blocks = func.sum(RangeProofRow.last_block - RangeProofRow.first_block + 1)
            levels = await session.execute(select(RangeProofRow.level, blocks).group_by(RangeProofRow.level))
            proven += Counter({level.value: int(number) for level, number in levels})
            invalid_responses += Counter(
                {row.kind.value: row.occurrences for row in await session.scalars(select(EndpointFaultRow))}
            )
        for fault in scenario.faults_met:
            faults_met[fault.split(" of ")[0] if fault.startswith("range cap") else fault] += 1
        ends += sum("ended" in step or "stopped" in step for step in scenario.steps_taken)
    figures(
        f"{len(seeds)} fault scenarios from seed {seeds.start} on: {faults_met.total()} faults of {len(faults_met)} kinds, "
        f"{ends} listeners ended, {events.total()} events of {len(events)} kinds recorded, "
        f"blocks proven {describe(proven)}; invalid responses {describe(invalid_responses)}; {time.monotonic() - began:.0f} s"
    )


def describe(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.most_common())


async def test_reorganisation_of_blocks_that_are_not_final_changes_nothing(
    fault_scenario: tuple[FaultScenario, AppContext], owner_engine: AsyncEngine
) -> None:
    scenario, auditor = fault_scenario
    chain, host, rng = scenario.chain, scenario.hosts[0], random.Random(SEED)
    await chain.mine(20)
    async with host.configured(HostConfig()):
        await host.take_lease()
        await host.start(batch_blocks=200)
        for reinclusion_chance in (0.0, 0.5, 1.0):
            await chain.mine_block([transaction for _ in range(5) for transaction in FundActions(chain).draw(rng)[1]])
            await chain.mine(10)
            await host.wait_until_recorded(chain.final_max)
            requests_before = host.requests
            async with asyncio.timeout(30):
                while host.requests < requests_before + 3:  # noqa: ASYNC110 — the listener checks several times
                    await asyncio.sleep(0.005)
            assert await host.recorded_block() == chain.final_max
            assert await chain.reorganise(20, reinclusion_chance=reinclusion_chance, rng=rng) > 10
        await host.wait_until_recorded(await chain.finalize_all())
        await host.stop()
    await assert_records_match_chain(auditor, owner_engine, usdt=parse_address(chain.fund.deployment.usdt))
