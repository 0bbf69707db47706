"""How busy the market is, and what it leaves for the house to do."""

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from paimon_devkit.market.market_state import BPS_ONE, WAD

if TYPE_CHECKING:
    from collections.abc import Callable

    from paimon_devkit.market.actions import Action
    from paimon_devkit.market.market_state import MarketState

    ActionProposer = Callable[[Random, MarketState, "MarketConfig"], Action | None]

INVESTORS: Final = tuple(f"investor{number:02}" for number in range(1, 21))
ADMIN: Final = "admin"
TRADER: Final = "trader"
"""Manages the portfolio: the market gives it REBALANCER_ROLE, since the hot key is the house's."""
THIRD_PARTY: Final = "passerby"
"""Anyone at all: settles what is due, refreshes, accrues, publishes prices late."""
TREASURY: Final = "treasury"
ISSUER: Final = "issuer"
"""Issues the token that is listed and delisted."""
GUESTS: Final = ("guest1", "guest2")
"""Hold a role for a while."""
APPROVERS: Final = ("vip1", "vip2")
GUEST_ASSET: Final = "SEAS"


@dataclass(frozen=True, slots=True)
class MarketConfig:
    """`…_left_bps`: the share of what becomes due, or awaits approval, that the market never touches, for the house to do.

    `actions_per_block` is what a history costs: the local chain hashes its whole state for each block.
    """

    actions_per_day: int = 24
    actions_per_block: int = 6
    approvals_left_bps: int = 0
    settlements_left_bps: int = 0
    passes_time: bool = True
    """False where time passes by itself, beside a running demo."""


def is_left_to_app(request_id: int, share_bps: int) -> bool:
    """Whether this request is the house's business. Spread evenly over ids, the same in every run."""
    return request_id * 6_180_339_887 % BPS_ONE < share_bps


def random_part(rng: Random, amount: int, low_bps: int, high_bps: int) -> int:
    """A random part of an amount, down to its last unit: round figures hide rounding errors."""
    part = amount * rng.randint(low_bps, high_bps) // BPS_ONE
    return part - part % WAD if rng.randrange(3) == 0 and part > WAD else part
