"""How busy the market is, and what it leaves to the application."""

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
"""The portfolio manager. The market grants it REBALANCER_ROLE, since the hot key belongs to the application."""
THIRD_PARTY: Final = "third_party"
"""An account without a role: it settles what is due, refreshes the cache and accrues fees."""
TREASURY: Final = "treasury"
ISSUER: Final = "issuer"
"""The issuer of the token that is listed and delisted."""
GUESTS: Final = ("guest1", "guest2")
"""Accounts that hold a role for a while."""
APPROVERS: Final = ("vip1", "vip2")
GUEST_ASSET: Final = "SEAS"


@dataclass(frozen=True, slots=True)
class MarketConfig:
    """Pace of the market, and the share of requests that it leaves to the application.

    The market never touches `approvals_left_bps` of the requests that await approval, and `settlements_left_bps` of those that
    become due. More `actions_per_block` make a history cheaper: the local chain hashes its whole state for each block.
    """

    actions_per_day: int = 24
    actions_per_block: int = 6
    approvals_left_bps: int = 0
    settlements_left_bps: int = 0
    passes_time: bool = True
    """False beside a running demo, where time passes by itself."""


def is_left_to_app(request_id: int, share_bps: int) -> bool:
    """Return whether this request is left to the application: evenly spread over ids, and repeated in every run."""
    return request_id * 6_180_339_887 % BPS_ONE < share_bps


def random_part(rng: Random, amount: int, low_bps: int, high_bps: int) -> int:
    """Return a random part of an amount, to its last unit: round numbers hide rounding errors."""
    part = amount * rng.randint(low_bps, high_bps) // BPS_ONE
    return part - part % WAD if rng.randrange(3) == 0 and part > WAD else part
