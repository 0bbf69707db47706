"""Two senders at once, through nodes that lie and lose, on a chain that reorganises: once it is calm, all is as it must be."""

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr
from tests.support.assertions.sending_invariants import assert_sending_invariants, take_baseline
from tests.support.faults.faulty_node import faulty_nodes
from tests.support.scenarios.chaos_run import ChaosRun
from tests.support.scenarios.multisig import FundSafes
from tests.support.scenarios.sending import SendingHarness, stopped_mining
from tests.support.scenarios.setup import Setup
from tests.support.seeds import group_name, seed_groups

from paimon.composition import open_app_context
from paimon.settings import Settings

pytestmark = pytest.mark.fault

LONG = os.environ.get("PAIMON_LONG_FAULTS") == "1"
SEED = int(os.environ.get("PAIMON_FAULT_SEED", "7"))
CHAOS_RUNS = int(os.environ.get("PAIMON_FAULT_CHAOS_RUNS", "2000" if LONG else "200"))
TOGETHER = 50
"""Storms in one test: a minute or so, so that test processes share them evenly."""
SENDERS = 2


@pytest.fixture
async def storm(harness: SendingHarness, fund_safes: FundSafes, settings: Settings) -> AsyncIterator[tuple[ChaosRun, Setup]]:
    async with AsyncExitStack() as opened:
        opened.enter_context(stopped_mining(harness.fund))
        stage = Setup(harness, settings, fund_safes)
        others = await stage.prepare_many()
        nodes = await opened.enter_async_context(faulty_nodes(harness.fund.rpc_url, SENDERS))
        impatient = {"request_timeout_seconds": 0.25, "attempts_max": 1}
        senders = []
        for place, node in enumerate(nodes):
            chain = settings.chain.model_copy(update={"rpc_url": SecretStr(node.url), **impatient})
            its_own = settings.model_copy(update={"chain": chain})
            senders.append(await opened.enter_async_context(open_app_context(its_own, process=f"sender-{place}")))
        app_context = await opened.enter_async_context(open_app_context(settings, process="heir"))
        yield ChaosRun(harness.fund, app_context, senders, nodes, (harness.keeper, harness.approver), others), stage


@pytest.mark.parametrize("seeds", seed_groups(SEED, CHAOS_RUNS, size=TOGETHER), ids=group_name)
@pytest.mark.timeout(600)
async def test_after_every_storm_each_effect_is_there_once_and_no_nonce_is_missing(
    seeds: range, storm: tuple[ChaosRun, Setup], figures: Callable[[str], None]
) -> None:
    """One storm a seed, PAIMON_FAULT_SEED and on; a failure names its seed, which alone draws that storm again."""
    chaos_run, stage = storm
    began, faults = time.monotonic(), 0
    for seed in seeds:
        await stage.restore()
        since = await take_baseline(chaos_run.app_context, chaos_run.wallets)
        try:
            await chaos_run.run(str(seed))
            await assert_sending_invariants(chaos_run.app_context, since, external_hashes=frozenset(chaos_run.external_hashes))
        except BaseException as error:
            error.add_note(chaos_run.describe())
            raise
        faults += sum(len(node.faults_met) for node in chaos_run.nodes)
    figures(f"{len(seeds)} chaos runs from seed {seeds.start} on: {faults} faults, {time.monotonic() - began:.0f} s")
