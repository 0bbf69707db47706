"""Reconciliation: compare the recorded state with the chain at one block.

Compared are supply, every holding, locked shares, the redemption liability, the number of requests and every request, roles,
pauses and the emergency flag (`fund_figures`); and assets, tiers, OTC orders, token balances, fees and protocol addresses
(`catalogue_figures`). Both sides are taken at the cursor's block: the recorded one from one database snapshot, the chain's by
reads pinned to that block's hash. A figure that the deployment's contracts cannot show is not compared.
"""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime

import structlog

from paimon.application.common.chain_position import NothingRecorded
from paimon.application.common.recorded_block import lock_recorded_block
from paimon.application.deployment.store import find_deployment
from paimon.application.nav.store import find_kept_snapshot
from paimon.application.reconciliation.catalogue_figures import (
    FigureMap,
    read_chain_catalogue_figures,
    recorded_catalogue_figures,
)
from paimon.application.reconciliation.fund_figures import read_chain_figures, recorded_figures
from paimon.application.reconciliation.store import add_reconciliation, load_recorded_state
from paimon.application.risk_control.record_findings import record_discrepancies
from paimon.application.vault.tokens import observe_tokens
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.kernel.units import Bps
from paimon.domain.risk.discrepancy import Discrepancy, find_discrepancies
from paimon.domain.risk.nav_publication import MATERIAL_THRESHOLD, ValuationBasis
from paimon.domain.risk.risk_event import RiskEvent, discrepancy_findings
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Result of one reconciliation. `events` are the unresolved breaks, with age, owner and severity."""

    at: BlockStamp
    figures_compared: int
    discrepancies: tuple[Discrepancy, ...]
    events: tuple[RiskEvent, ...]
    compared_at: datetime


def _without(figures: FigureMap, subjects: Set[str]) -> FigureMap:
    return {subject: value for subject, value in figures.items() if subject not in subjects}


async def reconcile(
    database: Database, contracts: FundContracts, *, material_threshold: Bps = MATERIAL_THRESHOLD
) -> Reconciliation:
    """Compare the recorded state with the chain and record the result.

    Each discrepancy becomes a risk event; the event of one that was not found again is resolved.

    Raises:
        NothingRecorded, CallReverted, RpcUnavailable, RpcError.
    """
    await observe_tokens(database, contracts)
    async with database.read() as session:
        state = await load_recorded_state(session)
        deployment = await find_deployment(session)
    recorded = recorded_figures(state) | recorded_catalogue_figures(state.catalogue)
    on_chain = await read_chain_figures(contracts, state, deployment)
    on_chain |= await read_chain_catalogue_figures(contracts, state.catalogue, at=state.at, deployment=deployment)
    unseen = {subject for subject, value in on_chain.items() if value is None}  # the deployment cannot show them
    recorded, on_chain = _without(recorded, unseen), _without(on_chain, unseen)
    discrepancies = tuple(find_discrepancies(recorded, on_chain))
    figures_compared = len(recorded.keys() | on_chain.keys())
    async with database.write() as session:
        if not await lock_recorded_block(session, state.at):
            raise NothingRecorded(f"block {state.at} was removed by a recovery while it was compared; compare again")
        snapshot = await find_kept_snapshot(session, state.at.number)
        valuation = None if snapshot is None else ValuationBasis.of(snapshot)
        findings = discrepancy_findings(discrepancies, valuation, threshold=material_threshold)
        events = await record_discrepancies(session, findings, block=state.at.number)
        add_reconciliation(session, state.at, figures_compared=figures_compared, discrepancies=discrepancies)
        compared_at = await database_now(session)
    log.info("reconciliation.completed", figures=figures_compared, discrepancies=len(discrepancies), block=state.at.number)
    return Reconciliation(state.at, figures_compared, discrepancies, tuple(events), compared_at)
