"""The parts a change of NAV is made of, and the explanation that holds them: exact, or it cannot be made."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from typing import Final

from paimon.domain.kernel.chain import Address, LogPosition
from paimon.domain.vault.fund_snapshot import FundSnapshot


class AttributionGroup(StrEnum):
    """The lines of the waterfall."""

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
"""Money that comes with shares, or goes with them. The rest is performance, and belongs to the shares that were there."""


@dataclass(frozen=True, slots=True)
class ComponentKey:
    """Which part: its line, what kind of it, and of which token, where it is of one."""

    group: AttributionGroup
    kind: str
    token: Address | None = None


@dataclass(frozen=True, slots=True)
class NavComponent:
    """One part of the change, in units of the vault's asset and in NAV per share (1e18), with the logs that tell of it."""

    key: ComponentKey
    amount: int = 0
    per_share: int = 0
    log_positions: tuple[LogPosition, ...] = ()


class AttributionMismatch(AssertionError):
    """The parts are not the whole: a defect of ours."""


@dataclass(frozen=True, slots=True)
class NavAttribution:
    """The change from one snapshot to a later one. Its parts add up exactly, or it cannot be made."""

    start: FundSnapshot
    end: FundSnapshot
    components: tuple[NavComponent, ...]
    division_count: int
    interval_count: int = 1
    from_first_snapshot: bool = False
    """The fund's first day was asked for, and the range begins with its first snapshot."""

    def __post_init__(self) -> None:
        amount, per_share = sum(each.amount for each in self.components), sum(each.per_share for each in self.components)
        if (amount, per_share) != (self.change, self.change_per_share):
            raise AttributionMismatch(
                f"parts of {amount} and {per_share} a share do not explain {self.change} and {self.change_per_share}"
            )
        if abs(self.total(AttributionGroup.ROUNDING)) > self.division_count:
            raise AttributionMismatch(
                f"{self.division_count} divisions cannot leave a rounding of {self.total(AttributionGroup.ROUNDING)}"
            )

    @property
    def change(self) -> int:
        return self.end.net_assets - self.start.net_assets

    @property
    def change_per_share(self) -> int:
        return self.end.nav_per_share - self.start.nav_per_share

    def in_group(self, group: AttributionGroup) -> tuple[NavComponent, ...]:
        return tuple(each for each in self.components if each.key.group is group)

    def total(self, group: AttributionGroup) -> int:
        return sum(each.amount for each in self.in_group(group))

    def total_per_share(self, group: AttributionGroup) -> int:
        return sum(each.per_share for each in self.in_group(group))

    @property
    def unexplained(self) -> tuple[NavComponent, ...]:
        """Parts that want a person; empty when every Transfer and every step is known."""
        return tuple(each for each in self.in_group(AttributionGroup.UNEXPLAINED) if each.amount or each.per_share)


def combine_attributions(attributions: Iterable[NavAttribution]) -> NavAttribution:
    """Consecutive explanations as one: part by part the sum, so that explain(a, c) is explain(a, b) and explain(b, c)."""
    return reduce(_combine, attributions)


def _combine(first: NavAttribution, second: NavAttribution) -> NavAttribution:
    if first.end != second.start:
        raise ValueError(f"an explanation up to {first.end.at} does not go on with one from {second.start.at}")
    components = {each.key: each for each in first.components}
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
    """Parts stand in the order of their lines, then of their kinds and tokens."""
    return tuple(AttributionGroup).index(key.group), key.kind, key.token or b""
