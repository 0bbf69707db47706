"""Listeners as processes: one is killed or frozen at any point, the next takes over, and the records equal the chain."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
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
from tests.support.assertions.listener_invariants import assert_records_match_chain
from tests.support.chain.deep_chain import DeepChain
from tests.support.cli_processes import CliProcess, CliRunner, environment_of
from tests.support.faults.chain_proxy import ChainProxy, chain_proxies
from tests.support.faults.faulty_endpoint import Call
from tests.support.scenarios.fund_actions import FundActions

from paimon.composition import AppContext, open_app_context
from paimon.domain.kernel.chain import parse_address
from paimon.domain.operations.outbox import OutboxPriority
from paimon.gateway.cli.process import EXIT_FAILED
from paimon.gateway.tasks.broker import QUEUE_PREFIX
from paimon.infrastructure.database.models.derived import CursorRow
from paimon.settings import Settings

pytestmark = pytest.mark.fault

LONG = os.environ.get("PAIMON_LONG_FAULTS") == "1"
SEED = int(os.environ.get("PAIMON_FAULT_SEED", "7"))
SEEDS = 40 if LONG else 2
KILLS = 6


@dataclass
class ListenerPair:
    """Two listener processes, each with a node of its own, and an observer with the database."""

    chain: DeepChain
    app_context: AppContext
    proxies: list[ChainProxy]
    cli: CliRunner

    async def start(self, index: int, *, wait_for_output: str) -> CliProcess:
        program = self.launch(index)
        await asyncio.to_thread(program.wait_for_output, wait_for_output)
        return program

    def launch(self, index: int, **more: str) -> CliProcess:
        node = {"PAIMON_CHAIN__RPC_URL": self.proxies[index].url, "PAIMON_CHAIN__POLL_SECONDS": "0.1"}
        return self.cli.start("listener", env=environment_of(self.app_context.settings) | node | more)

    async def transfer(self) -> int:
        """Make a transfer and make it final. Return the final block's number."""
        await self.chain.mine_block([FundActions(self.chain).share_transfer("ines", "otto", 5)])
        return await self.chain.finalize_all()

    async def recorded_block(self) -> int:
        async with self.app_context.database.read() as session:
            return (await session.execute(select(CursorRow.number))).scalar() or 0

    async def wait_until_recorded(self, block: int) -> None:
        async with asyncio.timeout(60):
            while await self.recorded_block() < block:  # noqa: ASYNC110 — another process writes it
                await asyncio.sleep(0.05)


@pytest.fixture
async def pair(deep_chain: DeepChain, settings: Settings, cli: CliRunner) -> AsyncIterator[ListenerPair]:
    node = deep_chain.fund.node
    async with (
        chain_proxies(node.http_url, node.ws_url, 2) as proxies,
        open_app_context(settings, process="auditor") as app_context,
    ):
        yield ListenerPair(deep_chain, app_context, proxies, cli)


def at_request(number: int, do: Callable[[], object]) -> Callable[[list[Call]], Awaitable[None]]:
    """Return a hook that acts once, before the answer to the node's request of this number."""
    requests = 0

    async def before_answer(_calls: list[Call]) -> None:
        nonlocal requests
        requests += 1
        if requests == number:
            do()

    return before_answer


def at_call(method: str, do: Callable[[], None]) -> Callable[[list[Call]], Awaitable[None]]:
    """Return a hook that acts once, before the answer to a request that calls this method."""
    done = False

    async def before_answer(calls: list[Call]) -> None:
        nonlocal done
        if not done and any(call["method"] == method for call in calls):
            done = True
            do()

    return before_answer


async def test_standby_takes_over_when_the_listener_is_killed(pair: ListenerPair, owner_engine: AsyncEngine) -> None:
    first = await pair.transfer()
    one = await pair.start(0, wait_for_output="listener.started")
    await pair.wait_until_recorded(first)
    other = await pair.start(1, wait_for_output="lease.standby")
    pair.proxies[0].before_answer = at_call("eth_getLogs", lambda: os.kill(one.pid, signal.SIGKILL))
    second = await pair.transfer()
    assert await asyncio.to_thread(one.wait) == -signal.SIGKILL
    assert await pair.recorded_block() == first, "the killed listener recorded nothing of the range"
    await asyncio.to_thread(other.wait_for_output, "listener.started")
    await pair.wait_until_recorded(second)
    other.terminate()
    assert await asyncio.to_thread(other.wait) == 0, other.output_text
    await assert_records_match_chain(pair.app_context, owner_engine, usdt=parse_address(pair.chain.fund.deployment.usdt))


async def test_frozen_listener_that_wakes_too_late_writes_nothing(pair: ListenerPair, owner_engine: AsyncEngine) -> None:
    first = await pair.transfer()
    one = await pair.start(0, wait_for_output="listener.started")
    await pair.wait_until_recorded(first)
    pair.proxies[0].before_answer = at_call("eth_getLogs", lambda: os.kill(one.pid, signal.SIGSTOP))
    other = await pair.start(1, wait_for_output="lease.standby")
    second = await pair.transfer()
    await asyncio.to_thread(other.wait_for_output, "listener.started")
    await pair.wait_until_recorded(second)
    os.kill(one.pid, signal.SIGCONT)
    await asyncio.to_thread(one.wait_for_output, "lease.lost")
    third = await pair.transfer()
    await pair.wait_until_recorded(third)
    await assert_records_match_chain(pair.app_context, owner_engine, usdt=parse_address(pair.chain.fund.deployment.usdt))
    for program in (one, other):
        program.terminate()
        assert await asyncio.to_thread(program.wait) == 0, program.output_text


