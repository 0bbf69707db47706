"""The same change per share, step by step from the NAV of before to the NAV of now.

    NAV0 ──performance──► ──deposits──► ──requests──► ──returns──► ──settlements──► ──shares nobody tells of──► NAV1

Each step is the difference between two NAVs, so the steps add up whatever they are. Performance comes first, on the
shares of before: snapshots follow the events that move value, and prices drift in the hour before them. Only that step is
divided among several parts; what the divisions leave is rounding.

A deposit's step is its dilution: it mints at net assets ÷ the whole supply, locked shares counted (deployed behaviour 1).
"""

from collections.abc import Iterable
from dataclasses import replace

from paimon.domain.kernel.units import WAD
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.domain.vault.nav_components import (
    CAPITAL_FLOW_GROUPS,
    AttributionGroup,
    ComponentKey,
    NavComponent,
    component_order,
)
from paimon.domain.vault.nav_inputs import NavInputs, RedemptionTransition


def attribute_per_share(
    parts: Iterable[NavComponent], start: FundSnapshot, end: FundSnapshot, nav_inputs: NavInputs
) -> tuple[NavComponent, ...]:
    """The parts with their effect on NAV per share, in their order; those the steps add among them."""
    split = {each.label: each for each in parts}
    running = _RunningNav(start.net_assets, start.vault.effective_supply)
    _attribute_performance(split, running)
    minted = sum(each.shares for each in nav_inputs.deposits)
    _attribute_capital_flow(split, running, ComponentKey(AttributionGroup.DEPOSITS, "deposit"), minted)
    for step in RedemptionTransition:
        of_step = sum(each.shares for each in nav_inputs.redemptions if each.step is step)
        sign = {RedemptionTransition.REQUESTED: -1, RedemptionTransition.RETURNED: 1, RedemptionTransition.SETTLED: 0}[step]
        _attribute_capital_flow(split, running, ComponentKey(AttributionGroup.REDEMPTIONS, step), sign * of_step)
    unexplained = end.vault.effective_supply - running.supply
    if unexplained:
        label = ComponentKey(AttributionGroup.UNEXPLAINED, "shares")
        split[label] = replace(split.get(label, NavComponent(label)), per_share=running.take(0, unexplained))
    return tuple(sorted(split.values(), key=lambda part: component_order(part.label)))


class _RunningNav:
    """Net assets and shares on the way from one snapshot to the other."""

    def __init__(self, net_assets: int, supply: int) -> None:
        self.net_assets = net_assets
        self.supply = supply

    @property
    def nav(self) -> int:
        """As `VaultState.nav_per_share`, but on the way net assets may be below zero."""
        return self.net_assets * WAD // self.supply if self.supply > 0 else WAD

    def take(self, amount: int, shares: int) -> int:
        """Go one step; by how much NAV changes."""
        before = self.nav
        self.net_assets += amount
        self.supply += shares
        return self.nav - before


def _attribute_performance(split: dict[ComponentKey, NavComponent], running: _RunningNav) -> None:
    performance_components = [each for each in split.values() if each.label.group not in CAPITAL_FLOW_GROUPS]
    supply = running.supply
    moved = running.take(sum(each.amount for each in performance_components), 0)
    for part in performance_components:
        if part.label.group is not AttributionGroup.ROUNDING and supply > 0:
            split[part.label] = replace(part, per_share=part.amount * WAD // supply)
            moved -= split[part.label].per_share
    if moved:
        label = ComponentKey(AttributionGroup.ROUNDING, "division")
        split[label] = replace(split.get(label, NavComponent(label)), per_share=moved)


def _attribute_capital_flow(
    split: dict[ComponentKey, NavComponent], running: _RunningNav, label: ComponentKey, shares: int
) -> None:
    part = split.get(label, NavComponent(label))
    if part.amount or shares:
        split[label] = replace(part, per_share=running.take(part.amount, shares))
