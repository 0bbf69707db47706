"""The fund and its investors as far as the market's decisions need them: plain integers, read from the chain or predicted.

The formulas are those of the contracts. The value cache and the exact slippage of a trade are left out: a prediction holds
until the next read of the chain, and an action that reverts because of it is counted as reverted.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Final

from paimon_devkit.market.actions import USDT

WAD: Final = 10**18
DAY: Final = 86_400
BPS_ONE: Final = 10_000
NOTICE_SECONDS: Final = 15 * DAY

VAULT, MANAGER, CONTROLLER = "Vault", "RedemptionManager", "AssetController"


class RedemptionChannel(StrEnum):
    """The channel of a request, as on chain."""

    STANDARD = "STANDARD"
    EMERGENCY = "EMERGENCY"
    SCHEDULED = "SCHEDULED"


class RequestStatus(IntEnum):
    """The status of an open request, as on chain. Closed requests are not kept."""

    PENDING = 0
    PENDING_APPROVAL = 1
    APPROVED = 2


class OrderStatus(IntEnum):
    """The status of an open order, as on chain. Delivered and cancelled orders are not kept."""

    PENDING = 0
    PAID = 1


@dataclass(slots=True)
class Investor:
    """An investor's balances."""

    usdt: int = 0
    shares: int = 0
    locked: int = 0

    @property
    def redeemable(self) -> int:
        """The shares to redeem at most. Like the contract, this subtracts locked shares although they left the balance."""
        return max(self.shares - self.locked, 0)


@dataclass(slots=True)
class Asset:
    """An asset: its terms, its price (1e18) and the vault's tokens of it."""

    tier: int
    decimals: int
    price: int
    anchor_price: int
    """The price to which the random walk reverts."""
    tokens: int = 0
    allocation_bps: int = 0
    method: int = 2
    slippage_bps: int = 0
    minimum: int = 0
    impact_bps: int = 0
    opens_at: int = 0
    closes_at: int = 0
    has_adapter: bool = False
    through_adapter: bool = False
    listed: bool = True

    @property
    def value(self) -> int:
        """The value of the vault's tokens in USDT."""
        return self.worth(self.tokens)

    def worth(self, tokens: int) -> int:
        """Return the value of tokens in USDT."""
        return int(tokens * self.price // 10**self.decimals)

    def tokens_for(self, usdt: int) -> int:
        """Return the tokens that an amount of USDT is worth."""
        return int(usdt * 10**self.decimals // self.price)

    def is_buyable(self, now: int) -> bool:
        """Return whether the asset is listed and its subscription window open."""
        return self.listed and self.opens_at <= now and (self.closes_at == 0 or now <= self.closes_at)


@dataclass(slots=True)
class Request:
    """An open redemption request. `due_at` is 0 while it awaits approval."""

    owner: str
    receiver: str
    shares: int
    gross: int
    channel: RedemptionChannel
    status: RequestStatus
    due_at: int = 0
    window_id: int = 0

    def is_due(self, now: int) -> bool:
        """Return whether the request may be settled now."""
        return self.status is not RequestStatus.PENDING_APPROVAL and now >= self.due_at


@dataclass(slots=True)
class Order:
    """An open OTC order."""

    symbol: str
    usdt: int
    tokens: int
    status: OrderStatus
    expires_at: int


@dataclass(slots=True)
class MarketState:
    """Everything that the market's decisions depend on, at one moment of chain time."""

    now: int
    investors: dict[str, Investor]
    assets: dict[str, Asset]
    cash: int = 0
    supply: int = 0
    locked: int = 0
    liability: int = 0
    redemption_fees: int = 0
    pending_fees: int = 0
    high_water_mark: int = 0
    requests: dict[int, Request] = field(default_factory=dict)
    request_count: int = 0
    orders: dict[int, Order] = field(default_factory=dict)
    order_count: int = 0
    paused: set[str] = field(default_factory=set)
    emergency: bool = False
    targets_bps: dict[int, int] = field(default_factory=lambda: {0: 1_000, 1: 3_000, 2: 6_000})
    fee_recipient: str = ""
    grants: set[tuple[str, str, str]] = field(default_factory=set)
    """Roles that the market itself has granted: contract, role, account."""
    moved_windows: dict[int, int] = field(default_factory=dict)
    earned: dict[str, int] = field(default_factory=dict)
    """The yield in USDT that each adapter has not paid out yet."""

    def layer_tokens_value(self, tier: int) -> int:
        """Return the value of a tier's tokens."""
        return sum(asset.value for asset in self.assets.values() if asset.tier == tier and asset.listed)

    def layer_value(self, tier: int) -> int:
        """Return the value of a tier; L1 includes the cash."""
        return self.layer_tokens_value(tier) + (self.cash if tier == 0 else 0)

    @property
    def liquidity(self) -> int:
        """The value of L1 and L2, from which a settlement is paid."""
        return self.layer_value(0) + self.layer_value(1)

    @property
    def gross_assets(self) -> int:
        return self.cash + sum(self.layer_tokens_value(tier) for tier in range(3))

    @property
    def net_assets(self) -> int:
        return max(self.gross_assets - self.liability - self.redemption_fees, 0)

    @property
    def share_price(self) -> int:
        effective = self.supply - self.locked
        return self.net_assets * WAD // effective if effective else WAD

    @property
    def spendable_cash(self) -> int:
        return max(self.cash - self.redemption_fees, 0)

    def shares_for(self, usdt: int) -> int:
        """Return the shares that a deposit mints: at net assets over the whole supply, not at the share price."""
        return usdt * (self.supply + 1) // (self.net_assets + 1)

    def due(self) -> list[int]:
        """Return the ids of the requests that may be settled now, oldest first."""
        return [number for number in sorted(self.requests) if self.requests[number].is_due(self.now)]

    def holding(self, symbol: str) -> int:
        """Return the vault's balance of a token."""
        return self.cash if symbol == USDT else self.assets[symbol].tokens

    def window_after(self, earliest: int) -> tuple[int, int]:
        """Return the first quarterly window that settles at `earliest` or later: its id (202609) and its time."""
        date = datetime.fromtimestamp(earliest, UTC)
        year, month = date.year, (date.month + 2) // 3 * 3
        if _first_of(year, month) < earliest:
            year, month = _next_quarter(year, month)
        while (settles_at := self.moved_windows.get(year * 100 + month, _first_of(year, month))) < earliest:
            year, month = _next_quarter(year, month)
        return year * 100 + month, settles_at


def window_date(window_id: int) -> int:
    """Return when a window settles unless it was moved."""
    return _first_of(*divmod(window_id, 100))


def _first_of(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp())


def _next_quarter(year: int, month: int) -> tuple[int, int]:
    return (year + 1, 3) if month == 12 else (year, month + 3)
