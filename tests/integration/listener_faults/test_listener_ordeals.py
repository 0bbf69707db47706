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
from tests.support.booktruth import assert_books_true
from tests.support.chainproxy import chain_proxies
from tests.support.cursormoves import assert_moved_by_its_holders, cursor_moves, note_cursor_moves
from tests.support.deeds import Deeds
from tests.support.deepchain import DeepChain
from tests.support.derived_tables import libpq
from tests.support.ordeal import Ordeal
from tests.support.seeds import group_name, seed_groups
from tests.support.stations import ENDPOINTS_MAX, Setting, Station

from paimon.composition import House, open_house
from paimon.domain.chain import parse_address
from paimon.infrastructure.database.models.derived import RangeProofRow
from paimon.infrastructure.database.models.operating import EndpointLie
from paimon.settings import Settings

pytestmark = [
    pytest.mark.fault,
    # Whoever is told to stop while a connection is being made leaves it to the garbage collector, which closes it.
    pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:The garbage collector is trying to clean up:sqlalchemy.exc.SAWarning"),
]

LONG = os.environ.get("PAIMON_LONG_FAULTS") == "1"
SEED = int(os.environ.get("PAIMON_FAULT_SEED", "7"))
ORDEALS = int(os.environ.get("PAIMON_FAULT_ORDEALS", "2000" if LONG else "200"))
TOGETHER = 25
"""Ordeals in one test: a minute or so, so that test processes share them evenly."""
SECONDS_MAX = 120
"""Of one ordeal: whoever hangs fails with the story of it."""
STATIONS = ("one", "other")


@pytest.fixture
def empty_tables(owner_url: str) -> list[str]:
    """Those without rows in a fresh database."""
    with psycopg.connect(libpq(owner_url)) as connection:
        names = connection.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('derived', 'owned')"
        ).fetchall()
        return [name for (name,) in names if connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() is None]


@pytest.fixture
async def ordeal(deep_chain: DeepChain, settings: Settings, owner: AsyncEngine) -> AsyncIterator[tuple[Ordeal, House]]:
    node = deep_chain.fund.node
    await note_cursor_moves(owner)
    async with AsyncExitStack() as opened:
        stations = []
        for name in STATIONS:
            nodes = await opened.enter_async_context(chain_proxies(node.http_url, node.ws_url, ENDPOINTS_MAX))
            stations.append(Station(name, await opened.enter_async_context(open_house(settings, process=name)), nodes))
        auditor = await opened.enter_async_context(open_house(settings, process="auditor"))
        yield Ordeal(deep_chain, stations), auditor
    gc.collect()


@pytest.mark.parametrize("seeds", seed_groups(SEED, ORDEALS, size=TOGETHER), ids=group_name)
@pytest.mark.timeout(900)
async def test_after_every_ordeal_the_books_are_the_chains_each_event_in_them_once(
    seeds: range, ordeal: tuple[Ordeal, House], owner: AsyncEngine, empty_tables: list[str], figures: Callable[[str], None]
) -> None:
    """One ordeal a seed, PAIMON_FAULT_SEED and on; a failure names its seed, which alone draws that plan again."""
    undergoing, auditor = ordeal
    usdt = parse_address(undergoing.chain.fund.deployment.usdt)
    began, met, events, ends = time.monotonic(), Counter[str](), Counter[str](), 0
    proven, lies = Counter[str](), Counter[str]()
    for seed in seeds:
        try:
            async with asyncio.timeout(SECONDS_MAX):
                async with owner.begin() as connection:
                    await connection.execute(text(f"TRUNCATE {', '.join(empty_tables)}"))
                await undergoing.undergo(str(seed))
                assert_moved_by_its_holders(await cursor_moves(owner), {each.name: each.epochs for each in undergoing.stations})
                events += await assert_books_true(auditor, owner, usdt=usdt)
        except BaseException as error:
            error.add_note(undergoing.told())
            raise
        async with auditor.database.read() as session:
            blocks = func.sum(RangeProofRow.last_block - RangeProofRow.first_block + 1)
            levels = await session.execute(select(RangeProofRow.level, blocks).group_by(RangeProofRow.level))
            proven += Counter({level.value: int(number) for level, number in levels})
            lies += Counter({each.lie.value: each.times for each in await session.scalars(select(EndpointLie))})
        for each in undergoing.met:
            met[each.split(" of ")[0] if each.startswith("range cap") else each] += 1
        ends += sum("ended" in each or "stopped" in each for each in undergoing.happened)
    figures(
        f"{len(seeds)} ordeals from seed {seeds.start} on: {met.total()} faults of {len(met)} kinds, {ends} listeners ended, "
        f"{events.total()} events of {len(events)} kinds recorded, blocks proven {told(proven)}; caught {told(lies)}; "
        f"{time.monotonic() - began:.0f} s"
    )


def told(counted: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counted.most_common())


async def test_what_is_not_final_is_not_recorded_so_that_a_reorganisation_changes_nothing(
    ordeal: tuple[Ordeal, House], owner: AsyncEngine
) -> None:
    undergoing, auditor = ordeal
    chain, station, rng = undergoing.chain, undergoing.stations[0], random.Random(SEED)
    await chain.mine(20)
    async with station.set_up(Setting()):
        await station.take_lease()
        await station.start(batch_blocks=200)
        for coming_back in (0.0, 0.5, 1.0):
            await chain.block_of([each for _ in range(5) for each in Deeds(chain).drawn(rng)[1]])
            await chain.mine(10)
            await station.reaches(chain.floor)
            asked = station.requests
            async with asyncio.timeout(30):
                while station.requests < asked + 3:  # noqa: ASYNC110 — it looks again, and again
                    await asyncio.sleep(0.005)
            assert await station.stands_at() == chain.floor
            assert await chain.reorganise(20, coming_back=coming_back, rng=rng) > 10
        await station.reaches(await chain.make_all_final())
        await station.stop()
    await assert_books_true(auditor, owner, usdt=parse_address(chain.fund.deployment.usdt))
