"""Solve a plan in a process of its own, within a bound.

    it answers in time            → its plan
    it hangs, and is killed       → the greedy plan, which names the bound
    it ends without an answer     → the greedy plan, which names the code it ended with

A process, because the solver is a library that can hang or crash and takes a core while it works: the event loop of its caller
goes on, and nothing but the plan is lost. It gets the inputs and none of its caller's settings. One works at a time: those who
share a solver wait for their turn, and each has its whole time then. The greedy plan is made in a thread, for the same reason.
"""

import asyncio
import math
import os
import sys
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from paimon.domain.rebalance.decision import PlanInputs, PlanResult, decide, inputs_text, parse_result

log = structlog.get_logger(__name__)

_CHILD: Final = (sys.executable, "-I", "-m", "paimon.infrastructure.solver.child")
_KEPT_VARIABLES: Final = ("PATH", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS")
_GRACE_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan with the inputs that give it again."""

    inputs: PlanInputs
    result: PlanResult


class SolverFailed(Exception):
    """The solver's process gave no plan; the message says why, as the greedy plan names it."""


@dataclass(frozen=True, slots=True)
class Solver:
    """How the solver's process is started, how many seconds it has, and the turn that a process's solvers share."""

    seconds_max: float = 60
    command: tuple[str, ...] = _CHILD
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    async def solve(self, inputs: PlanInputs) -> Decision:
        """Return the plan of these inputs; without an answer of the solver, the greedy plan."""
        async with self.turn:
            try:
                return Decision(inputs, await self._ask(inputs))
            except SolverFailed as failure:
                log.warning("rebalance.solver_failed", reason=str(failure))
                greedy = replace(inputs, without_solver=str(failure))
                return Decision(greedy, await asyncio.to_thread(decide, greedy))

    async def _ask(self, inputs: PlanInputs) -> PlanResult:
        process = await asyncio.create_subprocess_exec(
            *self.command,
            str(math.ceil(self.seconds_max) + _GRACE_SECONDS),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
        )
        try:
            async with asyncio.timeout(self.seconds_max):
                output, errors = await process.communicate(inputs_text(inputs).encode())
        except TimeoutError as error:
            raise SolverFailed(f"no answer within {self.seconds_max:g} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            log.error("rebalance.solver_ended", code=process.returncode, output=errors.decode(errors="replace")[-2_000:])
            raise SolverFailed(f"its process ended with code {process.returncode}")
        try:
            return parse_result(output.decode("ascii"))
        except ValueError as error:
            raise SolverFailed("its answer is no plan") from error
