"""A process may die at every point at which it waits; what it leaves is finished by the next one, once."""

import os
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from itertools import count

import pytest
from tests.support.assertions.sending_invariants import assert_sending_invariants, take_baseline
from tests.support.faults.crash_points import WaitPoint, waits
from tests.support.scenarios.forked_workflows import WorkflowForker, WorkflowOrder, workflow_forker
from tests.support.scenarios.multisig import FundSafes
from tests.support.scenarios.sending import SendingHarness, stopped_mining
from tests.support.scenarios.setup import Setup
from tests.support.scenarios.workflows import WORKFLOWS, Runner, resume_until_idle

from paimon.composition import open_app_context
from paimon.settings import Settings

pytestmark = pytest.mark.fault

LONG = os.environ.get("PAIMON_LONG_FAULTS") == "1"
SEED = int(os.environ.get("PAIMON_FAULT_SEED", "7"))


DEATHS = 20
"""Of each life, in the short form."""
NOT_SENDING = "application/transactions/queries.py"
"""What people are shown; nothing of it waits in a step of sending, but where a test looks on."""


@pytest.fixture
async def forker() -> AsyncIterator[WorkflowForker]:
    async with workflow_forker() as opened:
        yield opened


def drawn(points: Sequence[tuple[WaitPoint, ...]]) -> Sequence[int]:
    """Some points, drawn by the seed from those that wait each in a way of its own."""
    numbers = random.Random(SEED).sample(range(1, len(points) + 1), len(points))
    own_ways = {points[each - 1]: each for each in numbers}
    return sorted(list(own_ways.values())[:DEATHS])


@pytest.mark.parametrize("name", WORKFLOWS)
@pytest.mark.timeout(1800 if LONG else 600)
async def test_death_at_any_wait_leaves_one_effect_no_gap_and_true_tables(
    name: str,
    harness: SendingHarness,
    fund_safes: FundSafes,
    settings: Settings,
    forker: WorkflowForker,
    figures: Callable[[str], None],
) -> None:
    with stopped_mining(harness.fund):
        stage = Setup(harness, settings, fund_safes)
        order = await stage.prepare(name)
        points = (await forker.run(order)).points
        killed = 0
        for crash_at in count(1) if LONG else drawn(points):
            if await dies_and_is_survived(stage, forker, order, crash_at):
                killed += 1
            elif LONG:
                break
    figures(f"workflow {name!r}: {len(points)} points at which it waits, killed at {killed}, seed {SEED}")


async def dies_and_is_survived(stage: Setup, forker: WorkflowForker, order: WorkflowOrder, crash_at: int) -> bool:
    """Whether it died at all; a life that waits less often than the one that was counted lives on."""
    await stage.restore()
    async with open_app_context(order.settings, process="heir") as app_context:
        since = await take_baseline(app_context, [order.scenario.wallet])
        end = await forker.run(replace(order, crash_at=crash_at))
        try:
            await resume_until_idle(Runner(app_context, order.scenario))
            await assert_sending_invariants(app_context, since, external_hashes=stage.external_hashes)
        except BaseException as error:
            error.add_note(f"{order.workflow}, killed at point {crash_at}")
            raise
    return end.killed


async def test_no_place_that_waits_is_left_out(
    harness: SendingHarness, fund_safes: FundSafes, settings: Settings, forker: WorkflowForker
) -> None:
    """Whoever adds an `await` to sending that no life comes by is told here to add the life that does."""
    seen: set[WaitPoint] = set()
    with stopped_mining(harness.fund):
        for name in WORKFLOWS:
            snapshot = harness.fund.node.rpc.call("evm_snapshot")
            stage = Setup(harness, settings, fund_safes)
            seen |= {wait for point in (await forker.run(await stage.prepare(name))).points for wait in point}
            await stage.clear()
            harness.fund.node.rpc.call("evm_revert", snapshot)
    unseen = {each for each in waits("application/transactions") if each[0] != NOT_SENDING} - seen
    assert not unseen, f"no life waits at {sorted(unseen)}"
