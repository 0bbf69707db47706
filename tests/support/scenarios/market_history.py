"""A market's history followed by the real listener while it is laid, with snapshots on the way; and what it must prove."""

import asyncio
import time
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.chain.fund import ARTIFACTS, TestFund
from tests.support.chain.recording import record_all, record_final
from tests.support.scenarios.fund_activity import MATERIAL_THRESHOLD

from paimon.application.nav.nav_inputs_sql import load_nav_inputs
from paimon.application.nav.snapshots import take_snapshot
from paimon.application.nav.store import KEPT_KIND
from paimon.application.nav.stored_snapshot import from_stored_json
from paimon.application.reconciliation.reconcile import Reconciliation, reconcile
from paimon.application.replay.replay import check_replay
from paimon.composition import AppContext
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import checksum
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.domain.vault.nav_attribution import attribute_nav_change
from paimon.domain.vault.nav_components import NavAttribution
from paimon.gateway.fund_documents import FundDocuments
from paimon.infrastructure.database.models.derived import ObservationRow, RawLogRow
from paimon_devkit.market.history import generate_history
from paimon_devkit.market.summary import Summary

_BLOCKS_PER_SNAPSHOT: Final = 3
"""On average: some follow each other from block to block, others lie far apart."""
_SNAPSHOTS_PER_RECONCILIATION: Final = 20
"""Of the books with the chain, on the way: what cancels out until the end is seen too."""


@dataclass(frozen=True, slots=True)
class HistoryProof:
    """What came of one history. All but the counts must be empty."""

    summary: Summary
    logs: int
    quarantined: int
    snapshots: int
    comparisons: int
    differences: list[str]
    rows_differing: list[str]
    blocks_with_tier_mismatch: list[int]
    not_summing: list[str]
    unexplained: list[str]
    seconds: float

    def __str__(self) -> str:
        return (
            f"seed {self.summary.seed}: {self.summary.actions} actions, {self.logs} logs, {self.quarantined} quarantined,"
            f" {self.snapshots} snapshots, {max(self.snapshots - 1, 0)} pairs, {self.comparisons} comparisons,"
            f" {len(self.differences)} differences,"
            f" {len(self.rows_differing)} rows differ in replay, {len(self.not_summing)} sums wrong,"
            f" {len(self.unexplained)} unexplained, {self.seconds:.0f} s"
        )


async def generate_and_record(
    app_context: AppContext, fund: TestFund, *, seed: int, actions: int
) -> tuple[Summary, list[Reconciliation]]:
    """After each block the listener records what is final; now and then a snapshot is kept, and the books are compared:
    the same for one seed."""
    loop, rng = asyncio.get_running_loop(), Random(seed)
    compared: list[Reconciliation] = []

    async def follow(*, keep: bool, compare: bool) -> None:
        await record_final(app_context)
        if keep:
            await take_snapshot(
                app_context.database,
                app_context.contracts,
                FundDocuments(app_context.database, app_context.redis),
                material_threshold=MATERIAL_THRESHOLD,
                keep=True,
            )
        if compare:
            compared.append(await reconcile(app_context.database, app_context.contracts))

    def between_blocks(_done: float) -> None:
        keep = rng.randrange(_BLOCKS_PER_SNAPSHOT) == 0
        compare = keep and rng.randrange(_SNAPSHOTS_PER_RECONCILIATION) == 0
        asyncio.run_coroutine_threadsafe(follow(keep=keep, compare=compare), loop).result()

    accounts = fund.accounts.fund_accounts()
    summary = await asyncio.to_thread(
        generate_history,
        fund.rpc_url,
        fund.deployment,
        accounts,
        seed=seed,
        artifacts=ARTIFACTS,
        actions=actions,
        progress=between_blocks,
    )
    return summary, compared


async def prove_history(
    app_context: AppContext, fund: TestFund, owner: AsyncEngine, *, seed: int, actions: int
) -> HistoryProof:
    """Lay the history, follow it, and compare everything with everything."""
    began = time.monotonic()
    await record_all(app_context, fund)
    await take_snapshot(
        app_context.database,
        app_context.contracts,
        FundDocuments(app_context.database, app_context.redis),
        material_threshold=MATERIAL_THRESHOLD,
        keep=True,
    )
    summary, compared = await generate_and_record(app_context, fund, seed=seed, actions=actions)
    await record_all(app_context, fund)
    await take_snapshot(
        app_context.database,
        app_context.contracts,
        FundDocuments(app_context.database, app_context.redis),
        material_threshold=MATERIAL_THRESHOLD,
        keep=True,
    )
    compared.append(await reconcile(app_context.database, app_context.contracts))
    rebuilt = (await check_replay(owner, app_context.contracts)).comparison
    async with app_context.database.read() as session:
        logs = await session.scalar(select(func.count()).select_from(RawLogRow))
        lost = select(func.count()).select_from(RawLogRow).where(RawLogRow.status == LogStatus.QUARANTINED)
        quarantined = await session.scalar(lost)
        kept = select(ObservationRow.data).where(ObservationRow.kind == KEPT_KIND).order_by(ObservationRow.block_number)
        snapshots = [from_stored_json(data) for data in await session.scalars(kept)]
        told = []
        for earlier, later in pairwise(snapshots):
            nav_inputs = await load_nav_inputs(session, after=earlier.at.number, until=later.at.number)
            told.append(attribute_nav_change(earlier, later, nav_inputs))
    return HistoryProof(
        summary=summary,
        logs=int(logs or 0),
        quarantined=int(quarantined or 0),
        snapshots=len(snapshots),
        comparisons=len(compared),
        differences=[f"block {each.at.number}, {found}" for each in compared for found in each.discrepancies],
        rows_differing=[str(each) for each in rebuilt.examples],
        blocks_with_tier_mismatch=[each.at.number for each in snapshots if not each.tier_values_match],
        not_summing=[_between(each) for each in told if _sum(each) != _change(each.start, each.end)],
        unexplained=[f"{_between(each)}: {line}" for each in told for line in _shown(each)],
        seconds=time.monotonic() - began,
    )


def _change(start: FundSnapshot, end: FundSnapshot) -> tuple[int, int]:
    return end.net_assets - start.net_assets, end.nav_per_share - start.nav_per_share


def _sum(told: NavAttribution) -> tuple[int, int]:
    return sum(each.amount for each in told.components), sum(each.per_share for each in told.components)


def _between(told: NavAttribution) -> str:
    return f"blocks {told.start.at.number} to {told.end.at.number}"


def _shown(told: NavAttribution) -> list[str]:
    return [
        f"{each.key.kind} {checksum(each.key.token) if each.key.token else ''} {each.amount} {each.per_share}"
        for each in told.unexplained
    ]
