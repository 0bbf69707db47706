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
from paimon.application.common.recorded_block import hold_recorded
from paimon.application.nav.overview import kept_at
from paimon.application.reconciliation.catalogue_figures import (
    CatalogueBooks,
    catalogue_book_figures,
    catalogue_chain_figures,
    load_catalogue,
)
from paimon.application.risk_control.record_findings import keep_differences
from paimon.application.vault.tokens import observe_tokens
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, Hash32, checksum
from paimon.domain.kernel.units import Bps, RawAmount
from paimon.domain.projection import Flag, RoleKey
from paimon.domain.redemption.request import Channel, OnChainStatus, Redemption
from paimon.domain.risk.discrepancy import Difference, compare, named_or_number
from paimon.domain.risk.nav_publication import MATERIAL, Worth
from paimon.domain.risk.risk_event import RiskEvent, findings
from paimon.domain.vault.share_balance import Holding
from paimon.infrastructure.blockchain.contracts import FundContracts, NoAnswer, Read
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import ContractFlagRow, RedemptionRequestRow, RoleHolderRow
from paimon.infrastructure.database.models.derived import HoldingRow as HoldingRow
from paimon.infrastructure.database.models.ops.reconciliation import ReconciliationRow
from paimon.infrastructure.database.rows.redemption import to_domain
from paimon.infrastructure.database.sessions import Database, ReadSession

log = structlog.get_logger(__name__)

_FLAGS: Final[tuple[tuple[ContractName, Flag, str], ...]] = (
    (ContractName.VAULT, Flag.PAUSED, "paused"),
    (ContractName.REDEMPTION_MANAGER, Flag.PAUSED, "paused"),
    (ContractName.ASSET_CONTROLLER, Flag.PAUSED, "paused"),
    (ContractName.VAULT, Flag.EMERGENCY_MODE, "emergencyMode"),
)


class NothingRecorded(Exception):
    """There are no books yet to compare."""


@dataclass(slots=True)
class Books:
    """The derived tables at the cursor's block. `roles_seen` are all that ever appeared, held or not."""

    at: BlockStamp
    holdings: list[Holding] = field(default_factory=list)
    redemptions: list[Redemption] = field(default_factory=list)
    roles_held: set[RoleKey] = field(default_factory=set)
    roles_seen: set[RoleKey] = field(default_factory=set)
    flags: dict[tuple[ContractName, Flag], bool] = field(default_factory=dict)
    locked_navs: dict[int, int] = field(default_factory=dict)
    catalogue: CatalogueBooks = field(default_factory=CatalogueBooks)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """`events` are the differences there are now as people take them up: with age, owner and severity."""

    at: BlockStamp
    figures_compared: int
    differences: tuple[Difference, ...]
    events: tuple[RiskEvent, ...]
    compared_at: datetime


async def reconcile(database: Database, contracts: FundContracts, *, material: Bps = MATERIAL) -> Reconciliation:
    """Compare, and keep the result: each difference as a risk event, those that are gone as resolved.

    Raises:
        NothingRecorded, CallReverted, RpcUnavailable, RpcError.
    """
    await observe_tokens(database, contracts)
    async with database.read() as session:
        books = await _load_books(session)
    book = book_figures(books) | catalogue_book_figures(books.catalogue)
    chain = await _chain_figures(contracts, books)
    chain |= await catalogue_chain_figures(contracts, books.catalogue, at=books.at)
    differences = tuple(compare(book, chain))
    figures_compared = len(book.keys() | chain.keys())
    async with database.write() as session:
        if not await hold_recorded(session, books.at):
            raise NothingRecorded(f"block {books.at} was given up by a recovery while it was compared; compare again")
        snapshot = await kept_at(session, books.at.number)
        worth = None if snapshot is None else Worth.of(snapshot)
        found = findings(differences, worth, threshold=material)
        events = await keep_differences(session, found, block=books.at.number)
        session.add(
            ReconciliationRow(
                block_number=books.at.number,
                block_hash=books.at.hash,
                figures_compared=figures_compared,
                differences=[{"subject": each.subject, "book": each.book, "chain": each.chain} for each in differences],
            )
        )
        compared_at = await database_now(session)
    log.info("books.reconciled", figures=figures_compared, differences=len(differences), block=books.at.number)
    return Reconciliation(books.at, figures_compared, differences, tuple(events), compared_at)


