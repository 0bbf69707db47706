"""Two senders at once, through nodes that lie and lose, on a chain that reorganises: once it is calm, all is as it must be."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr
from tests.support.assertions.sending_invariants import assert_truth, mark
from tests.support.faults.faulty_node import faulty_nodes
from tests.support.scenarios.chaos_run import Storm
from tests.support.scenarios.multisig import FundSafes
from tests.support.scenarios.sending import Office, stopped_mining
from tests.support.scenarios.setup import Stage

from paimon.composition import open_house
from paimon.settings import Settings

pytestmark = pytest.mark.fault

LONG = os.environ.get("PAIMON_LONG_FAULTS") == "1"
SEED = int(os.environ.get("PAIMON_FAULT_SEED", "7"))
STORMS = int(os.environ.get("PAIMON_FAULT_STORMS", "2000" if LONG else "200"))
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


@pytest.mark.timeout(7200 if LONG else 600)
async def test_after_every_storm_each_effect_is_there_once_and_no_nonce_is_missing(
    storm: tuple[Storm, Stage], capsys: pytest.CaptureFixture[str]
) -> None:
    """One storm a seed, PAIMON_FAULT_SEED and on; a failure names its seed, which alone draws that storm again."""
    raging, stage = storm
    began, faults = time.monotonic(), 0
    for seed in range(SEED, SEED + STORMS):
        await stage.begin()
        since = await mark(raging.house, raging.wallets)
        try:
            await raging.rage(str(seed))
            await assert_truth(raging.house, since, elsewhere=frozenset(raging.elsewhere))
        except BaseException as error:
            error.add_note(raging.told())
            raise
        faults += sum(len(node.met) for node in raging.nodes)
    with capsys.disabled():
        print(f"\n{STORMS} storms from seed {SEED} on, {faults} faults, {time.monotonic() - began:.0f} s", end=" ")
