"""Decide when NAV may be published: never while a material discrepancy is open. Source: docs/concepts/nav.md.

A discrepancy of amounts is material from a number of basis points of net assets on (1 by default). Shares are valued at
NAV and tokens at their price. Any other discrepancy concerns a status (a request's owner or status, a role, a pause), and
each of those is material. So is an amount that cannot be valued.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.units import BPS_ONE, WAD, Bps, NavPerShare, RawAmount, Rounding, divide
from paimon.domain.risk.discrepancy import Discrepancy
from paimon.domain.vault.fund_snapshot import FundSnapshot


class NavStatus(StrEnum):
    """Status of an official NAV point."""

    PUBLISHED = "PUBLISHED"
    WITHHELD = "WITHHELD"  # a material discrepancy was open; the next clean reconciliation publishes the point
    ORPHANED = "ORPHANED"  # published at a block that a reorganisation removed; kept as the record of what was shown


MATERIAL_THRESHOLD: Final = Bps(1)
"""Share of net assets from which a discrepancy withholds NAV, unless the settings say otherwise."""

_AMOUNT_SUBJECTS: Final = (
    "redemption liability",
    "grossAmount",
    "management fees",
    "performance fees",
    "redemption fees",
    "fees ever",
)
_SHARE_SUBJECTS: Final = ("supply", "shares")


@dataclass(frozen=True, slots=True)
class ValuationBasis:
    """The fund's figures, at the block of the comparison, by which discrepancies are valued."""

    net_assets: RawAmount
    nav_per_share: NavPerShare
    tokens: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Price (1e18) and decimals of each token by its checksummed address; 1 and 0 for the vault's asset."""

    @classmethod
    def of(cls, snapshot: FundSnapshot) -> Self:
        priced = {
            checksum(position.token): (int(position.price), position.decimals)
            for position in snapshot.assets
            if position.price is not None
        }
        return cls(snapshot.net_assets, snapshot.nav_per_share, priced | {checksum(snapshot.asset): (1, 0)})


def discrepancy_value(discrepancy: Discrepancy, basis: ValuationBasis) -> RawAmount | None:
    """Value the discrepancy in the vault's asset, rounded up; None for a status or an amount of unknown value."""
    if not (discrepancy.recorded_value.isdecimal() and discrepancy.chain_value.isdecimal()):
        return None
    difference_raw = abs(int(discrepancy.recorded_value) - int(discrepancy.chain_value))
    subject, _, address = discrepancy.subject.partition(" of 0x")
    if subject == "vault's balance" and (priced := basis.tokens.get("0x" + address)) is not None:
        return RawAmount(divide(difference_raw * priced[0], 10 ** priced[1], rounding=Rounding.UP))
    if subject.endswith(_AMOUNT_SUBJECTS):
        return RawAmount(difference_raw)
    if subject.endswith(_SHARE_SUBJECTS):
        return RawAmount(divide(difference_raw * basis.nav_per_share, WAD, rounding=Rounding.UP))
    return None


def material_discrepancies(discrepancies: Iterable[Discrepancy], basis: ValuationBasis, *, threshold: Bps) -> list[Discrepancy]:
    """Return the discrepancies that block publication. Amounts are added up: many small ones are not small together."""
    valued = [(discrepancy, discrepancy_value(discrepancy, basis)) for discrepancy in discrepancies]
    total = sum(value for _, value in valued if value is not None)
    amounts_are_material = total > 0 and total * BPS_ONE >= basis.net_assets * threshold
    return [discrepancy for discrepancy, value in valued if value is None or (amounts_are_material and value > 0)]


def withholding_reason(discrepancies: list[Discrepancy]) -> str:
    """Describe why a NAV point is withheld: the first discrepancy with both values, and the number of others."""
    more = f" and {len(discrepancies) - 1} more" if len(discrepancies) > 1 else ""
    return f"material discrepancy: {discrepancies[0]}{more}"