async def _load_books(session: ReadSession) -> Books:
    at = await chain_position(session)
    if at is None:
        raise NothingRecorded("the listener has recorded nothing yet; there is nothing to compare")
    books = Books(at)
    for row in await session.scalars(select(HoldingRow)):
        books.holdings.append(Holding(Address(row.holder), RawAmount(row.shares), RawAmount(row.locked_shares)))
    for request in await session.scalars(select(RedemptionRequestRow).order_by(RedemptionRequestRow.request_id)):
        books.redemptions.append(to_domain(request))
    for role in await session.scalars(select(RoleHolderRow)):
        books.roles_held.add((role.contract, role.role, Address(role.account)))
    for flag in await session.scalars(select(ContractFlagRow)):
        books.flags[flag.contract, Flag(flag.flag)] = flag.enabled
    for contract, role_id, account in await session.execute(_ROLES_SEEN):
        books.roles_seen.add((ContractName(contract), Hash32(role_id), Address(account)))
    for subject, nav in await session.execute(_LOCKED_NAVS):
        books.locked_navs[int(subject)] = int(nav)
    books.catalogue = await load_catalogue(session)
    return books


_ROLES_SEEN = text("SELECT DISTINCT contract, role, account FROM derived.role_changes")

_LOCKED_NAVS = text("""
    SELECT DISTINCT ON (subject) subject, data ->> 'lockedNav'
      FROM derived.observations WHERE kind = 'locked_nav' ORDER BY subject, block_number DESC
""")


def book_figures(books: Books) -> dict[str, Hashable]:
    """Every figure the books hold, by subject."""
    figures: dict[str, Hashable] = {
        "supply": sum(each.shares for each in books.holdings),
        "locked shares": sum(each.locked_shares for each in books.holdings),
        "redemption liability": sum(each.gross_amount for each in books.redemptions if each.is_open),
        "request count": len(books.redemptions),
    }
    for holding in books.holdings:
        figures[f"shares of {checksum(holding.holder)}"] = int(holding.shares)
        figures[f"locked shares of {checksum(holding.holder)}"] = int(holding.locked_shares)
    for redemption in books.redemptions:
        for name, value in _request_figures(redemption, books.locked_navs.get(redemption.request_id)).items():
            figures[f"request {redemption.request_id} {name}"] = value
    for contract, role, account in books.roles_seen:
        figures[_role_subject(contract, role, account)] = (contract, role, account) in books.roles_held
    for contract, flag, _ in _FLAGS:
        figures[f"{contract} {flag}"] = books.flags.get((contract, flag), False)
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


async def _chain_figures(contracts: FundContracts, books: Books) -> dict[str, Hashable]:
    """The same subjects as `book_figures`, read at the books' block; requests the books do not know included."""
    vault, manager = ContractName.VAULT, ContractName.REDEMPTION_MANAGER
    supply, locked, liability, count = await contracts.read(
        [
            Read(vault, "totalSupply"),
            Read(vault, "totalLockedShares"),
            Read(vault, "totalRedemptionLiability"),
            Read(manager, "getRequestCount"),
        ],
        at=books.at,
    )
    figures: dict[str, Hashable] = {
        "supply": supply,
        "locked shares": locked,
        "redemption liability": liability,
        "request count": count,
    }
    questions: list[tuple[str, Read]] = []
    for holding in books.holdings:
        questions.append((f"shares of {checksum(holding.holder)}", Read(vault, "balanceOf", (holding.holder,))))
        questions.append((f"locked shares of {checksum(holding.holder)}", Read(vault, "lockedSharesOf", (holding.holder,))))
    for contract, role, account in books.roles_seen:
        questions.append((_role_subject(contract, role, account), Read(contract, "hasRole", (role, account))))
    for contract, flag, function in _FLAGS:
        questions.append((f"{contract} {flag}", Read(contract, function)))
    answers = await contracts.read([read for _, read in questions], at=books.at)
    figures.update(zip((subject for subject, _ in questions), answers, strict=True))
    ids = range(1, count + 1)
    requests = await contracts.try_read([Read(manager, "getRedemptionRequest", (each,)) for each in ids], at=books.at)
    for request in (each for each in requests if not isinstance(each, NoAnswer)):  # without an answer: absent on chain
        figures.update(chain_request_figures(request, with_nav=request["requestId"] in books.locked_navs))
    return figures


def chain_request_figures(request: Mapping[str, Any], *, with_nav: bool) -> dict[str, Hashable]:
    prefix = f"request {request['requestId']} "
    names = ["shares", "grossAmount", "requestTime", "settlementTime", "requiresApproval", "windowId"]
    names += ["lockedNav"] if with_nav else []
    return {
        **{prefix + name: request[name] for name in names},
        prefix + "owner": checksum(request["owner"]),
        prefix + "receiver": checksum(request["receiver"]),
        prefix + "status": named_or_number(tuple(OnChainStatus), request["status"]),
        prefix + "channel": named_or_number(tuple(Channel), request["channel"]),
    }
