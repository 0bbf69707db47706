"""Components of a NAV change, and the attribution that holds them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from typing import Final

from paimon.domain.kernel.chain import Address, LogPosition
from paimon.domain.vault.fund_snapshot import FundSnapshot


class AttributionGroup(StrEnum):
    """Group of components: a line of the waterfall chart."""

    PRICE = "price"
    YIELD = "yield"
    TRADING = "trading"
    OTC_IN_TRANSIT = "otc_in_transit"
    FEES = "fees"
    DEPOSITS = "deposits"
    REDEMPTIONS = "redemptions"
    EMERGENCY_WITHDRAWALS = "emergency_withdrawals"
    ASSET_LISTING = "listing"
    SHORTFALL = "shortfall"  # what is owed beyond all assets: net assets are never shown below zero
    UNEXPLAINED = "unexplained"
    ROUNDING = "rounding"


CAPITAL_FLOW_GROUPS: Final = frozenset({AttributionGroup.DEPOSITS, AttributionGroup.REDEMPTIONS})
"""Groups whose money comes or goes with shares. The rest is performance of the shares that were there."""


class ComponentKind(StrEnum):
    """What a component is within its group."""

    DEPOSIT = "deposit"
    REQUESTED = "requested"
    RETURNED = "returned"
    SETTLED = "settled"
    PURCHASE = "purchase"
    SALE = "sale"
    OTC = "otc"
    ORDER = "order"
    YIELD = "yield"
    WITHDRAWAL = "withdrawal"
    PRICE = "price"
    LISTING = "listing"
    MANAGEMENT = "management"
    PERFORMANCE = "performance"
    MANAGEMENT_AND_PERFORMANCE = "management and performance"
    REDEMPTION = "redemption"
    TRANSFER = "transfer"
    NO_TRANSFER = "no transfer"
    LIABILITY = "liability"
    REDEMPTION_FEES = "redemption fees"
    SHARES = "shares"
    OWED_BEYOND_ALL_ASSETS = "owed beyond all assets"
    DIVISION = "division"


@dataclass(frozen=True, slots=True)
class ComponentKey:
    """Identify a component: its group, its kind, and its token where it has one."""

    group: AttributionGroup
    kind: ComponentKind
    token: Address | None = None


@dataclass(frozen=True, slots=True)
class NavComponent:
    """One component of the change, in raw units of the vault's asset and in NAV per share (1e18), with its source logs."""

    key: ComponentKey
    amount: int = 0
    per_share: int = 0
    log_positions: tuple[LogPosition, ...] = ()


class AttributionMismatch(AssertionError):
    """The components do not add up to the change: a defect of the code."""


@dataclass(frozen=True, slots=True)
class NavAttribution:
    """The change from one snapshot to a later one. It cannot be built unless its components add up exactly."""

    start: FundSnapshot
    end: FundSnapshot
    components: tuple[NavComponent, ...]
    division_count: int
    interval_count: int = 1
    from_first_snapshot: bool = False
    """The requested range starts before the first snapshot, and the attribution begins with that snapshot."""

    def __post_init__(self) -> None:
        amount = sum(component.amount for component in self.components)
        per_share = sum(component.per_share for component in self.components)
        if (amount, per_share) != (self.change, self.change_per_share):
            raise AttributionMismatch(
                f"components of {amount} and {per_share} a share do not add up to {self.change} and {self.change_per_share}"
            )
        rounding = self.total(AttributionGroup.ROUNDING)
        if abs(rounding) > self.division_count:
            raise AttributionMismatch(f"{self.division_count} divisions cannot leave a rounding of {rounding}")

    @property
    def change(self) -> int:
        return self.end.net_assets - self.start.net_assets

    @property
    def change_per_share(self) -> int:
        return self.end.nav_per_share - self.start.nav_per_share

    def in_group(self, group: AttributionGroup) -> tuple[NavComponent, ...]:
        return tuple(component for component in self.components if component.key.group is group)

    def total(self, group: AttributionGroup) -> int:
        return sum(component.amount for component in self.in_group(group))

    def total_per_share(self, group: AttributionGroup) -> int:
        return sum(component.per_share for component in self.in_group(group))

    @property
    def unexplained(self) -> tuple[NavComponent, ...]:
        """Return the components an operator must check; empty when every Transfer and every change is explained."""
        unexplained = self.in_group(AttributionGroup.UNEXPLAINED)
        return tuple(component for component in unexplained if component.amount or component.per_share)


def combine_attributions(attributions: Iterable[NavAttribution]) -> NavAttribution:
    """Combine consecutive attributions by adding their components: (a, b) and (b, c) give (a, c)."""
    return reduce(_combine, attributions)


def _combine(first: NavAttribution, second: NavAttribution) -> NavAttribution:
    if first.end != second.start:
        raise ValueError(f"an attribution that ends at {first.end.at} cannot be followed by one from {second.start.at}")
    components = {component.key: component for component in first.components}
    for component in second.components:
        before = components.get(component.key, NavComponent(component.key))
        components[component.key] = NavComponent(
            component.key,
            before.amount + component.amount,
            before.per_share + component.per_share,
            before.log_positions + component.log_positions,
        )
    ordered = tuple(components[key] for key in sorted(components, key=component_order))
    return NavAttribution(
        first.start,
        second.end,
        ordered,
        first.division_count + second.division_count,
        first.interval_count + second.interval_count,
    )


def component_order(key: ComponentKey) -> tuple[int, str, bytes]:
    """Order components by group, kind and token."""
    return tuple(AttributionGroup).index(key.group), key.kind, key.token or b""
