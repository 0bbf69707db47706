"""Listeners as processes: one dies or freezes wherever it is, the next takes over, and the books are the chain's."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg import sql
from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.assertions.derived_tables import libpq
from tests.support.assertions.listener_invariants import assert_books_true
from tests.support.chain.deep_chain import DeepChain
from tests.support.cli_processes import Program, Programs, environment_of
from tests.support.faults.chain_proxy import ChainProxy, chain_proxies
from tests.support.faults.faulty_endpoint import Call
from tests.support.scenarios.fund_actions import Deeds

from paimon.composition import House, open_house
from paimon.domain.kernel.chain import parse_address
from paimon.gateway.cli.process import EXIT_REFUSED
from paimon.infrastructure.database.models.derived import CursorRow
from paimon.infrastructure.database.models.ops.outbox import OutboxPriority
from paimon.settings import Settings

pytestmark = pytest.mark.fault

LONG = os.environ.get("PAIMON_LONG_FAULTS") == "1"
SEED = int(os.environ.get("PAIMON_FAULT_SEED", "7"))
OFTEN_KILLED = 40 if LONG else 2
DEATHS = 6


@pytest.fixture(scope="module")
def programs() -> Iterator[Programs]:
    with Programs() as opened:
        yield opened


@dataclass
class Pair:
    """Two places for a listener, each with a node of its own, and somebody who looks on."""

    chain: DeepChain
    house: House
    proxies: list[ChainProxy]
    programs: Programs

    async def start(self, place: int, *, until_said: str) -> Program:
        program = self.begin(place)
        await asyncio.to_thread(program.until_said, until_said)
        return program

    def begin(self, place: int, **more: str) -> Program:
        node = {"PAIMON_CHAIN__RPC_URL": self.proxies[place].url, "PAIMON_CHAIN__POLL_SECONDS": "0.1"}
        return self.programs.start("listener", env=environment_of(self.house.settings) | node | more)

    async def happen(self) -> int:
        """A transfer, and what makes it final; the final block's number."""
        await self.chain.block_of([Deeds(self.chain).shares_given("ines", "otto", 5)])
        return await self.chain.make_all_final()

    async def recorded(self) -> int:
        async with self.house.database.read() as session:
            return (await session.execute(select(CursorRow.number))).scalar() or 0

    async def stands_at(self, block: int) -> None:
        async with asyncio.timeout(60):
            while await self.recorded() < block:  # noqa: ASYNC110 — the question goes to another process
                await asyncio.sleep(0.05)


@pytest.fixture
async def pair(deep_chain: DeepChain, settings: Settings, programs: Programs) -> AsyncIterator[Pair]:
    node = deep_chain.fund.node
    async with chain_proxies(node.http_url, node.ws_url, 2) as proxies, open_house(settings, process="auditor") as house:
        yield Pair(deep_chain, house, proxies, programs)


def at_question(number: int, do: Callable[[], object]) -> Callable[[list[Call]], Awaitable[None]]:
    """Once, when the node is asked for the so-manieth time and has not answered yet."""
    asked = 0

    async def before(_calls: list[Call]) -> None:
        nonlocal asked
        asked += 1
        if asked == number:
            do()

    return before


def when_asked(method: str, do: Callable[[], None]) -> Callable[[list[Call]], Awaitable[None]]:
    """Once, when a node is asked this and has not answered yet."""
    done = False

    async def before(calls: list[Call]) -> None:
        nonlocal done
        if not done and any(each["method"] == method for each in calls):
            done = True
            do()

    return before


async def test_a_killed_listener_is_followed_by_the_one_that_stood_by(pair: Pair, owner: AsyncEngine) -> None:
    first = await pair.happen()
    one = await pair.start(0, until_said="listener.started")
    await pair.stands_at(first)
    other = await pair.start(1, until_said="lease.standby")
    pair.proxies[0].before = when_asked("eth_getLogs", lambda: os.kill(one.pid, signal.SIGKILL))
    second = await pair.happen()
    assert await asyncio.to_thread(one.wait) == -signal.SIGKILL
    assert await pair.recorded() == first, "it died with the range in its hands"
    await asyncio.to_thread(other.until_said, "listener.started")
    await pair.stands_at(second)
    other.terminate()
    assert await asyncio.to_thread(other.wait) == 0, other.said
    await assert_books_true(pair.house, owner, usdt=parse_address(pair.chain.fund.deployment.usdt))


async def test_a_listener_that_was_frozen_and_wakes_up_too_late_writes_nothing(pair: Pair, owner: AsyncEngine) -> None:
    first = await pair.happen()
    one = await pair.start(0, until_said="listener.started")
    await pair.stands_at(first)
    pair.proxies[0].before = when_asked("eth_getLogs", lambda: os.kill(one.pid, signal.SIGSTOP))
    other = await pair.start(1, until_said="lease.standby")
    second = await pair.happen()
    await asyncio.to_thread(other.until_said, "listener.started")
    await pair.stands_at(second)
    os.kill(one.pid, signal.SIGCONT)
    await asyncio.to_thread(one.until_said, "lease.lost")
    third = await pair.happen()
    await pair.stands_at(third)
    await assert_books_true(pair.house, owner, usdt=parse_address(pair.chain.fund.deployment.usdt))
    for each in (one, other):
        each.terminate()
        assert await asyncio.to_thread(each.wait) == 0, each.said


