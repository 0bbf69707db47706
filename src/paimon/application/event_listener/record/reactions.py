"""Which reactions a batch of events makes due: one per aggregate, at the priority of its most urgent event."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from paimon.application.common.topics import BOOKS, FUND, RECONCILE, REDEMPTION
from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.infrastructure.database.models.derived import LogStatus
from paimon.infrastructure.database.models.ops.outbox import OutboxPriority

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
class Reaction:
    """A due reaction: which aggregate to look at, and what made it due."""

    kind: str
    aggregate_id: str
    priority: OutboxPriority
    payload: dict[str, Any]


class Happening(NamedTuple):
    """An applied log, as far as reactions go."""

    event: str
    request_id: int | None
    block: int


def due_reactions(logs: Iterable[DecodedLog]) -> list[Reaction]:
    """What applied logs make due, and a comparison of the books when something could not be read."""
    happenings: list[Happening] = []
    quarantined_block = 0
    for decoded in logs:
        block = decoded.log.block.number
        if decoded.status is LogStatus.QUARANTINED:
            quarantined_block = max(quarantined_block, block)
        elif decoded.status is LogStatus.APPLIED and decoded.name is not None:
            happenings.append(Happening(decoded.name, decoded.request_id, block))
    reactions = reactions_to(happenings)
    if quarantined_block:
        reactions.append(Reaction(RECONCILE, BOOKS, OutboxPriority.HIGH, {"block": quarantined_block}))
    return reactions


def reactions_to(happenings: Iterable[Happening]) -> list[Reaction]:
    """One reaction per touched request, and one for the fund when anything at all happened to it."""
    events: dict[tuple[str, str], list[str]] = {}
    block = 0
    for each in happenings:
        block = max(block, each.block)
        events.setdefault((FUND, "fund"), []).append(each.event)
        if each.request_id is not None:
            events.setdefault((REDEMPTION, str(each.request_id)), []).append(each.event)
    return [
        Reaction(kind, aggregate_id, _most_urgent(names), {"events": list(dict.fromkeys(names)), "block": block})
        for (kind, aggregate_id), names in events.items()
    ]


def _most_urgent(names: Iterable[str]) -> OutboxPriority:
    return min((_PRIORITY.get(name, OutboxPriority.NORMAL) for name in names), key=_URGENCY.index)
