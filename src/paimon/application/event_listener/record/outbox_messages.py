"""The outbox messages that a batch of events makes due: one per aggregate, at the priority of its most urgent event."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from paimon.application.common.topics import CONTRACTS, FUND, RECONCILE, REDEMPTION, WHOLE_FUND
from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.domain.events.log_status import LogStatus
from paimon.domain.operations.outbox import OutboxPriority

# Source: docs/concepts/fund.md, "Event priorities for reactions". Events that are not listed have the normal priority.
_PRIORITY: Final[dict[str, OutboxPriority]] = {
    **dict.fromkeys(
        (
            "EmergencyModeChanged",
            "CriticalLiquidityAlert",
            "LowLiquidityAlert",
            "Paused",
            "Unpaused",
            "RoleGranted",
            "RoleRevoked",
            "Upgraded",
            "BeaconUpgraded",
            "AdminChanged",
        ),
        OutboxPriority.CRITICAL,
    ),
    **dict.fromkeys(
        (
            "RedemptionRequested",
            "RedemptionApproved",
            "RedemptionRejected",
            "NavUpdated",
            "WaterfallLiquidation",
            "OrderPaid",
            "LayerConfigUpdated",
        ),
        OutboxPriority.HIGH,
    ),
}
_UPGRADES: Final = frozenset({"Upgraded", "BeaconUpgraded", "AdminChanged"})
"""Events after which a contract may be another program than it was."""
_URGENCY: Final = (OutboxPriority.CRITICAL, OutboxPriority.HIGH, OutboxPriority.NORMAL)


@dataclass(frozen=True, slots=True)
class DueMessage:
    """A due outbox message: the aggregate that its handler loads, and the events that made it due."""

    kind: str
    aggregate_id: str
    priority: OutboxPriority
    payload: dict[str, Any]


class AppliedEvent(NamedTuple):
    """The part of an applied log that decides about messages."""

    event: str
    request_id: int | None
    block: int


def due_messages(logs: Iterable[DecodedLog]) -> list[DueMessage]:
    """Return the messages that applied logs make due, and a reconciliation when a log was quarantined."""
    applied_events: list[AppliedEvent] = []
    quarantined_block = 0
    for decoded in logs:
        block = decoded.log.block.number
        if decoded.status is LogStatus.QUARANTINED:
            quarantined_block = max(quarantined_block, block)
        elif decoded.status is LogStatus.APPLIED and decoded.name is not None:
            applied_events.append(AppliedEvent(decoded.name, decoded.request_id, block))
    messages = messages_for(applied_events)
    if quarantined_block:
        messages.append(DueMessage(RECONCILE, WHOLE_FUND, OutboxPriority.HIGH, {"block": quarantined_block}))
    return messages


def messages_for(applied_events: Iterable[AppliedEvent]) -> list[DueMessage]:
    """Return one message per redemption request that an event is about, one for the fund if there is any event.

    An upgrade also makes an examination of the contracts due.
    """
    events: dict[tuple[str, str], list[str]] = {}
    block = 0
    for applied in applied_events:
        block = max(block, applied.block)
        events.setdefault((FUND, WHOLE_FUND), []).append(applied.event)
        if applied.event in _UPGRADES:
            events.setdefault((CONTRACTS, WHOLE_FUND), []).append(applied.event)
        if applied.request_id is not None:
            events.setdefault((REDEMPTION, str(applied.request_id)), []).append(applied.event)
    return [
        DueMessage(kind, aggregate_id, _most_urgent(names), {"events": list(dict.fromkeys(names)), "block": block})
        for (kind, aggregate_id), names in events.items()
    ]


def _most_urgent(names: Iterable[str]) -> OutboxPriority:
    return min((_PRIORITY.get(name, OutboxPriority.NORMAL) for name in names), key=_URGENCY.index)
