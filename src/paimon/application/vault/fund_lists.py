"""Assets and fees at a snapshot, with recorded facts: a token's symbol, and what was ever accrued and paid."""

from collections.abc import Mapping
from dataclasses import dataclass

from paimon.application.nav.as_of import snapshot_as_of
from paimon.application.oracle.queries import JudgedPrice, load_judged_prices
from paimon.application.vault.queries import sum_fee_entries
from paimon.application.vault.store import load_tokens
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.vault.fees import FeeEntryType, FeeKind
from paimon.domain.vault.fund_snapshot import AssetPosition, FundSnapshot
from paimon.infrastructure.database.paging import Page, PageRequest, paginate
from paimon.infrastructure.database.sessions import ReadSession


@dataclass(frozen=True, slots=True)
class AssetList:
    """Assets of one snapshot, with the judgements of their prices. A symbol is the token's own, missing until it was read."""

    snapshot: FundSnapshot
    symbols: dict[Address, str]
    judged: Mapping[Address, JudgedPrice]
    page: Page[AssetPosition]


async def list_assets(
    session: ReadSession, page: PageRequest, *, block: int | None, tier: Tier | None, active: bool | None
) -> AssetList:
    """Return every asset the controller ever had, by tier.

    Raises:
        NoSnapshotYet, NothingRecorded, BlockNotRecorded, SnapshotNotFound.
    """
    snapshot = await snapshot_as_of(session, block)
    matching = [
        position for position in snapshot.assets if tier in (None, position.tier) and active in (None, position.is_listed)
    ]
    matching.sort(key=lambda position: position.tier)  # stable: the controller's order within a tier
    symbols = {token: terms.symbol for token, terms in (await load_tokens(session)).items()}
    judged = await load_judged_prices(session, block=snapshot.at.number)
    return AssetList(snapshot, symbols, judged, paginate(matching, page))


@dataclass(frozen=True, slots=True)
class FeeTotals:
    """One kind of fee up to a block: `accrued` and `paid` from events, `owed` and `pending` from the contracts."""

    kind: FeeKind
    accrued: RawAmount
    paid: RawAmount
    owed: RawAmount
    pending: RawAmount


async def read_fees(session: ReadSession, *, block: int | None) -> tuple[FundSnapshot, list[FeeTotals]]:
    """Return a snapshot and the fees at its block.

    Raises:
        NoSnapshotYet, NothingRecorded, BlockNotRecorded, SnapshotNotFound.
    """
    snapshot = await snapshot_as_of(session, block)
    fees = snapshot.fees
    totals = await sum_fee_entries(session, until=snapshot.at.number)
    kept = snapshot.withdrawable_redemption_fees
    owed_and_pending = {
        FeeKind.MANAGEMENT: (fees.accrued_management, fees.pending_management),
        FeeKind.PERFORMANCE: (fees.accrued_performance, fees.pending_performance),
        FeeKind.REDEMPTION: (kept, kept),
    }
    return snapshot, [
        FeeTotals(
            kind,
            RawAmount(totals.get((kind, FeeEntryType.ACCRUED), 0)),
            RawAmount(totals.get((kind, FeeEntryType.PAID), 0)),
            owed,
            pending,
        )
        for kind, (owed, pending) in owed_and_pending.items()
    ]
