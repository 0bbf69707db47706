"""Attribute the change of NAV per share, step by step from the earlier NAV to the later one.

    NAV0 ──performance──► ──deposits──► ──requests──► ──returns──► ──settlements──► ──unexplained shares──► NAV1

Each step is the difference between two NAVs, so the steps always add up. Performance comes first, on the shares of before:
snapshots follow the events that move value, and prices drift in the hour before them. Only that step is divided among
several components; the remainder of the divisions is rounding.

A deposit's step is its dilution: it mints at net assets ÷ the whole supply, locked shares included (deployed behaviour 1).
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from paimon.domain.kernel.units import WAD
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.domain.vault.nav_components import (
    CAPITAL_FLOW_GROUPS,
    AttributionGroup,
    ComponentKey,
    ComponentKind,
    NavComponent,
    component_order,
)
from paimon.domain.vault.nav_inputs import NavInputs, RedemptionTransition

_SHARES_SIGN: Final = {RedemptionTransition.REQUESTED: -1, RedemptionTransition.RETURNED: 1, RedemptionTransition.SETTLED: 0}
"""A request takes its shares out of NAV, a return brings them back, and a settlement changes none."""


def attribute_per_share(
    parts: Iterable[NavComponent], start: FundSnapshot, end: FundSnapshot, nav_inputs: NavInputs
) -> tuple[NavComponent, ...]:
    """Return the components with their effect on NAV per share, in order, including those that the steps add."""
    components = {component.key: component for component in parts}
    running = _RunningNav(start.net_assets, start.vault.effective_supply)
    _attribute_performance(components, running)
    minted = sum(deposit.shares for deposit in nav_inputs.deposits)
    _attribute_capital_flow(components, running, ComponentKey(AttributionGroup.DEPOSITS, ComponentKind.DEPOSIT), minted)
    for transition in RedemptionTransition:
        transitioned_shares = sum(
            redemption.shares for redemption in nav_inputs.redemptions if redemption.transition is transition
        )
        shares = _SHARES_SIGN[transition] * transitioned_shares
        _attribute_capital_flow(
            components, running, ComponentKey(AttributionGroup.REDEMPTIONS, ComponentKind(transition)), shares
        )
    unexplained = end.vault.effective_supply - running.supply
    if unexplained:
        key = ComponentKey(AttributionGroup.UNEXPLAINED, ComponentKind.SHARES)
        components[key] = replace(components.get(key, NavComponent(key)), per_share=running.apply(0, unexplained))
    return tuple(sorted(components.values(), key=lambda component: component_order(component.key)))


class _RunningNav:
    """Net assets and shares on the way from one snapshot to the other."""

    def __init__(self, net_assets: int, supply: int) -> None:
        self.net_assets = net_assets
        self.supply = supply

    @property
    def nav(self) -> int:
        """Compute NAV as `VaultState.nav_per_share` does, but for net assets that may be below zero on the way."""
        return self.net_assets * WAD // self.supply if self.supply > 0 else WAD

    def apply(self, amount: int, shares: int) -> int:
        """Apply one step and return the change of NAV."""
        before = self.nav
        self.net_assets += amount
        self.supply += shares
        return self.nav - before


def _attribute_performance(components: dict[ComponentKey, NavComponent], running: _RunningNav) -> None:
    performance_components = [component for component in components.values() if component.key.group not in CAPITAL_FLOW_GROUPS]
    supply = running.supply
    remainder = running.apply(sum(component.amount for component in performance_components), 0)
    for component in performance_components:
        if component.key.group is not AttributionGroup.ROUNDING and supply > 0:
            components[component.key] = replace(component, per_share=component.amount * WAD // supply)
            remainder -= components[component.key].per_share
    if remainder:
        key = ComponentKey(AttributionGroup.ROUNDING, ComponentKind.DIVISION)
        components[key] = replace(components.get(key, NavComponent(key)), per_share=remainder)


def _attribute_capital_flow(
    components: dict[ComponentKey, NavComponent], running: _RunningNav, key: ComponentKey, shares: int
) -> None:
    component = components.get(key, NavComponent(key))
    if component.amount or shares:
        components[key] = replace(component, per_share=running.apply(component.amount, shares))
