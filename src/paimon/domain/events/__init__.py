"""Events of the fund's contracts as typed values. Source: the event catalogue of the on-chain interface.

Only the events that a projection acts on have a class here. Every other decodable event is stored with its arguments.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from functools import cache
from typing import Any

from paimon.domain.events.assets import (
    AssetAdapterUpdated,
    AssetAdded,
    AssetAllocationUpdated,
    AssetEvent,
    AssetPurchased,
    AssetRedeemed,
    AssetRemoved,
    BufferPoolRebalanced,
    LayerConfigUpdated,
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderEvent,
    OrderPaid,
    PurchaseRouted,
    WaterfallLiquidation,
    YieldCompounded,
)
from paimon.domain.events.base import ChainTransaction, FundEvent, LoggedEvent
from paimon.domain.events.control import (
    AssetControllerUpdated,
    AssetSchedulerUpdated,
    EmergencyModeChanged,
    FeeRecipientUpdated,
    OracleAdapterUpdated,
    OTCManagerUpdated,
    Paused,
    RoleGranted,
    RoleRevoked,
    SwapHelperUpdated,
    Unpaused,
)
from paimon.domain.events.money import (
    ManagementFeeCollected,
    PerformanceFeeCollected,
    RedemptionFeeAdded,
    RedemptionFeeReduced,
    RedemptionFeesWithdrawn,
    TokenTransfer,
)
from paimon.domain.events.redemptions import (
    CriticalLiquidityAlert,
    LowLiquidityAlert,
    RedemptionApproved,
    RedemptionCancelled,
    RedemptionEvent,
    RedemptionRejected,
    RedemptionRequested,
    RedemptionSettled,
)
from paimon.domain.events.shares import DepositProcessed, SharesBurned, SharesLocked, SharesUnlocked, Transfer
from paimon.domain.kernel.chain import Address, ContractName

_PROJECTED_EVENTS: tuple[type[FundEvent], ...] = (
    Transfer,
    SharesLocked,
    SharesUnlocked,
    SharesBurned,
    DepositProcessed,
    EmergencyModeChanged,
    RoleGranted,
    RoleRevoked,
    Paused,
    Unpaused,
    FeeRecipientUpdated,
    OracleAdapterUpdated,
    SwapHelperUpdated,
    OTCManagerUpdated,
    AssetSchedulerUpdated,
    AssetControllerUpdated,
    RedemptionRequested,
    RedemptionApproved,
    RedemptionRejected,
    RedemptionCancelled,
    RedemptionSettled,
    LowLiquidityAlert,
    CriticalLiquidityAlert,
    AssetAdded,
    AssetRemoved,
    AssetAllocationUpdated,
    AssetAdapterUpdated,
    LayerConfigUpdated,
    PurchaseRouted,
    AssetPurchased,
    AssetRedeemed,
    WaterfallLiquidation,
    BufferPoolRebalanced,
    YieldCompounded,
    OrderCreated,
    OrderPaid,
    OrderDelivered,
    OrderCancelled,
    TokenTransfer,
    ManagementFeeCollected,
    PerformanceFeeCollected,
    RedemptionFeeAdded,
    RedemptionFeeReduced,
    RedemptionFeesWithdrawn,
)

EVENT_TYPES: dict[tuple[ContractName, str], type[FundEvent]] = {
    (contract, event.abi_name or event.__name__): event for event in _PROJECTED_EVENTS for contract in event.emitters
}


@cache
def _event_factory(
    contract: ContractName, name: str, arguments: tuple[str, ...]
) -> Callable[[Sequence[Any]], FundEvent] | None:
    """Build the function that makes the typed event from the arguments' values, in their order, followed by the emitter.

    It is built once per kind of event, since every log needs it.
    """
    if (event := EVENT_TYPES.get((contract, name))) is None:
        return None
    index_by_field = {field: index for index, field in enumerate([*map(_field_name, arguments), "emitter"])}
    needed = [field.name for field in fields(event) if field.name in index_by_field or field.default is MISSING]
    argument_indexes = [index_by_field[name] for name in needed]
    if argument_indexes == [*range(len(arguments))]:
        return lambda values: event(*values[:-1])
    if needed == [field.name for field in fields(event)][: len(needed)]:
        return lambda values: event(*[values[index] for index in argument_indexes])
    return lambda values: event(**{name: values[index] for name, index in zip(needed, argument_indexes, strict=True)})


def _field_name(abi_name: str) -> str:
    """Convert an ABI argument's name to a field name: `requestId` → `request_id`; `from`, a Python keyword, → `from_`."""
    snake = re.sub(r"(?<!^)([A-Z])", r"_\1", abi_name).lower()
    return "from_" if snake == "from" else snake


def typed_event(contract: ContractName, name: str, args: Mapping[str, Any], *, emitter: Address) -> FundEvent | None:
    """Build the typed event of a decoded log of the contract at `emitter`; None when no projection acts on it.

    A deployment may add arguments; those remain in the stored log only. A field with a default is one that some deployments
    do not log.

    Raises:
        KeyError: an argument the projection needs is missing: the deployed ABI is not the known one.
    """
    make = _event_factory(contract, name, tuple(args))
    return None if make is None else make((*args.values(), emitter))


__all__ = [
    "EVENT_TYPES",
    "AssetAdapterUpdated",
    "AssetAdded",
    "AssetAllocationUpdated",
    "AssetControllerUpdated",
    "AssetEvent",
    "AssetPurchased",
    "AssetRedeemed",
    "AssetRemoved",
    "AssetSchedulerUpdated",
    "BufferPoolRebalanced",
    "ChainTransaction",
    "CriticalLiquidityAlert",
    "DepositProcessed",
    "EmergencyModeChanged",
    "FeeRecipientUpdated",
    "FundEvent",
    "LayerConfigUpdated",
    "LoggedEvent",
    "LowLiquidityAlert",
    "ManagementFeeCollected",
    "OTCManagerUpdated",
    "OracleAdapterUpdated",
    "OrderCancelled",
    "OrderCreated",
    "OrderDelivered",
    "OrderEvent",
    "OrderPaid",
    "Paused",
    "PerformanceFeeCollected",
    "PurchaseRouted",
    "RedemptionApproved",
    "RedemptionCancelled",
    "RedemptionEvent",
    "RedemptionFeeAdded",
    "RedemptionFeeReduced",
    "RedemptionFeesWithdrawn",
    "RedemptionRejected",
    "RedemptionRequested",
    "RedemptionSettled",
    "RoleGranted",
    "RoleRevoked",
    "SharesBurned",
    "SharesLocked",
    "SharesUnlocked",
    "SwapHelperUpdated",
    "TokenTransfer",
    "Transfer",
    "Unpaused",
    "WaterfallLiquidation",
    "YieldCompounded",
    "typed_event",
]
