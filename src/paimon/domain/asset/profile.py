"""Asset profiles: what the chain does not know of an asset."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.signed_action import ActionContent, ActionName, effect_hash
from paimon.domain.kernel.units import Bps
from paimon.errors import DetailCode, InvalidRequest

UNKNOWN_COUNTERPARTY: Final = "unknown"
"""The one counterparty of all assets without a profile. No profile names it."""
COUNTERPARTY_CHARACTERS_MAX: Final = 100
DAYS_TO_CASH_MAX: Final = 3_650
COST_BPS_MAX: Final = 10_000


class InvalidProfile(InvalidRequest):
    """A profile has a counterparty, up to 3650 days to cash and a cost of up to 10000 bps."""


class CounterpartySpelling(InvalidProfile):
    """Another asset has this counterparty in another spelling; the message has the known one."""

    field = "counterparty"
    code = DetailCode.COUNTERPARTY_SPELLING


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

    def content(self, token: Address, version: int) -> ActionContent:
        """Return what a person signs to make this the asset's profile of that version, counted from 1."""
        name, days, cost = checksum(token), self.liquidity.days_to_cash, self.liquidity.cost
        return ActionContent(
            ActionName.SET_ASSET_PROFILE,
            f"/assets/{name}",
            f"Profile {version} of asset {name}: cash in {days} days at {cost} bps, counterparty {self.counterparty}",
            effect_hash(name, str(version), self.counterparty, str(days), str(cost)),
        )


@dataclass(frozen=True, slots=True)
class RecordedProfile:
    """A version of an asset's profile, with who signed it and why."""

    token: Address
    version: int
    profile: AssetProfile
    reason: str
    changed_by: Address
    changed_at: datetime


def require_valid(profile: AssetProfile) -> None:
    """Refuse a profile that could not be.

    Raises:
        InvalidProfile
    """
    counterparty, liquidity = profile.counterparty, profile.liquidity
    if counterparty != counterparty.strip() or not 1 <= len(counterparty) <= COUNTERPARTY_CHARACTERS_MAX:
        raise InvalidProfile(f"a counterparty has 1 to {COUNTERPARTY_CHARACTERS_MAX} characters, without blanks around them")
    if not counterparty.isprintable():
        raise InvalidProfile("a counterparty is one line of printable characters")
    if spelling_key(counterparty) == UNKNOWN_COUNTERPARTY:
        raise InvalidProfile(f"{counterparty!r} stands for the counterparty of assets without a profile: name the real one")
    if not 0 <= liquidity.days_to_cash <= DAYS_TO_CASH_MAX:
        raise InvalidProfile(f"days to cash are 0 to {DAYS_TO_CASH_MAX}, not {liquidity.days_to_cash}")
    if not 0 <= liquidity.cost <= COST_BPS_MAX:
        raise InvalidProfile(f"the cost is 0 to {COST_BPS_MAX} bps of the asset's value, not {liquidity.cost}")


def spelling_key(counterparty: str) -> str:
    """Return what spellings of one name have in common: its characters without blanks, case and width."""
    return "".join(unicodedata.normalize("NFKC", counterparty).casefold().split())


def require_known_spelling(counterparty: str, known: Iterable[str]) -> None:
    """Refuse a name that differs from those known only in case, blanks or width: exposures add up by the exact name.

    Raises:
        CounterpartySpelling
    """
    spellings = {name for name in known if spelling_key(name) == spelling_key(counterparty)}
    if spellings and counterparty not in spellings:
        names = " or ".join(repr(name) for name in sorted(spellings))
        raise CounterpartySpelling(
            f"another asset's counterparty is {names}: write {counterparty!r} exactly so, or exposures to it do not add up"
        )
