"""Assets and fees as a snapshot shows them, with what the books add: a token's symbol, what was ever accrued and paid."""

from dataclasses import dataclass

from sqlalchemy import func, select

from paimon.application.nav.as_of import snapshot_as_of
from paimon.application.vault.tokens import load_tokens
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.vault.fees import FeeEntryType, FeeKind
from paimon.domain.vault.fund_snapshot import AssetPosition, FundSnapshot
from paimon.infrastructure.database.models.derived import FeeEntryRow
from paimon.infrastructure.database.paging import Page, PageRequest, paginate
from paimon.infrastructure.database.sessions import ReadSession


@dataclass(frozen=True, slots=True)
class AssetList:
    """Assets of one snapshot. A symbol is the token's own word, and None until it was read."""

    snapshot: FundSnapshot
    symbols: dict[Address, str]
    page: Page[AssetPosition]


async def list_assets(
    session: ReadSession, page: PageRequest, *, block: int | None, tier: Tier | None, active: bool | None
) -> AssetList:
    """Every asset the controller ever knew, by tier.

    Raises:
        NothingRecordedYet, BlockNotRecorded, SnapshotNotFound.
    """
    snapshot = await snapshot_as_of(session, block)
    matching = [each for each in snapshot.assets if tier in (None, each.tier) and active in (None, each.is_listed)]
    matching.sort(key=lambda each: each.tier)  # stable: within a tier, the controller's order
    symbols = {token: terms.symbol for token, terms in (await load_tokens(session)).items()}
    return AssetList(snapshot, symbols, paginate(matching, page))


@dataclass(frozen=True, slots=True)
class FeeTotals:
    """One kind of fee up to a block: the totals as the events tell them, owed and pending as the contracts do."""

    kind: FeeKind
    accrued: RawAmount
    paid: RawAmount
    owed: RawAmount
    pending: RawAmount


async def read_fees(session: ReadSession, *, block: int | None) -> tuple[FundSnapshot, list[FeeTotals]]:
    """The fees at a snapshot's block.

    Raises:
        NothingRecordedYet, BlockNotRecorded, SnapshotNotFound.
    """
    snapshot = await snapshot_as_of(session, block)
    entry, fees = FeeEntryRow, snapshot.fees
    sums = select(entry.kind, entry.entry_type, func.sum(entry.amount)).where(entry.block_number <= snapshot.at.number)
    totals = {(kind, step): int(total) for kind, step, total in await session.execute(sums.group_by(entry.kind, entry.entry_type))}
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
