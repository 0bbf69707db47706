"""Run workflows in processes of their own and kill them where they wait, without seconds of imports for each.

One process imports everything once and forks for each workflow. A fork that reaches its crash point is killed by SIGKILL:
nothing after that point runs, and the kernel cuts its connections, as with any process that crashes.
"""

import asyncio
import base64
import json
import os
import pickle
import signal
import sys
import tempfile
import traceback
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from tests.support.faults.crash_points import CrashingCoroutine, WaitPoint
from tests.support.paths import ROOT
from tests.support.scenarios.workflows import PLANNER_WORKFLOWS, WORKFLOWS, Runner, Scenario
from tests.support.warm_up import warm_up

from paimon.application.emergency.advance import advance_emergency
from paimon.composition import AppContext, open_app_context
from paimon.settings import Settings

JOBS: Final[dict[str, Callable[[AppContext], Coroutine[Any, Any, None]]]] = {
    "advance_emergency": lambda app_context: advance_emergency(app_context.emergency_context)
}


@dataclass(frozen=True)
class WorkflowOrder:
    """A workflow to run, up to its `crash_at`-th wait if there is one."""

    workflow: str
    settings: Settings
    scenario: Scenario | None
    """None for a job of the worker, which acts on what is recorded."""
    crash_at: int | None = None


@dataclass(frozen=True)
class WorkflowEnd:
    """Whether the workflow was killed; if not, every point at which it waited."""

    killed: bool
    points: tuple[tuple[WaitPoint, ...], ...]


class WorkflowForker:
    def __init__(self, process: Process) -> None:
        self._process = process

    async def run(self, order: WorkflowOrder) -> WorkflowEnd:
        """Run the workflow in a fork. Raises AssertionError, with the traceback, when it fails by itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(base64.b64encode(pickle.dumps(order)) + b"\n")
        answer = json.loads(await self._process.stdout.readline())
        assert answer["status"] in (0, -signal.SIGKILL), answer["output"]
        return WorkflowEnd(answer["status"] != 0, tuple(tuple((f, n, c) for f, n, c in stack) for stack in answer["points"]))


@asynccontextmanager
async def workflow_forker() -> AsyncIterator[WorkflowForker]:
    command = (sys.executable, "-m", "tests.support.scenarios.forked_workflows")
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=PIPE, stdout=PIPE, limit=2**24)
    try:
        yield WorkflowForker(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def _serve_forks() -> None:
    warm_up()
    for line in sys.stdin:
        order: WorkflowOrder = pickle.loads(base64.b64decode(line))
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as points:
            if (pid := os.fork()) == 0:
                _run_in_fork(order, output, points)
            _, status = os.waitpid(pid, 0)
            output.seek(0)
            points.seek(0)
            answer = {
                "status": os.waitstatus_to_exitcode(status),
                "output": output.read(),
                "points": json.loads(points.read() or "[]"),
            }
        print(json.dumps(answer), flush=True)


def _run_in_fork(order: WorkflowOrder, output: Any, points: Any) -> None:
    """Run in the fork, and exit: this never returns."""
    try:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
        asyncio.run(_run_workflow(order, points))
    except BaseException:  # noqa: BLE001 — the parent gets the output, and none of its code may run here
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _work(order: WorkflowOrder, app_context: AppContext) -> Coroutine[Any, Any, None]:
    if order.scenario is None:
        return JOBS[order.workflow](app_context)
    return (WORKFLOWS | PLANNER_WORKFLOWS)[order.workflow].run(Runner(app_context, order.scenario))


async def _run_workflow(order: WorkflowOrder, points: Any) -> None:
    async with open_app_context(order.settings, process="crashing") as app_context:
        crashing = CrashingCoroutine(_work(order, app_context), order.crash_at)
        await crashing
    json.dump(crashing.points, points)
    points.flush()


if __name__ == "__main__":
    _serve_forks()
