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
    components = {each.key: each for each in parts}
    running = _RunningNav(start.net_assets, start.vault.effective_supply)
    _attribute_performance(components, running)
    minted = sum(each.shares for each in nav_inputs.deposits)
    _attribute_capital_flow(components, running, ComponentKey(AttributionGroup.DEPOSITS, "deposit"), minted)
    for transition in RedemptionTransition:
        transitioned_shares = sum(each.shares for each in nav_inputs.redemptions if each.transition is transition)
        sign = {RedemptionTransition.REQUESTED: -1, RedemptionTransition.RETURNED: 1, RedemptionTransition.SETTLED: 0}[
            transition
        ]
        _attribute_capital_flow(
            components, running, ComponentKey(AttributionGroup.REDEMPTIONS, transition), sign * transitioned_shares
        )
    unexplained = end.vault.effective_supply - running.supply
    if unexplained:
        key = ComponentKey(AttributionGroup.UNEXPLAINED, "shares")
        components[key] = replace(components.get(key, NavComponent(key)), per_share=running.apply(0, unexplained))
    return tuple(sorted(components.values(), key=lambda part: component_order(part.key)))


class _RunningNav:
    """Net assets and shares on the way from one snapshot to the other."""

    def __init__(self, net_assets: int, supply: int) -> None:
        self.net_assets = net_assets
        self.supply = supply

    @property
    def nav(self) -> int:
        """As `VaultState.nav_per_share`, but on the way net assets may be below zero."""
        return self.net_assets * WAD // self.supply if self.supply > 0 else WAD

    def apply(self, amount: int, shares: int) -> int:
        """Go one step; by how much NAV changes."""
        before = self.nav
        self.net_assets += amount
        self.supply += shares
        return self.nav - before


def _attribute_performance(components: dict[ComponentKey, NavComponent], running: _RunningNav) -> None:
    performance_components = [each for each in components.values() if each.key.group not in CAPITAL_FLOW_GROUPS]
    supply = running.supply
    remainder = running.apply(sum(each.amount for each in performance_components), 0)
    for component in performance_components:
        if component.key.group is not AttributionGroup.ROUNDING and supply > 0:
            components[component.key] = replace(component, per_share=component.amount * WAD // supply)
            remainder -= components[component.key].per_share
    if remainder:
        key = ComponentKey(AttributionGroup.ROUNDING, "division")
        components[key] = replace(components.get(key, NavComponent(key)), per_share=remainder)


def _attribute_capital_flow(
    components: dict[ComponentKey, NavComponent], running: _RunningNav, key: ComponentKey, shares: int
) -> None:
    component = components.get(key, NavComponent(key))
    if component.amount or shares:
        components[key] = replace(component, per_share=running.apply(component.amount, shares))
