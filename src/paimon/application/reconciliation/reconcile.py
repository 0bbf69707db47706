"""The books against the chain at one block: everything the events added up to beside what the contracts say.

Compared are supply, every holding, locked shares, the redemption liability, the number of requests and every request,
roles, pauses and the emergency flag; and the catalogue's figures (`catalogue_figures`): assets, tiers, OTC orders, token
balances, fees, appointments. Both sides are taken at the cursor's block: the books from one database snapshot,
the chain by reads pinned to that block's hash. A number on chain that stands for nothing we know (a status, a channel,
a tier of a later version) is a difference like any other.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import select, text

from paimon.application.common.chain_position import chain_position
from paimon.application.common.recorded_block import lock_recorded_block
from paimon.application.nav.overview import find_kept_snapshot
from paimon.application.reconciliation.catalogue_figures import (
    RecordedCatalogue,
    load_catalogue,
    read_chain_catalogue_figures,
    recorded_catalogue_figures,
)
from paimon.application.risk_control.record_findings import record_differences
from paimon.application.vault.tokens import observe_tokens
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, Hash32, checksum
from paimon.domain.kernel.units import Bps, RawAmount
from paimon.domain.projection import ContractFlag, RoleKey
from paimon.domain.redemption.request import OnChainStatus, Redemption, RedemptionChannel
from paimon.domain.risk.discrepancy import Discrepancy, enum_name_or_number, find_discrepancies
from paimon.domain.risk.nav_publication import MATERIAL_THRESHOLD, ValuationBasis
from paimon.domain.risk.risk_event import RiskEvent, discrepancy_findings
from paimon.domain.vault.share_balance import Holding
from paimon.infrastructure.blockchain.contracts.fund import ContractRead, FailedRead, FundContracts
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import ContractFlagRow, RedemptionRequestRow, RoleHolderRow
from paimon.infrastructure.database.models.derived import ShareBalanceRow as ShareBalanceRow
from paimon.infrastructure.database.models.ops.reconciliation import ReconciliationRow
from paimon.infrastructure.database.rows.redemption import to_domain
from paimon.infrastructure.database.sessions import Database, ReadSession

log = structlog.get_logger(__name__)

_FLAGS: Final[tuple[tuple[ContractName, ContractFlag, str], ...]] = (
    (ContractName.VAULT, ContractFlag.PAUSED, "paused"),
    (ContractName.REDEMPTION_MANAGER, ContractFlag.PAUSED, "paused"),
    (ContractName.ASSET_CONTROLLER, ContractFlag.PAUSED, "paused"),
    (ContractName.VAULT, ContractFlag.EMERGENCY_MODE, "emergencyMode"),
)


class NothingRecorded(Exception):
    """There are no books yet to compare."""


@dataclass(slots=True)
class RecordedState:
    """The derived tables at the cursor's block. `roles_seen` are all that ever appeared, held or not."""

    at: BlockStamp
    holdings: list[Holding] = field(default_factory=list)
    redemptions: list[Redemption] = field(default_factory=list)
    roles_held: set[RoleKey] = field(default_factory=set)
    roles_seen: set[RoleKey] = field(default_factory=set)
    flags: dict[tuple[ContractName, ContractFlag], bool] = field(default_factory=dict)
    locked_navs: dict[int, int] = field(default_factory=dict)
    catalogue: RecordedCatalogue = field(default_factory=RecordedCatalogue)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """`events` are the differences there are now as people take them up: with age, owner and severity."""

    at: BlockStamp
    figures_compared: int
    discrepancies: tuple[Discrepancy, ...]
    events: tuple[RiskEvent, ...]
    compared_at: datetime


async def reconcile(database: Database, contracts: FundContracts, *, material: Bps = MATERIAL_THRESHOLD) -> Reconciliation:
    """Compare, and keep the result: each difference as a risk event, those that are gone as resolved.

    Raises:
        NothingRecorded, CallReverted, RpcUnavailable, RpcError.
    """
    await observe_tokens(database, contracts)
    async with database.read() as session:
        state = await _load_recorded_state(session)
    recorded = recorded_figures(state) | recorded_catalogue_figures(state.catalogue)
    chain = await _chain_figures(contracts, state)
    chain |= await read_chain_catalogue_figures(contracts, state.catalogue, at=state.at)
    discrepancies = tuple(find_discrepancies(recorded, chain))
    figures_compared = len(recorded.keys() | chain.keys())
    async with database.write() as session:
        if not await lock_recorded_block(session, state.at):
            raise NothingRecorded(f"block {state.at} was given up by a recovery while it was compared; compare again")
        snapshot = await find_kept_snapshot(session, state.at.number)
        valuation = None if snapshot is None else ValuationBasis.of(snapshot)
        found = discrepancy_findings(discrepancies, valuation, threshold=material)
        events = await record_differences(session, found, block=state.at.number)
        session.add(
            ReconciliationRow(
                block_number=state.at.number,
                block_hash=state.at.hash,
                figures_compared=figures_compared,
                discrepancies=[{"subject": each.subject, "recorded": each.recorded_value, "chain": each.chain_value} for each in discrepancies],
            )
        )
        compared_at = await database_now(session)
    log.info("reconciliation.completed", figures=figures_compared, discrepancies=len(discrepancies), block=state.at.number)
    return Reconciliation(state.at, figures_compared, discrepancies, tuple(events), compared_at)