@asynccontextmanager
async def nobody_writes(owner_url: str, table: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Whoever writes to the table waits meanwhile; what is yielded waits for the first who does."""
    async with await psycopg.AsyncConnection.connect(libpq(owner_url)) as holding:
        await holding.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier(*table.split("."))))

        async def someone_waits() -> None:
            waiting = "SELECT pid FROM pg_locks WHERE relation = %s::regclass AND NOT granted"
            async with asyncio.timeout(60):
                while await (await holding.execute(waiting, [table])).fetchone() is None:  # noqa: ASYNC110 — the same
                    await asyncio.sleep(0.02)

        yield someone_waits


async def test_a_listener_frozen_in_the_middle_of_its_transaction_does_not_hold_up_the_next_one(
    pair: Pair, owner: AsyncEngine, owner_url: str
) -> None:
    """It keeps the cursor's row, and in the middle of a COPY no timeout of the server ends it: its successor does."""
    first = await pair.happen()
    one = await pair.start(0, until_said="listener.started")
    await pair.stands_at(first)
    other = await pair.start(1, until_said="lease.standby")
    async with nobody_writes(owner_url, "derived.raw_logs") as someone_waits:
        second = await pair.happen()
        await someone_waits()
        os.kill(one.pid, signal.SIGSTOP)
    await asyncio.to_thread(other.until_said, "listener.started")
    await pair.stands_at(second)
    os.kill(one.pid, signal.SIGCONT)
    await asyncio.to_thread(one.until_said, "lease.standby")
    await assert_books_true(pair.house, owner, usdt=parse_address(pair.chain.fund.deployment.usdt))
    for each in (one, other):
        each.terminate()
        assert await asyncio.to_thread(each.wait) == 0, each.said


@pytest.mark.parametrize("seed", range(SEED, SEED + OFTEN_KILLED))
async def test_a_listener_killed_again_and_again_has_recorded_everything_once(
    pair: Pair, owner: AsyncEngine, seed: int
) -> None:
    """Each by SIGKILL, at a drawn question to its node or a drawn moment after it, in changing weather."""
    rng, loop, proxy = random.Random(seed), asyncio.get_running_loop(), pair.proxies[0]
    hasty = {"PAIMON_LEASE__TTL_SECONDS": "0.6", "PAIMON_LEASE__RENEW_SECONDS": "0.2", "PAIMON_CHAIN__BATCH_BLOCKS_MAX": "5"}
    for death in range(DEATHS):
        await pair.chain.block_of([each for _ in range(3) for each in Deeds(pair.chain).drawn(rng)[1]])
        await pair.chain.mine(rng.randint(1, 40))
        proxy.become(f"{seed}/{death}", 0.1)
        program = pair.begin(0, **hasty)
        later = partial(loop.call_later, rng.choice((0.0, 0.01, 0.05)), _kill, program)
        proxy.before = at_question(rng.randint(4, 20), later)
        assert await asyncio.to_thread(program.wait) in (-signal.SIGKILL, EXIT_REFUSED), program.said
    proxy.become("calm", 0.0)
    final = await pair.chain.make_all_final()
    last = await pair.start(0, until_said="listener.started")
    await pair.stands_at(final)
    last.terminate()
    assert await asyncio.to_thread(last.wait) == 0, last.said
    await assert_books_true(pair.house, owner, usdt=parse_address(pair.chain.fund.deployment.usdt))


def _kill(program: Program) -> None:
    with suppress(ProcessLookupError):  # it may have refused to start, on what the weather told it
        os.kill(program.pid, signal.SIGKILL)


async def test_a_killed_scheduler_is_followed_by_the_one_that_stood_by(
    deep_chain: DeepChain, settings: Settings, programs: Programs, eventually: Callable[..., Any]
) -> None:
    await deep_chain.make_all_final()
    environment = environment_of(settings) | {"PAIMON_SCHEDULE__DRIVE_WALLETS_SECONDS": "0.5"}
    one = programs.start("scheduler", env=environment)
    await asyncio.to_thread(one.until_said, "scheduler.started")
    other = programs.start("scheduler", env=environment)
    await asyncio.to_thread(other.until_said, "lease.standby")
    async with Redis.from_url(settings.redis.url.get_secret_value()) as redis:

        async def enqueued() -> bool:
            return await redis.llen(OutboxPriority.CHAIN.value) > 0

        await eventually(enqueued)
        os.kill(one.pid, signal.SIGKILL)
        assert await asyncio.to_thread(one.wait) == -signal.SIGKILL
        await redis.delete(OutboxPriority.CHAIN.value)
        await asyncio.to_thread(other.until_said, "scheduler.started")
        await eventually(enqueued)
    other.terminate()
    assert await asyncio.to_thread(other.wait) == 0, other.said
