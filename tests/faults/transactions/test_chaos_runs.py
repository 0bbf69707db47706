"""Two senders at once, through faulty nodes, on a chain that reorganises: afterwards every invariant holds."""

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
from tests.support.scenarios.sending import SendingHarness
from tests.support.scenarios.setup import Setup
from tests.support.seeds import group_name, seed_groups

from paimon.composition import open_app_context
from paimon.settings import Settings

pytestmark = pytest.mark.fault

LONG = os.environ.get("PAIMON_LONG_FAULTS") == "1"
SEED = int(os.environ.get("PAIMON_FAULT_SEED", "7"))
CHAOS_RUNS = int(os.environ.get("PAIMON_FAULT_CHAOS_RUNS", "2000" if LONG else "200"))
TOGETHER = 50
"""Chaos runs in one test: a minute or so, so that test processes share them evenly."""
SENDERS = 2


@pytest.fixture
async def chaos(harness: SendingHarness, fund_safes: FundSafes, settings: Settings) -> AsyncIterator[tuple[ChaosRun, Setup]]:
    async with AsyncExitStack() as opened:
        opened.enter_context(harness.fund.stopped_mining())
        setup = Setup(harness, settings, fund_safes)
        external_transactions = await setup.prepare_many()
        nodes = await opened.enter_async_context(faulty_nodes(harness.fund.rpc_url, SENDERS))
        short_timeouts = {"request_timeout_seconds": 0.25, "attempts_max": 1}
        senders = []
        for place, node in enumerate(nodes):
            chain = settings.chain.model_copy(update={"rpc_url": SecretStr(node.url), **short_timeouts})
            sender_settings = settings.model_copy(update={"chain": chain})
            senders.append(await opened.enter_async_context(open_app_context(sender_settings, process=f"sender-{place}")))
        app_context = await opened.enter_async_context(open_app_context(settings, process="successor"))
        yield (
            ChaosRun(harness.fund, app_context, senders, nodes, (harness.keeper, harness.approver), external_transactions),
            setup,
        )


@pytest.mark.parametrize("seeds", seed_groups(SEED, CHAOS_RUNS, size=TOGETHER), ids=group_name)
@pytest.mark.timeout(600)
@pytest.mark.long(40)
async def test_chaos_runs_leave_each_effect_once_and_no_missing_nonce(
    seeds: range, chaos: tuple[ChaosRun, Setup], figures: Callable[[str], None]
) -> None:
    """One run for each seed from PAIMON_FAULT_SEED on. A failure names its seed, which draws the same run again."""
    chaos_run, setup = chaos
    began, faults = time.monotonic(), 0
    for seed in seeds:
        await setup.restore()
        since = await take_baseline(chaos_run.app_context, chaos_run.wallets)
        try:
            await chaos_run.run(str(seed))
            await assert_sending_invariants(chaos_run.app_context, since, external_hashes=frozenset(chaos_run.external_hashes))
        except BaseException as error:
            error.add_note(chaos_run.describe())
            raise
        faults += sum(len(node.faults_met) for node in chaos_run.nodes)
    figures(f"{len(seeds)} chaos runs from seed {seeds.start} on: {faults} faults, {time.monotonic() - began:.0f} s")
