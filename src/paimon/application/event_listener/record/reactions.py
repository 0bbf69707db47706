"""Which reactions a batch of events makes due: one per aggregate, at the priority of its most urgent event."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from paimon.application.common.topics import FUND, RECONCILE, REDEMPTION, WHOLE_FUND
from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.domain.events.log_status import LogStatus
from paimon.domain.operations.outbox import OutboxPriority

# Source: docs/concepts/fund.md, "Event priorities for reactions"; whatever is not named is normal.
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
_URGENCY: Final = (OutboxPriority.CRITICAL, OutboxPriority.HIGH, OutboxPriority.NORMAL)


@dataclass(frozen=True, slots=True)
class DueMessage:
    """A due reaction: which aggregate to look at, and what made it due."""

    kind: str
    aggregate_id: str
    priority: OutboxPriority
    payload: dict[str, Any]


class AppliedEvent(NamedTuple):
    """An applied log, as far as reactions go."""

    event: str
    request_id: int | None
    block: int


def due_messages(logs: Iterable[DecodedLog]) -> list[DueMessage]:
    """What applied logs make due, and a comparison of the books when something could not be read."""
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
    """One reaction per touched request, and one for the fund when anything at all happened to it."""
    events: dict[tuple[str, str], list[str]] = {}
    block = 0
    for each in applied_events:
        block = max(block, each.block)
        events.setdefault((FUND, "fund"), []).append(each.event)
        if each.request_id is not None:
            events.setdefault((REDEMPTION, str(each.request_id)), []).append(each.event)
    return [
        DueMessage(kind, aggregate_id, _most_urgent(names), {"events": list(dict.fromkeys(names)), "block": block})
        for (kind, aggregate_id), names in events.items()
    ]


def _most_urgent(names: Iterable[str]) -> OutboxPriority:
    return min((_PRIORITY.get(name, OutboxPriority.NORMAL) for name in names), key=_URGENCY.index)
