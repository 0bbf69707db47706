"""Shares: who holds them, which are locked, and the deposits that make them."""

from dataclasses import dataclass

from paimon.domain.events.base import VAULT, FundEvent
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount


@dataclass(frozen=True, slots=True)
class Transfer(FundEvent):
    """Shares moved; minted from, or burned to, the zero address. The truth about holdings."""

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
    """One deposit. ERC-4626's own `Deposit` stands beside it and is the same one, so no projection acts on that."""

    emitters = VAULT
    sender: Address
    receiver: Address
    assets: RawAmount
    shares: RawAmount
