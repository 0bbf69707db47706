"""A simulated market's history, recorded by the real listener while it is generated, and the proof that everything agrees."""

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
from tests.support.prices import ANY_PRICE
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
"""On average: some snapshots follow each other from block to block, others are far apart."""
_SNAPSHOTS_PER_RECONCILIATION: Final = 20
"""Reconciliations on the way find discrepancies that cancel out before the end."""


@dataclass(frozen=True, slots=True)
class HistoryProof:
    """Result of one history. All lists must be empty."""

    summary: Summary
    logs: int
    quarantined: int
    snapshots: int
    reconciliations: int
    differences: list[str]
    rows_differing: list[str]
    blocks_with_tier_mismatch: list[int]
    not_summing: list[str]
    unexplained: list[str]
    seconds: float

    def __str__(self) -> str:
        return (
            f"seed {self.summary.seed}: {self.summary.actions} actions, {self.logs} logs, {self.quarantined} quarantined,"
            f" {self.snapshots} snapshots, {max(self.snapshots - 1, 0)} pairs, {self.reconciliations} reconciliations,"
            f" {len(self.differences)} differences,"
            f" {len(self.rows_differing)} rows differ in replay, {len(self.not_summing)} sums wrong,"
            f" {len(self.unexplained)} unexplained, {self.seconds:.0f} s"
        )


async def generate_and_record(
    app_context: AppContext, fund: TestFund, *, seed: int, actions: int
) -> tuple[Summary, list[Reconciliation]]:
    """Generate a history and record it block by block.

    At some blocks, the same ones for one seed, a snapshot is kept and a reconciliation is made.
    """
    loop, rng = asyncio.get_running_loop(), Random(seed)
    reconciliations: list[Reconciliation] = []

    async def record_block(*, keep: bool, reconciles: bool) -> None:
        await record_final(app_context)
        if keep:
            await take_snapshot(
                app_context.database,
                app_context.contracts,
                FundDocuments(app_context.database, app_context.redis),
                material_threshold=MATERIAL_THRESHOLD,
                prices=ANY_PRICE,
                keep=True,
            )
        if reconciles:
            reconciliations.append(await reconcile(app_context.database, app_context.contracts))

    def between_blocks(_done: float) -> None:
        keep = rng.randrange(_BLOCKS_PER_SNAPSHOT) == 0
        reconciles = keep and rng.randrange(_SNAPSHOTS_PER_RECONCILIATION) == 0
        asyncio.run_coroutine_threadsafe(record_block(keep=keep, reconciles=reconciles), loop).result()

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
    return summary, reconciliations


async def prove_history(
    app_context: AppContext, fund: TestFund, owner: AsyncEngine, *, seed: int, actions: int
) -> HistoryProof:
    """Generate a history, record it, and compare tables, contracts, snapshots and attributions with each other."""
    began = time.monotonic()
    await record_all(app_context, fund)
    await take_snapshot(
        app_context.database,
        app_context.contracts,
        FundDocuments(app_context.database, app_context.redis),
        material_threshold=MATERIAL_THRESHOLD,
        prices=ANY_PRICE,
        keep=True,
    )
    summary, reconciliations = await generate_and_record(app_context, fund, seed=seed, actions=actions)
    await record_all(app_context, fund)
    await take_snapshot(
        app_context.database,
        app_context.contracts,
        FundDocuments(app_context.database, app_context.redis),
        material_threshold=MATERIAL_THRESHOLD,
        prices=ANY_PRICE,
        keep=True,
    )
    reconciliations.append(await reconcile(app_context.database, app_context.contracts))
    rebuilt = (await check_replay(owner, app_context.contracts)).comparison
    async with app_context.database.read() as session:
        logs = await session.scalar(select(func.count()).select_from(RawLogRow))
        quarantined_logs = select(func.count()).select_from(RawLogRow).where(RawLogRow.status == LogStatus.QUARANTINED)
        quarantined = await session.scalar(quarantined_logs)
        kept = select(ObservationRow.data).where(ObservationRow.kind == KEPT_KIND).order_by(ObservationRow.block_number)
        snapshots = [from_stored_json(data) for data in await session.scalars(kept)]
        attributions = []
        for earlier, later in pairwise(snapshots):
            nav_inputs = await load_nav_inputs(session, after=earlier.at.number, until=later.at.number)
            attributions.append(attribute_nav_change(earlier, later, nav_inputs))
    return HistoryProof(
        summary=summary,
        logs=int(logs or 0),
        quarantined=int(quarantined or 0),
        snapshots=len(snapshots),
        reconciliations=len(reconciliations),
        differences=[f"block {result.at.number}, {found}" for result in reconciliations for found in result.discrepancies],
        rows_differing=[str(difference) for difference in rebuilt.examples],
        blocks_with_tier_mismatch=[snapshot.at.number for snapshot in snapshots if not snapshot.tier_values_match],
        not_summing=[_blocks(change) for change in attributions if _sum(change) != _change(change.start, change.end)],
        unexplained=[f"{_blocks(change)}: {line}" for change in attributions for line in _unexplained(change)],
        seconds=time.monotonic() - began,
    )


def _change(start: FundSnapshot, end: FundSnapshot) -> tuple[int, int]:
    return end.net_assets - start.net_assets, end.nav_per_share - start.nav_per_share


def _sum(attribution: NavAttribution) -> tuple[int, int]:
    return (
        sum(component.amount for component in attribution.components),
        sum(component.per_share for component in attribution.components),
    )


def _blocks(attribution: NavAttribution) -> str:
    return f"blocks {attribution.start.at.number} to {attribution.end.at.number}"


def _unexplained(attribution: NavAttribution) -> list[str]:
    return [
        f"{part.key.kind} {checksum(part.key.token) if part.key.token else ''} {part.amount} {part.per_share}"
        for part in attribution.unexplained
    ]
