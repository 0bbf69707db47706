"""The solver's process gives the planner's own plan. One that hangs, ends or answers nonsense costs only the optimum."""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from tests.support.factories.rebalance import usdt

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


async def test_process_gets_no_setting_of_its_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAIMON_PLANNER__PASSWORD_FILE", "/secret")
    code = "import os; raise SystemExit(7 if any(name.startswith('PAIMON') for name in os.environ) else 8)"
    decision = await Solver(command=python(code)).solve(INPUTS)
    assert isinstance(decision.result, RebalancePlan)
    assert decision.result.solver == "none: its process ended with code 8"
