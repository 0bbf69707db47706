"""The solver's process gives the planner's own plan. One that hangs, ends or answers nonsense costs only the optimum."""

import asyncio
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from tests.support.factories.rebalance import usdt

from paimon.composition import AppContext
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import Bps
from paimon.domain.rebalance.decision import PlanInputs, decide, result_text
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.rebalance_plan import Method, RebalancePlan
from paimon.domain.rebalance.simulated_run import example_fund
from paimon.infrastructure.solver.solver import Solver

pytestmark = pytest.mark.integration

INPUTS: Final = PlanInputs(replace(example_fund(), cash=usdt(20_000_000)), PlanPolicy(), 18)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


async def test_process_gives_the_plan_that_the_planner_makes() -> None:
    decision = await Solver().solve(INPUTS)
    assert result_text(decision.result) == result_text(decide(INPUTS))
    assert decision.inputs == INPUTS


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("print('{}')", "its answer is no plan"),
        ("raise SystemExit(3)", "its process ended with code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "its process ended with code -11"),
    ],
)
async def test_greedy_plan_names_why_the_solver_gave_none(code: str, reason: str) -> None:
    decision = await Solver(command=python(code)).solve(INPUTS)
    assert isinstance(decision.result, RebalancePlan)
    assert (decision.result.method, decision.result.solver) == (Method.GREEDY, f"none: {reason}")
    assert result_text(decide(decision.inputs)) == result_text(decision.result)


async def test_process_that_hangs_is_killed(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    hangs = python(f"import os, signal; open({str(started)!r}, 'w').write(str(os.getpid())); signal.pause()")
    decision = await Solver(seconds_max=3, command=hangs).solve(INPUTS)
    assert isinstance(decision.result, RebalancePlan)
    assert decision.result.solver == "none: no answer within 3 s"
    if started.exists():  # on a machine so slow that Python did not start within the bound, it was killed before
        with pytest.raises(ProcessLookupError):
            os.kill(int(started.read_text()), 0)


async def test_process_ends_with_the_request_that_wanted_it(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    hangs = python(f"import os, signal; open({str(pids)!r}, 'w').write(str(os.getpid())); signal.pause()")
    waiting = asyncio.create_task(Solver(command=hangs).solve(INPUTS))
    pid = int(await asyncio.to_thread(pids.read_text))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_one_process_works_at_a_time_for_all_requests(app_context: AppContext, tmp_path: Path) -> None:
    """A process ends with code 1 when it finds the folder that another one has not removed yet."""
    busy = str(tmp_path / "busy")
    works = "[sum(range(10**6)) for _ in range(9)]"
    alone = python(f"import os; os.mkdir({busy!r}); {works}; os.rmdir({busy!r}); raise SystemExit(7)")
    solvers = [app_context.rebalance_context(app_context.plan_context).solver for _ in range(3)]
    decisions = await asyncio.gather(*(replace(solver, command=alone).solve(INPUTS) for solver in solvers))
    assert {decision.inputs.without_solver for decision in decisions} == {"its process ended with code 7"}


class WatchedTargets(dict[Tier, Bps]):
    """Targets that know the threads in which a plan was made with them."""

    threads: set[threading.Thread]

    def __getitem__(self, tier: Tier) -> Bps:
        self.threads.add(threading.current_thread())
        return super().__getitem__(tier)


async def test_greedy_plan_is_made_beside_the_event_loop() -> None:
    watched = WatchedTargets(INPUTS.policy.targets)
    watched.threads = set()
    inputs = replace(INPUTS, policy=replace(INPUTS.policy, targets=watched))
    watched.threads.clear()
    await Solver(command=python("raise SystemExit(3)")).solve(inputs)
    assert watched.threads
    assert threading.current_thread() not in watched.threads


async def test_process_gets_no_setting_of_its_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAIMON_PLANNER__PASSWORD_FILE", "/secret")
    code = "import os; raise SystemExit(7 if any(name.startswith('PAIMON') for name in os.environ) else 8)"
    decision = await Solver(command=python(code)).solve(INPUTS)
    assert isinstance(decision.result, RebalancePlan)
    assert decision.result.solver == "none: its process ended with code 8"
