"""Events of shares: transfers, locks, burns, and the deposits that mint them."""

from dataclasses import dataclass

from paimon.domain.events.base import VAULT, FundEvent
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount


@dataclass(frozen=True, slots=True)
class Transfer(FundEvent):
    """Shares moved; minted from, or burned to, the zero address. Balances follow from this event alone."""

    emitters = VAULT
    from_: Address
    to: Address
    value: RawAmount


@dataclass(frozen=True, slots=True)
class SharesLocked(FundEvent):
    emitters = VAULT
    owner: Address
    shares: RawAmount


@dataclass(frozen=True, slots=True)
class SharesUnlocked(FundEvent):
    emitters = VAULT
    owner: Address
    shares: RawAmount


@dataclass(frozen=True, slots=True)
class SharesBurned(FundEvent):
    emitters = VAULT
    owner: Address
    shares: RawAmount


@dataclass(frozen=True, slots=True)
class DepositProcessed(FundEvent):
    """One deposit. ERC-4626's own `Deposit` repeats it, so no projection acts on that one."""

    emitters = VAULT
    sender: Address
    receiver: Address
    assets: RawAmount
    shares: RawAmount
