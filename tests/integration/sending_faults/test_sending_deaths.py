"""A process may die at every point at which it waits; what it leaves is finished by the next one, once."""

import os
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from itertools import count

import pytest
from tests.support.deathpoints import Wait, waits
from tests.support.forked_lives import Forker, Order, forking_lives
from tests.support.lives import LIVES, Teller, go_on
from tests.support.multisig import FundSafes
from tests.support.sending import Office, stopped_mining
from tests.support.stage import Stage
from tests.support.truth import assert_truth, mark

from paimon.composition import open_house
from paimon.settings import Settings

pytestmark = pytest.mark.fault

LONG = os.environ.get("PAIMON_LONG_FAULTS") == "1"
SEED = int(os.environ.get("PAIMON_FAULT_SEED", "7"))


DEATHS = 20
"""Of each life, in the short form."""
NOT_SENDING = "application/transactions/queries.py"
"""What people are shown; nothing of it waits in a step of sending, but where a test looks on."""


@pytest.fixture
async def forker() -> AsyncIterator[Forker]:
    async with forking_lives() as opened:
        yield opened


def drawn(points: Sequence[tuple[Wait, ...]]) -> Sequence[int]:
    """Some points, drawn by the seed from those that wait each in a way of its own."""
    numbers = random.Random(SEED).sample(range(1, len(points) + 1), len(points))
    own_ways = {points[each - 1]: each for each in numbers}
    return sorted(list(own_ways.values())[:DEATHS])


@pytest.mark.parametrize("name", LIVES)
@pytest.mark.timeout(1800 if LONG else 600)
async def test_death_at_any_wait_leaves_one_effect_no_gap_and_true_tables(
    name: str, office: Office, fund_safes: FundSafes, settings: Settings, forker: Forker, figures: Callable[[str], None]
) -> None:
    with stopped_mining(office.fund):
        stage = Stage(office, settings, fund_safes)
        order = await stage.prepare(name)
        points = (await forker.live(order)).points
        killed = 0
        for dies_at in count(1) if LONG else drawn(points):
            if await dies_and_is_survived(stage, forker, order, dies_at):
                killed += 1
            elif LONG:
                break
    figures(f"life {name!r}: {len(points)} points at which it waits, killed at {killed}, seed {SEED}")


async def dies_and_is_survived(stage: Stage, forker: Forker, order: Order, dies_at: int) -> bool:
    """Whether it died at all; a life that waits less often than the one that was counted lives on."""
    await stage.begin()
    async with open_house(order.settings, process="heir") as house:
        since = await mark(house, [order.story.wallet])
        end = await forker.live(replace(order, dies_at=dies_at))
        try:
            await go_on(Teller(house, order.story))
            await assert_truth(house, since, elsewhere=stage.elsewhere)
        except BaseException as error:
            error.add_note(f"{order.life}, killed at point {dies_at}")
            raise
    return end.killed


async def test_no_place_that_waits_is_left_out(
    office: Office, fund_safes: FundSafes, settings: Settings, forker: Forker
) -> None:
    """Whoever adds an `await` to sending that no life comes by is told here to add the life that does."""
    seen: set[Wait] = set()
    with stopped_mining(office.fund):
        for name in LIVES:
            snapshot = office.fund.node.rpc.call("evm_snapshot")
            stage = Stage(office, settings, fund_safes)
            seen |= {wait for point in (await forker.live(await stage.prepare(name))).points for wait in point}
            await stage.clear()
            office.fund.node.rpc.call("evm_revert", snapshot)
    unseen = {each for each in waits("application/transactions") if each[0] != NOT_SENDING} - seen
    assert not unseen, f"no life waits at {sorted(unseen)}"
