"""Lives in processes of their own, killed where they wait, without paying seconds of imports for each.

One process imports everything once and forks for each life; a fork that reaches its death point is killed by SIGKILL, so
nothing after that point runs and its connections are cut by the kernel, as with any process that dies.
"""

import asyncio
import base64
import gc
import json
import os
import pickle
import signal
import sys
import tempfile
import traceback
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sqlalchemy.orm import configure_mappers
from tests.support.faults.crash_points import Mortal, Wait
from tests.support.paths import ROOT
from tests.support.scenarios.workflows import LIVES, Story, Teller

from paimon.composition import open_house
from paimon.domain.kernel.chain import ContractName
from paimon.infrastructure.blockchain.abi import load_abi
from paimon.settings import Settings


@dataclass(frozen=True)
class Order:
    """A life to be lived, up to its `dies_at`-th wait if there is one."""

    life: str
    settings: Settings
    story: Story
    dies_at: int | None = None


@dataclass(frozen=True)
class End:
    """Whether it was killed; if not, every point it waited at."""

    killed: bool
    points: tuple[tuple[Wait, ...], ...]


class Forker:
    def __init__(self, process: Process) -> None:
        self._process = process

    async def live(self, order: Order) -> End:
        """Raises AssertionError, with the traceback, when the life failed by itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(base64.b64encode(pickle.dumps(order)) + b"\n")
        answer = json.loads(await self._process.stdout.readline())
        assert answer["status"] in (0, -signal.SIGKILL), answer["said"]
        return End(answer["status"] != 0, tuple(tuple((f, n, c) for f, n, c in stack) for stack in answer["points"]))


@asynccontextmanager
async def forking_lives() -> AsyncIterator[Forker]:
    root = ROOT
    command = (sys.executable, "-m", "tests.support.scenarios.forked_workflows")
    process = await asyncio.create_subprocess_exec(*command, cwd=root, stdin=PIPE, stdout=PIPE, limit=2**24)
    try:
        yield Forker(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def _serve() -> None:
    _warm_up()
    for line in sys.stdin:
        order: Order = pickle.loads(base64.b64decode(line))
        with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as points:
            if (pid := os.fork()) == 0:
                _live(order, said, points)
            _, status = os.waitpid(pid, 0)
            said.seek(0)
            points.seek(0)
            answer = {
                "status": os.waitstatus_to_exitcode(status),
                "said": said.read(),
                "points": json.loads(points.read() or "[]"),
            }
        print(json.dumps(answer), flush=True)


def _warm_up() -> None:
    """What a fresh process would spend its first tenths of a second on; every fork inherits it."""
    import_module("psycopg")
    configure_mappers()
    for name in ContractName:
        load_abi(name.value)
    gc.freeze()


def _live(order: Order, said: Any, points: Any) -> None:
    """The fork: it never returns."""
    try:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        asyncio.run(_told(order, points))
    except BaseException:  # noqa: BLE001 — the parent is told, and nothing of the parent's may run here
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


async def _told(order: Order, points: Any) -> None:
    async with open_house(order.settings, process="mortal") as house:
        mortal = Mortal(LIVES[order.life].live(Teller(house, order.story)), order.dies_at)
        await mortal
    json.dump(mortal.points, points)
    points.flush()


if __name__ == "__main__":
    _serve()