@asynccontextmanager
async def writes_blocked(owner_url: str, table: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Block all writes to a table. Yield a function that waits until a writer is blocked."""
    async with await psycopg.AsyncConnection.connect(libpq(owner_url)) as holding:
        await holding.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier(*table.split("."))))

        async def wait_for_writer() -> None:
            waiting = "SELECT pid FROM pg_locks WHERE relation = %s::regclass AND NOT granted"
            async with asyncio.timeout(60):
                while await (await holding.execute(waiting, [table])).fetchone() is None:  # noqa: ASYNC110 — as above
                    await asyncio.sleep(0.02)

        yield wait_for_writer


async def test_listener_frozen_in_its_transaction_does_not_block_its_successor(
    pair: ListenerPair, owner_engine: AsyncEngine, owner_url: str
) -> None:
    """It keeps the cursor's row locked, and no server timeout ends it in the middle of a COPY: its successor does."""
    first = await pair.transfer()
    one = await pair.start(0, wait_for_output="listener.started")
    await pair.wait_until_recorded(first)
    other = await pair.start(1, wait_for_output="lease.standby")
    async with writes_blocked(owner_url, "derived.raw_logs") as wait_for_writer:
        second = await pair.transfer()
        await wait_for_writer()
        os.kill(one.pid, signal.SIGSTOP)
    await asyncio.to_thread(other.wait_for_output, "listener.started")
    await pair.wait_until_recorded(second)
    os.kill(one.pid, signal.SIGCONT)
    await asyncio.to_thread(one.wait_for_output, "lease.standby")
    await assert_records_match_chain(pair.app_context, owner_engine, usdt=parse_address(pair.chain.fund.deployment.usdt))
    for program in (one, other):
        program.terminate()
        assert await asyncio.to_thread(program.wait) == 0, program.output_text


@pytest.mark.parametrize("seed", range(SEED, SEED + SEEDS))
async def test_listener_killed_repeatedly_records_everything_once(
    pair: ListenerPair, owner_engine: AsyncEngine, seed: int
) -> None:
    """Kill by SIGKILL, at a drawn request to the node or a drawn moment after it, under changing faults."""
    rng, loop, proxy = random.Random(seed), asyncio.get_running_loop(), pair.proxies[0]
    short_lease = {
        "PAIMON_LEASE__TTL_SECONDS": "0.6",
        "PAIMON_LEASE__RENEW_SECONDS": "0.2",
        "PAIMON_CHAIN__BATCH_BLOCKS_MAX": "5",
    }
    for kill in range(KILLS):
        await pair.chain.mine_block([transaction for _ in range(3) for transaction in FundActions(pair.chain).draw(rng)[1]])
        await pair.chain.mine(rng.randint(1, 40))
        proxy.restart_profile(f"{seed}/{kill}", 0.1)
        program = pair.launch(0, **short_lease)
        later = partial(loop.call_later, rng.choice((0.0, 0.01, 0.05)), _kill, program)
        proxy.before_answer = at_request(rng.randint(4, 20), later)
        assert await asyncio.to_thread(program.wait) in (-signal.SIGKILL, EXIT_FAILED), program.output_text
    proxy.restart_profile("no faults", 0.0)
    final = await pair.chain.finalize_all()
    last = await pair.start(0, wait_for_output="listener.started")
    await pair.wait_until_recorded(final)
    last.terminate()
    assert await asyncio.to_thread(last.wait) == 0, last.output_text
    await assert_records_match_chain(pair.app_context, owner_engine, usdt=parse_address(pair.chain.fund.deployment.usdt))


def _kill(program: CliProcess) -> None:
    with suppress(ProcessLookupError):  # the process may have exited at the start because of a fault
        os.kill(program.pid, signal.SIGKILL)


async def test_standby_takes_over_when_the_scheduler_is_killed(
    deep_chain: DeepChain, settings: Settings, cli: CliRunner, eventually: Callable[..., Any]
) -> None:
    await deep_chain.finalize_all()
    environment = environment_of(settings) | {"PAIMON_SCHEDULE__DRIVE_WALLETS_SECONDS": "0.5"}
    one = cli.start("scheduler", env=environment)
    await asyncio.to_thread(one.wait_for_output, "scheduler.started")
    other = cli.start("scheduler", env=environment)
    await asyncio.to_thread(other.wait_for_output, "lease.standby")
    async with Redis.from_url(settings.redis.url.get_secret_value()) as redis:

        async def enqueued() -> bool:
            return await redis.llen(QUEUE_PREFIX + OutboxPriority.CHAIN) > 0

        await eventually(enqueued)
        os.kill(one.pid, signal.SIGKILL)
        assert await asyncio.to_thread(one.wait) == -signal.SIGKILL
        await redis.delete(QUEUE_PREFIX + OutboxPriority.CHAIN)
        await asyncio.to_thread(other.wait_for_output, "scheduler.started")
        await eventually(enqueued)
    other.terminate()
    assert await asyncio.to_thread(other.wait) == 0, other.output_text
