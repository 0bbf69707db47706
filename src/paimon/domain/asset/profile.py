"""Asset profiles: what the chain does not know of an asset."""

from dataclasses import dataclass

from paimon.domain.kernel.units import Bps


@dataclass(frozen=True, slots=True)
class Liquidity:
    """How an asset becomes cash: in calendar days, and at a cost in basis points of its value."""

    days_to_cash: int
    cost: Bps


@dataclass(frozen=True, slots=True)
class AssetProfile:
    """One asset's counterparty and liquidity. An asset without a profile uses the defaults of its tier."""

    counterparty: str
    liquidity: Liquidity
