"""What the fund's contracts say happened, as typed values. Source: the event catalogue of the on-chain interface.

Only the events a projection acts on have a class here; every other decodable event is stored with its arguments all the same.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar

from paimon.domain.chain import Address, ContractName, Hash32
from paimon.domain.units import RawAmount


@dataclass(frozen=True, slots=True)
class FundEvent:
    """Base of the typed events; `emitters` are the contracts whose log of this name means this event."""

    emitters: ClassVar[tuple[ContractName, ...]] = ()


_VAULT = (ContractName.VAULT,)
_REDEMPTIONS = (ContractName.REDEMPTION_MANAGER,)
_ALL = tuple(ContractName)


@dataclass(frozen=True, slots=True)
class Transfer(FundEvent):
    """Shares moved; minted from, or burned to, the zero address. The truth about holdings."""

    emitters = _VAULT
    from_: Address
    to: Address
    value: RawAmount


@dataclass(frozen=True, slots=True)
class SharesLocked(FundEvent):
    emitters = _VAULT
    owner: Address
    shares: RawAmount


@dataclass(frozen=True, slots=True)
class SharesUnlocked(FundEvent):
    emitters = _VAULT
    owner: Address
    shares: RawAmount


@dataclass(frozen=True, slots=True)
class SharesBurned(FundEvent):
    emitters = _VAULT
    owner: Address
    shares: RawAmount


@dataclass(frozen=True, slots=True)
class EmergencyModeChanged(FundEvent):
    emitters = _VAULT
    enabled: bool


@dataclass(frozen=True, slots=True)
class RoleGranted(FundEvent):
    emitters = _ALL
    role: Hash32
    account: Address
    sender: Address


@dataclass(frozen=True, slots=True)
class RoleRevoked(FundEvent):
    emitters = _ALL
    role: Hash32
    account: Address
    sender: Address


@dataclass(frozen=True, slots=True)
class Paused(FundEvent):
    emitters = _ALL
    account: Address


@dataclass(frozen=True, slots=True)
class Unpaused(FundEvent):
    emitters = _ALL
    account: Address


@dataclass(frozen=True, slots=True)
class RedemptionRequested(FundEvent):
    emitters = _REDEMPTIONS
    request_id: int
    owner: Address
    receiver: Address
    shares: RawAmount
    locked_amount: RawAmount
    estimated_fee: RawAmount
    channel: int
    requires_approval: bool
    settlement_time: int
    window_id: int


@dataclass(frozen=True, slots=True)
class RedemptionApproved(FundEvent):
    emitters = _REDEMPTIONS
    request_id: int
    approver: Address
    settlement_time: int


@dataclass(frozen=True, slots=True)
class RedemptionRejected(FundEvent):
    emitters = _REDEMPTIONS
    request_id: int
    rejector: Address
    reason: str


@dataclass(frozen=True, slots=True)
class RedemptionCancelled(FundEvent):
    emitters = _REDEMPTIONS
    request_id: int
    owner: Address


@dataclass(frozen=True, slots=True)
class RedemptionSettled(FundEvent):
    emitters = _REDEMPTIONS
    request_id: int
    owner: Address
    receiver: Address
    gross_amount: RawAmount
    fee: RawAmount
    net_amount: RawAmount
    channel: int


RedemptionEvent = RedemptionRequested | RedemptionApproved | RedemptionRejected | RedemptionCancelled | RedemptionSettled

_PROJECTED: tuple[type[FundEvent], ...] = (
    Transfer,
    SharesLocked,
    SharesUnlocked,
    SharesBurned,
    EmergencyModeChanged,
    RoleGranted,
    RoleRevoked,
    Paused,
    Unpaused,
    RedemptionRequested,
    RedemptionApproved,
    RedemptionRejected,
    RedemptionCancelled,
    RedemptionSettled,
)

EVENT_TYPES: dict[tuple[ContractName, str], type[FundEvent]] = {
    (contract, event.__name__): event for event in _PROJECTED for contract in event.emitters
}


@cache
def _field_name(abi_name: str) -> str:
    """`requestId` → `request_id`; `from`, a Python keyword, → `from_`."""
    snake = re.sub(r"(?<!^)([A-Z])", r"_\1", abi_name).lower()
    return "from_" if snake == "from" else snake


_ARGUMENTS = {event: tuple(field.name for field in fields(event)) for event in _PROJECTED}


def typed_event(contract: ContractName, name: str, args: Mapping[str, Any]) -> FundEvent | None:
    """The typed event for a decoded log, or None when no projection acts on it.

    A later deployment may add arguments; those are left to the stored log.

    Raises:
        KeyError: an argument the projection needs is missing: the deployed ABI is not the one we know.
    """
    if (event := EVENT_TYPES.get((contract, name))) is None:
        return None
    given = {_field_name(key): value for key, value in args.items()}
    return event(*(given[name] for name in _ARGUMENTS[event]))
