"""Crash a process at every point at which it waits: the next process finishes its work, once."""

import os
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from itertools import count

import pytest
from tests.support.assertions.sending_invariants import assert_sending_invariants, take_baseline
from tests.support.faults.crash_points import WaitPoint, source_wait_points
from tests.support.scenarios.forked_workflows import WorkflowForker, WorkflowOrder, workflow_forker
from tests.support.scenarios.multisig import FundSafes
from tests.support.scenarios.sending import SendingHarness
from tests.support.scenarios.setup import Setup
from tests.support.scenarios.workflows import WORKFLOWS, Runner, resume_until_idle

from paimon.composition import open_app_context
from paimon.settings import Settings

pytestmark = pytest.mark.fault

LONG = os.environ.get("PAIMON_LONG_FAULTS") == "1"
SEED = int(os.environ.get("PAIMON_FAULT_SEED", "7"))


CRASHES = 20
"""Crash points of each workflow, in the short form."""
SENDING_FOLDERS = ("application/transactions", "application/transactions/driver")
NOT_SENDING = "application/transactions/queries.py"
"""Reads for people: no step of sending waits there."""


@pytest.fixture
async def forker() -> AsyncIterator[WorkflowForker]:
    async with workflow_forker() as opened:
        yield opened


def draw_crash_points(points: Sequence[tuple[WaitPoint, ...]]) -> Sequence[int]:
    """Draw some points by the seed, each with a stack of its own."""
    numbers = random.Random(SEED).sample(range(1, len(points) + 1), len(points))
    by_stack = {points[number - 1]: number for number in numbers}
    return sorted(list(by_stack.values())[:CRASHES])


@pytest.mark.parametrize("name", WORKFLOWS)
@pytest.mark.timeout(1800 if LONG else 600)
async def test_crash_at_any_wait_leaves_one_effect_and_consistent_tables(
    name: str,
    harness: SendingHarness,
    fund_safes: FundSafes,
    settings: Settings,
    forker: WorkflowForker,
    figures: Callable[[str], None],
) -> None:
    with harness.fund.stopped_mining():
        setup = Setup(harness, settings, fund_safes)
        order = await setup.prepare(name)
        points = (await forker.run(order)).points
        killed = 0
        for crash_at in count(1) if LONG else draw_crash_points(points):
            if await crash_and_recover(setup, forker, order, crash_at):
                killed += 1
            elif LONG:
                break
    figures(f"workflow {name!r}: {len(points)} points at which it waits, killed at {killed}, seed {SEED}")


async def crash_and_recover(setup: Setup, forker: WorkflowForker, order: WorkflowOrder, crash_at: int) -> bool:
    """Return whether the process crashed. A workflow that waits less often than the counted one does not."""
    assert order.scenario is not None
    await setup.restore()
    async with open_app_context(order.settings, process="successor") as app_context:
        since = await take_baseline(app_context, [order.scenario.wallet])
        end = await forker.run(replace(order, crash_at=crash_at))
        try:
            await resume_until_idle(Runner(app_context, order.scenario))
            await assert_sending_invariants(app_context, since, external_hashes=setup.external_hashes)
        except BaseException as error:
            error.add_note(f"{order.workflow}, killed at point {crash_at}")
            raise
    return end.killed


async def test_every_wait_of_sending_is_reached_by_a_workflow(
    harness: SendingHarness, fund_safes: FundSafes, settings: Settings, forker: WorkflowForker
) -> None:
    """An `await` of sending that no workflow reaches needs a workflow that does."""
    seen: set[WaitPoint] = set()
    with harness.fund.stopped_mining():
        for name in WORKFLOWS:
            snapshot = harness.fund.snapshot()
            setup = Setup(harness, settings, fund_safes)
            seen |= {wait for point in (await forker.run(await setup.prepare(name))).points for wait in point}
            await setup.clear()
            harness.fund.revert(snapshot)
    in_source = {point for folder in SENDING_FOLDERS for point in source_wait_points(folder) if point[0] != NOT_SENDING}
    unseen = in_source - seen
    assert not unseen, f"no workflow waits at {sorted(unseen)}"
