"""Two senders at once, through nodes that lie and lose, on a chain that reorganises: once it is calm, all is as it must be."""

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr
from tests.support.faultynode import faulty_nodes
from tests.support.multisig import FundSafes
from tests.support.seeds import group_name, seed_groups
from tests.support.sending import Office, stopped_mining
from tests.support.stage import Stage
from tests.support.storm import Storm
from tests.support.truth import assert_truth, mark

from paimon.composition import open_house
from paimon.settings import Settings

pytestmark = pytest.mark.fault

LONG = os.environ.get("PAIMON_LONG_FAULTS") == "1"
SEED = int(os.environ.get("PAIMON_FAULT_SEED", "7"))
STORMS = int(os.environ.get("PAIMON_FAULT_STORMS", "2000" if LONG else "200"))
TOGETHER = 50
"""Storms in one test: a minute or so, so that test processes share them evenly."""
SENDERS = 2


@pytest.fixture
async def storm(office: Office, fund_safes: FundSafes, settings: Settings) -> AsyncIterator[tuple[Storm, Stage]]:
    async with AsyncExitStack() as opened:
        opened.enter_context(stopped_mining(office.fund))
        stage = Stage(office, settings, fund_safes)
        others = await stage.prepare_many()
        nodes = await opened.enter_async_context(faulty_nodes(office.fund.rpc_url, SENDERS))
        impatient = {"request_timeout_seconds": 0.25, "attempts_max": 1}
        senders = []
        for place, node in enumerate(nodes):
            chain = settings.chain.model_copy(update={"rpc_url": SecretStr(node.url), **impatient})
            its_own = settings.model_copy(update={"chain": chain})
            senders.append(await opened.enter_async_context(open_house(its_own, process=f"sender-{place}")))
        house = await opened.enter_async_context(open_house(settings, process="heir"))
        yield Storm(office.fund, house, senders, nodes, (office.keeper, office.approver), others), stage


@pytest.mark.parametrize("seeds", seed_groups(SEED, STORMS, size=TOGETHER), ids=group_name)
@pytest.mark.timeout(600)
async def test_after_every_storm_each_effect_is_there_once_and_no_nonce_is_missing(
    seeds: range, storm: tuple[Storm, Stage], figures: Callable[[str], None]
) -> None:
    """One storm a seed, PAIMON_FAULT_SEED and on; a failure names its seed, which alone draws that storm again."""
    raging, stage = storm
    began, faults = time.monotonic(), 0
    for seed in seeds:
        await stage.begin()
        since = await mark(raging.house, raging.wallets)
        try:
            await raging.rage(str(seed))
            await assert_truth(raging.house, since, elsewhere=frozenset(raging.elsewhere))
        except BaseException as error:
            error.add_note(raging.told())
            raise
        faults += sum(len(node.met) for node in raging.nodes)
    figures(f"{len(seeds)} storms from seed {seeds.start} on: {faults} faults, {time.monotonic() - began:.0f} s")
