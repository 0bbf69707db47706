"""The semaphore admits as many tasks as its limit, in order of arrival, whichever tasks are cancelled."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.infrastructure.blockchain.rpc.dynamic_semaphore import DynamicSemaphore

pytestmark = pytest.mark.unit


@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 12))
def test_semaphore_never_exceeds_its_limit_and_admits_every_waiter(seed: int, limit: int, task_count: int) -> None:
    async def scenario() -> None:
        rng = random.Random(seed)
        semaphore = DynamicSemaphore(lambda: limit)
        inside = 0
        served: list[int] = []

        async def visit(number: int) -> None:
            nonlocal inside
            async with semaphore:
                inside += 1
                assert inside <= limit
                try:
                    for _ in range(rng.randint(0, 3)):
                        await asyncio.sleep(0)
                finally:
                    inside -= 1
            served.append(number)

        tasks = [asyncio.create_task(visit(number)) for number in range(task_count)]
        cancelled = set()
        for _ in range(task_count):
            await asyncio.sleep(0)
            if rng.random() < 0.3:
                task = rng.choice(tasks)
                if not task.done():
                    task.cancel()
                    cancelled.add(tasks.index(task))
        await asyncio.gather(*tasks, return_exceptions=True)
        assert semaphore.active_requests == inside == 0
        assert set(range(task_count)) - cancelled <= set(served)

    asyncio.run(scenario())


def test_semaphore_admits_waiters_in_order_when_the_limit_grows() -> None:
    async def scenario() -> None:
        limit, order = 1, []
        semaphore, leave = DynamicSemaphore(lambda: limit), asyncio.Event()

        async def visit(number: int) -> None:
            async with semaphore:
                order.append(number)
                await leave.wait()

        tasks = [asyncio.create_task(visit(number)) for number in range(4)]
        await asyncio.sleep(0)
        assert order == [0]
        limit = 3
        leave.set()
        await asyncio.gather(*tasks)
        assert order == [0, 1, 2, 3]

    asyncio.run(scenario())
