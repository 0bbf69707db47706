"""What the fund's events add up to: redemptions, holdings, roles and flags, folded one event at a time.

The fold is a pure function of the events in order, so that the listener, a replay and a test all get the same books; how
the events were cut into batches cannot matter.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from paimon.domain.chain import Address, BlockStamp, ContractName, Hash32
from paimon.domain.events import (
    EmergencyModeChanged,
    FundEvent,
    Paused,
    RedemptionApproved,
    RedemptionCancelled,
    RedemptionRejected,
    RedemptionRequested,
    RedemptionSettled,
    RoleGranted,
    RoleRevoked,
    Unpaused,
)
from paimon.domain.holding import Holding, movements
from paimon.domain.redemption import Redemption, follow

RoleKey = tuple[ContractName, Hash32, Address]
FlagKey = tuple[ContractName, "Flag"]

REDEMPTION_EVENTS = (RedemptionRequested, RedemptionApproved, RedemptionRejected, RedemptionCancelled, RedemptionSettled)


class Flag(StrEnum):
    """An on-off state of a contract."""

    PAUSED = "paused"
    EMERGENCY_MODE = "emergency_mode"


@dataclass(frozen=True, slots=True)
class Touched:
    """What a batch of events needs loaded before it can be folded."""

    requests: frozenset[int]
    holders: frozenset[Address]


def touched(events: Iterable[FundEvent]) -> Touched:
    requests: set[int] = set()
    holders: set[Address] = set()
    for event in events:
        if isinstance(event, REDEMPTION_EVENTS):
            requests.add(event.request_id)
        holders.update(step.holder for step in movements(event))
    return Touched(frozenset(requests), frozenset(holders))


@dataclass(frozen=True, slots=True)
class FlagState:
    """A flag as its last event, in `since_block`, left it."""

    enabled: bool
    since_block: int


@dataclass(slots=True)
class Projection:
    """The state being folded. Roles and flags hold only what the folded events changed; of redemptions and holdings,
    which must be there before they can be folded on, `updated_block` and `moved` tell what did.

    A block kept with the state is the event's own, never the batch's, or the same events in other batches would not give
    the same books.
    """

    redemptions: dict[int, Redemption] = field(default_factory=dict)
    updated_block: dict[int, int] = field(default_factory=dict)
    holdings: dict[Address, Holding] = field(default_factory=dict)
    moved: set[Address] = field(default_factory=set)
    roles: dict[RoleKey, bool] = field(default_factory=dict)
    flags: dict[FlagKey, FlagState] = field(default_factory=dict)

    def apply(self, event: FundEvent, *, contract: ContractName, at: BlockStamp) -> None:
        """Fold one event; on an error nothing has changed.

        Raises:
            InapplicableEvent: the event cannot follow what was folded before it.
        """
        match event:
            case (
                RedemptionRequested()
                | RedemptionApproved()
                | RedemptionRejected()
                | RedemptionCancelled()
                | RedemptionSettled()
            ):
                self.redemptions[event.request_id] = follow(self.redemptions.get(event.request_id), event, at=at)
                self.updated_block[event.request_id] = at.number
            case RoleGranted(role=role, account=account):
                self.roles[contract, role, account] = True
            case RoleRevoked(role=role, account=account):
                self.roles[contract, role, account] = False
            case Paused():
                self.flags[contract, Flag.PAUSED] = FlagState(True, at.number)
            case Unpaused():
                self.flags[contract, Flag.PAUSED] = FlagState(False, at.number)
            case EmergencyModeChanged(enabled=enabled):
                self.flags[contract, Flag.EMERGENCY_MODE] = FlagState(enabled, at.number)
            case _:
                self._move_shares(event)

    def _move_shares(self, event: FundEvent) -> None:
        moved: dict[Address, Holding] = {}
        for step in movements(event):
            before = moved.get(step.holder) or self.holdings.get(step.holder) or Holding(step.holder)
            moved[step.holder] = before.after(step)
        self.holdings.update(moved)
        self.moved.update(moved)
