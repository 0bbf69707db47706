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
from paimon.domain.vault.nav_components import CAPITAL, Group, Label, Part, order_of
from paimon.domain.vault.nav_inputs import Happenings, RequestStep


def split_per_share(parts: Iterable[Part], start: FundSnapshot, end: FundSnapshot, happened: Happenings) -> tuple[Part, ...]:
    """The parts with their effect on NAV per share, in their order; those the steps add among them."""
    split = {each.label: each for each in parts}
    walk = _Walk(start.net_assets, start.vault.effective_supply)
    _performance(split, walk)
    minted = sum(each.shares for each in happened.deposits)
    _capital(split, walk, Label(Group.DEPOSITS, "deposit"), minted)
    for step in RequestStep:
        of_step = sum(each.shares for each in happened.redemptions if each.step is step)
        sign = {RequestStep.REQUESTED: -1, RequestStep.RETURNED: 1, RequestStep.SETTLED: 0}[step]
        _capital(split, walk, Label(Group.REDEMPTIONS, step), sign * of_step)
    untold = end.vault.effective_supply - walk.supply
    if untold:
        label = Label(Group.UNEXPLAINED, "shares")
        split[label] = replace(split.get(label, Part(label)), per_share=walk.take(0, untold))
    return tuple(sorted(split.values(), key=lambda part: order_of(part.label)))


class _Walk:
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


def _performance(split: dict[Label, Part], walk: _Walk) -> None:
    gained = [each for each in split.values() if each.label.group not in CAPITAL]
    supply = walk.supply
    moved = walk.take(sum(each.amount for each in gained), 0)
    for part in gained:
        if part.label.group is not Group.ROUNDING and supply > 0:
            split[part.label] = replace(part, per_share=part.amount * WAD // supply)
            moved -= split[part.label].per_share
    if moved:
        label = Label(Group.ROUNDING, "division")
        split[label] = replace(split.get(label, Part(label)), per_share=moved)


def _capital(split: dict[Label, Part], walk: _Walk, label: Label, shares: int) -> None:
    part = split.get(label, Part(label))
    if part.amount or shares:
        split[label] = replace(part, per_share=walk.take(part.amount, shares))
