"""Assets the fund may hold, and the bands of its tiers, as the events log them.

An asset's adapter is logged only when it changes, its purchase terms never, and a tier's first band never (deployed
behaviour 6). Those are known only from contract reads.
"""

from dataclasses import dataclass, replace

from paimon.domain.asset.tier import Tier
from paimon.domain.events import (
    AssetAdapterUpdated,
    AssetAdded,
    AssetAllocationUpdated,
    AssetEvent,
    AssetRemoved,
    LayerConfigUpdated,
)
from paimon.domain.events.errors import InapplicableEvent
from paimon.domain.kernel.chain import Address, BlockStamp, checksum
from paimon.domain.kernel.units import BPS_ONE, Bps


def find_tier(number: int) -> Tier | None:
    """Return the tier of this number; None for a number the interface does not know."""
    return dict(enumerate(Tier)).get(number)


def _require_tier(number: int) -> Tier:
    if (tier := find_tier(number)) is None:
        raise InapplicableEvent(f"tier {number} is none of 0 L1, 1 L2, 2 L3")
    return tier


def _require_bps(value: int, what: str) -> Bps:
    if value > BPS_ONE:
        raise InapplicableEvent(f"{what} of {value} bps is more than the whole")
    return Bps(value)


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset. `adapter` is None until an event names it. A removed asset stays, since it may still be held and sold."""

    token: Address
    tier: Tier
    allocation_bps: Bps
    is_active: bool
    adapter: Address | None
    added_block: int
    removed_block: int | None = None


def apply_asset_event(asset: Asset | None, event: AssetEvent, *, at: BlockStamp) -> Asset:
    """Return the asset after one more of its events.

    Raises:
        InapplicableEvent: the event cannot follow the recorded state.
    """
    if isinstance(event, AssetAdded):
        if asset is not None and asset.is_active:
            raise InapplicableEvent(f"asset {checksum(event.token)} was added twice")
        allocation = _require_bps(event.allocation, "an allocation")
        return Asset(event.token, _require_tier(event.tier), allocation, True, None, at.number)
    if asset is None:
        raise InapplicableEvent(f"{type(event).__name__} for asset {checksum(event.token)}, which was never added")
    match event:
        case AssetRemoved():
            if not asset.is_active:
                raise InapplicableEvent(f"asset {checksum(event.token)} was removed twice")
            return replace(asset, is_active=False, removed_block=at.number)
        case AssetAllocationUpdated(new_allocation=allocation_raw):
            return replace(asset, allocation_bps=_require_bps(allocation_raw, "an allocation"))
        case AssetAdapterUpdated(new_adapter=adapter):
            return replace(asset, adapter=adapter)


@dataclass(frozen=True, slots=True)
class TierBand:
    """The target and the limits of a tier's share of gross assets, as its last event set them."""

    tier: Tier
    target_bps: Bps
    min_bps: Bps
    max_bps: Bps
    since_block: int


def tier_band_from_event(event: LayerConfigUpdated, *, at: BlockStamp) -> TierBand:
    """Build the band of the event's tier.

    Raises:
        InapplicableEvent: not min ≤ target ≤ max ≤ 100 %.
    """
    if not event.min_ratio <= event.target_ratio <= event.max_ratio:
        raise InapplicableEvent(f"a target of {event.target_ratio} bps is outside {event.min_ratio} to {event.max_ratio}")
    _require_bps(event.max_ratio, "a tier's upper end")
    return TierBand(_require_tier(event.tier), Bps(event.target_ratio), Bps(event.min_ratio), Bps(event.max_ratio), at.number)