async def _load_recorded_state(session: ReadSession) -> RecordedState:
    at = await chain_position(session)
    if at is None:
        raise NothingRecorded("the listener has recorded nothing yet; there is nothing to compare")
    state = RecordedState(at)
    for row in await session.scalars(select(ShareBalanceRow)):
        state.holdings.append(Holding(Address(row.holder), RawAmount(row.shares), RawAmount(row.locked_shares)))
    for request in await session.scalars(select(RedemptionRequestRow).order_by(RedemptionRequestRow.request_id)):
        state.redemptions.append(to_domain(request))
    for role in await session.scalars(select(RoleHolderRow)):
        state.roles_held.add((role.contract, role.role, Address(role.account)))
    for flag in await session.scalars(select(ContractFlagRow)):
        state.flags[flag.contract, ContractFlag(flag.flag)] = flag.enabled
    for contract, role_id, account in await session.execute(_ROLES_SEEN):
        state.roles_seen.add((ContractName(contract), Hash32(role_id), Address(account)))
    for subject, nav in await session.execute(_LOCKED_NAVS):
        state.locked_navs[int(subject)] = int(nav)
    state.catalogue = await load_catalogue(session)
    return state


_ROLES_SEEN = text("SELECT DISTINCT contract, role, account FROM derived.role_changes")

_LOCKED_NAVS = text("""
    SELECT DISTINCT ON (subject) subject, data ->> 'lockedNav'
      FROM derived.observations WHERE kind = 'locked_nav' ORDER BY subject, block_number DESC
""")


def recorded_figures(state: RecordedState) -> dict[str, Hashable]:
    """Every figure the books hold, by subject."""
    figures: dict[str, Hashable] = {
        "supply": sum(each.shares for each in state.holdings),
        "locked shares": sum(each.locked_shares for each in state.holdings),
        "redemption liability": sum(each.gross_amount for each in state.redemptions if each.is_open),
        "request count": len(state.redemptions),
    }
    for holding in state.holdings:
        figures[f"shares of {checksum(holding.holder)}"] = int(holding.shares)
        figures[f"locked shares of {checksum(holding.holder)}"] = int(holding.locked_shares)
    for redemption in state.redemptions:
        for name, value in _request_figures(redemption, state.locked_navs.get(redemption.request_id)).items():
            figures[f"request {redemption.request_id} {name}"] = value
    for contract, role, account in state.roles_seen:
        figures[_role_subject(contract, role, account)] = (contract, role, account) in state.roles_held
    for contract, flag, _ in _FLAGS:
        figures[f"{contract} {flag}"] = state.flags.get((contract, flag), False)
    return figures


def _role_subject(contract: ContractName, role: Hash32, account: Address) -> str:
    return f"role {role.hex()[:8]} of {checksum(account)} on {contract}"


def _request_figures(redemption: Redemption, locked_nav: int | None) -> dict[str, Hashable]:
    settlement = int(redemption.settlement_at.timestamp()) if redemption.settlement_at else 0
    figures: dict[str, Hashable] = {
        "owner": checksum(redemption.owner),
        "receiver": checksum(redemption.receiver),
        "shares": int(redemption.shares),
        "grossAmount": int(redemption.gross_amount),
        "requestTime": int(redemption.requested_at.timestamp()),
        "settlementTime": settlement,
        "status": redemption.on_chain_status.name,
        "channel": redemption.channel.value,
        "requiresApproval": redemption.requires_approval,
        "windowId": redemption.window_id,
    }
    return figures if locked_nav is None else figures | {"lockedNav": locked_nav}


async def _chain_figures(contracts: FundContracts, state: RecordedState) -> dict[str, Hashable]:
    """The same subjects as `recorded_figures`, read at the books' block; requests the books do not know included."""
    vault, manager = ContractName.VAULT, ContractName.REDEMPTION_MANAGER
    supply, locked, liability, count = await contracts.read(
        [
            ContractRead(vault, "totalSupply"),
            ContractRead(vault, "totalLockedShares"),
            ContractRead(vault, "totalRedemptionLiability"),
            ContractRead(manager, "getRequestCount"),
        ],
        at=state.at,
    )
    figures: dict[str, Hashable] = {
        "supply": supply,
        "locked shares": locked,
        "redemption liability": liability,
        "request count": count,
    }
    reads: list[tuple[str, ContractRead]] = []
    for holding in state.holdings:
        reads.append((f"shares of {checksum(holding.holder)}", ContractRead(vault, "balanceOf", (holding.holder,))))
        reads.append((f"locked shares of {checksum(holding.holder)}", ContractRead(vault, "lockedSharesOf", (holding.holder,))))
    for contract, role, account in state.roles_seen:
        reads.append((_role_subject(contract, role, account), ContractRead(contract, "hasRole", (role, account))))
    for contract, flag, function in _FLAGS:
        reads.append((f"{contract} {flag}", ContractRead(contract, function)))
    answers = await contracts.read([read for _, read in reads], at=state.at)
    figures.update(zip((subject for subject, _ in reads), answers, strict=True))
    ids = range(1, count + 1)
    requests = await contracts.try_read([ContractRead(manager, "getRedemptionRequest", (each,)) for each in ids], at=state.at)
    for request in (each for each in requests if not isinstance(each, FailedRead)):  # without an answer: absent on chain
        figures.update(chain_request_figures(request, with_nav=request["requestId"] in state.locked_navs))
    return figures


def chain_request_figures(request: Mapping[str, Any], *, with_nav: bool) -> dict[str, Hashable]:
    prefix = f"request {request['requestId']} "
    names = ["shares", "grossAmount", "requestTime", "settlementTime", "requiresApproval", "windowId"]
    names += ["lockedNav"] if with_nav else []
    return {
        **{prefix + name: request[name] for name in names},
        prefix + "owner": checksum(request["owner"]),
        prefix + "receiver": checksum(request["receiver"]),
        prefix + "status": enum_name_or_number(tuple(OnChainStatus), request["status"]),
        prefix + "channel": enum_name_or_number(tuple(RedemptionChannel), request["channel"]),
    }
