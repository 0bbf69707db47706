"""Liquidity tiers of the fund."""

from enum import StrEnum


class Tier(StrEnum):
    """A liquidity tier; the order of the values is the contract's."""

    L1 = "L1"
    L2 = "L2"
    L3 = "L3"

    @classmethod
    def from_chain(cls, number: int) -> "Tier":
        return tuple(cls)[number]

    @property
    def on_chain(self) -> int:
        return tuple(Tier).index(self)
