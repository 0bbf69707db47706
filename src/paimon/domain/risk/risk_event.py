"""Risk events: what this house found wrong, who has it, and how it ends.

    found ──► OPEN ──(somebody takes it)──► ACKNOWLEDGED ──► RESOLVED
               └──────────────────────────────────────────────►┘

An event is about one subject. As long as it is not resolved, finding the same again brings it up to date; found worse, it
is open again, for what was acknowledged was less. A difference between books and chain, a wallet short of gas, or finality
that lags, is resolved by the first look that does not find it, and by nothing else: whether it is there is nobody's opinion. A
final block that changed is resolved by the recovery. What no later look can take back, a change of NAV that nothing explains or
an effect of blocks that are no more, is for a person to resolve.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from paimon.domain.kernel.chain import Address, checksum, parse_address
from paimon.domain.kernel.units import BPS_ONE, Bps
from paimon.domain.risk.discrepancy import Difference
from paimon.domain.risk.nav_publication import Worth, material
from paimon.domain.user.roles import User, UserRole
from paimon.domain.vault.nav_components import Explanation, Label, Part
from paimon.errors import Conflict, InvalidRequest


class RiskKind(StrEnum):
    """What the two figures of an event are."""

    BOOK_DIFFERENCE = "BOOK_DIFFERENCE"  # the books' and the chain's
    NAV_UNEXPLAINED = "NAV_UNEXPLAINED"  # what of NAV's change nothing tells of, and 0
    LOW_GAS = "LOW_GAS"  # what a wallet has to pay for gas with, and the least it should have
    FINALITY_LAG = "FINALITY_LAG"  # how far the final block is behind the head, and how far it may be
    FINAL_BLOCK_CHANGED = "FINAL_BLOCK_CHANGED"  # the hash that was recorded, and the one the node has now
    ORPHANED_EFFECT = "ORPHANED_EFFECT"  # what left the house because of blocks that are no more, and the block it rests on
    CHAIN_BEHIND = "CHAIN_BEHIND"  # that the chain of every node is shorter than the books, and the block it should have
    EFFECT_UNTOLD = "EFFECT_UNTOLD"  # what the node says instead of how an intent stands, and that it tells


class Severity(StrEnum):
    """WARNING < CRITICAL. (What is less is logged, and no event.)"""

    WARNING = "WARNING"
    CRITICAL = "CRITICAL"

    def exceeds(self, other: "Severity") -> bool:
        ranks = tuple(Severity)
        return ranks.index(self) > ranks.index(other)


class RiskState(StrEnum):
    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RESOLVED = "RESOLVED"


Owner = UserRole | Address
"""Who has an event: a person, or whoever holds a role."""

FIRST_OWNER: Final[dict[Severity, UserRole]] = {
    Severity.WARNING: UserRole.OPERATOR,
    Severity.CRITICAL: UserRole.ADMIN,
}

SETTLED_BY_LOOK: Final[dict[RiskKind, str]] = {
    RiskKind.BOOK_DIFFERENCE: "found by the comparison at block {block}. It is resolved by the first comparison that does not"
    " find it any more: repair the books (`paimon replay`), then compare (`paimon reconcile`)",
    RiskKind.LOW_GAS: "found by the look at block {block}. It is resolved by the first look that finds enough: top it up",
    RiskKind.FINALITY_LAG: "found by the look at block {block}. It is resolved by the first look that finds the final block"
    " near enough: until then nothing newer is in the books",
    RiskKind.CHAIN_BEHIND: "the listener waits. It is resolved by the first look that finds block {block} on a node again",
    RiskKind.EFFECT_UNTOLD: "found by the look at block {block}. It is resolved by the first look after the node told, or the"
    " intent ended: `paimon desk` has its reason",
    RiskKind.FINAL_BLOCK_CHANGED: "the listener stands by. It is resolved by `paimon recover`, which looks at two nodes first",
}
"""What only a later look can take back, and what to do so that it does."""

UNTOLD_AFTER: Final = timedelta(minutes=5)
"""A node that was asked at a bad moment has told by then."""

_DIRE_PART: Final = 5
"""A wallet with less than this part of the least it should have is about to stop."""


class RiskEventClosed(Conflict):
    """The event is resolved; nobody can take it or resolve it again."""


class StillThere(Conflict):
    """What the event is about was found by the last comparison too, so it cannot be called resolved."""


class NotAnOwner(InvalidRequest, ValueError):
    """Neither a role of this house nor an address."""

    field = "owner"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was found: its subject in words, and both figures as text."""

    kind: RiskKind
    subject: str
    observed: str
    expected: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class Look:
    """When and at which block something was looked at."""

    at: datetime
    block: int


@dataclass(frozen=True, slots=True)
class Deed:
    """Who did something, and when."""

    by: Address
    at: datetime


@dataclass(frozen=True, slots=True)
class RiskEvent:
    """One finding over time. `cleared` is the look that did not find it any more, `resolved` the person who said so."""

    id: int
    found: Finding
    state: RiskState
    owner: Owner
    first_seen: Look
    last_seen: Look
    acknowledged: Deed | None = None
    cleared: Look | None = None
    resolved: Deed | None = None
    note: str | None = None

    @property
    def ended_at(self) -> datetime | None:
        ends = [each.at for each in (self.cleared, self.resolved) if each is not None]
        return min(ends, default=None)

    def age(self, now: datetime) -> timedelta:
        """How long it has been there, or was."""
        return (self.ended_at or now) - self.first_seen.at

    def __str__(self) -> str:
        return f"{self.found.subject}: {self.found.observed}, not {self.found.expected}"


def findings(differences: Iterable[Difference], worth: Worth | None, *, threshold: Bps) -> list[Finding]:
    """Each difference as a finding, critical when it is material; without anything to measure by, all are."""
    found = list(differences)
    critical = set(found if worth is None else material(found, worth, threshold=threshold))
    return [
        Finding(
            RiskKind.BOOK_DIFFERENCE,
            each.subject,
            each.book,
            each.chain,
            Severity.CRITICAL if each in critical else Severity.WARNING,
        )
        for each in found
    ]


def unexplained_findings(told: Explanation, *, threshold: Bps) -> list[Finding]:
    """What no log tells of in a change of NAV, critical from so much of net assets, or of NAV per share, on."""

    def is_critical(part: Part) -> bool:
        start = told.start
        return (
            abs(part.amount) * BPS_ONE >= start.net_assets * threshold
            or abs(part.per_share) * BPS_ONE >= start.nav_per_share * threshold
        )

    return [
        Finding(
            RiskKind.NAV_UNEXPLAINED,
            f"NAV from block {told.start.at.number} to {told.end.at.number}, {_named(part.label)}",
            f"{part.amount} ({part.per_share} a share)",
            "0",
            Severity.CRITICAL if is_critical(part) else Severity.WARNING,
        )
        for part in told.unexplained
    ]


def low_gas(name: str, wallet: Address, balance_wei: int, *, least_wei: int) -> Finding | None:
    """A wallet that has less than it should to pay for gas with; critical when it is about to stop."""
    if balance_wei >= least_wei:
        return None
    severity = Severity.CRITICAL if balance_wei * _DIRE_PART < least_wei else Severity.WARNING
    return Finding(RiskKind.LOW_GAS, low_gas_subject(name, wallet), f"{balance_wei} wei", f"at least {least_wei} wei", severity)


def low_gas_subject(name: str, wallet: Address) -> str:
    return f"gas of {name} {checksum(wallet)}"


def effect_untold(key: str, wallet: Address, reason: str) -> Finding:
    """The node does not tell how an intent stands; since when is the caller's to judge."""
    return Finding(RiskKind.EFFECT_UNTOLD, untold_subject(key, wallet), reason, "the node tells", Severity.WARNING)


def untold_subject(key: str, wallet: Address) -> str:
    return f"{key} by {checksum(wallet)}"


def _named(label: Label) -> str:
    return f"{label.kind} of {checksum(label.token)}" if label.token else label.kind


def opened(event_id: int, found: Finding, look: Look) -> RiskEvent:
    return RiskEvent(event_id, found, RiskState.OPEN, FIRST_OWNER[found.severity], look, look)


def seen_again(event: RiskEvent, found: Finding, look: Look) -> RiskEvent:
    """The same subject found once more, with the figures it has now. Worse than before, it is open again, and a role that
    has it hands it to the one above."""
    if not found.severity.exceeds(event.found.severity):
        return replace(event, found=found, last_seen=look)
    return replace(event, found=found, last_seen=look, state=RiskState.OPEN, owner=_at_least(event.owner, found.severity))


def _at_least(owner: Owner, severity: Severity) -> Owner:
    wanted = FIRST_OWNER[severity]
    return wanted if isinstance(owner, UserRole) and not owner.includes(wanted) else owner


def gone(event: RiskEvent, look: Look) -> RiskEvent:
    """A look that did not find it any more resolves it, whatever its state."""
    return replace(event, state=RiskState.RESOLVED, cleared=look)


def acknowledge(event: RiskEvent, by: User, *, now: datetime, owner: Owner | None = None, note: str | None = None) -> RiskEvent:
    """Somebody has seen it, and has it from now on, or says who has. Raises RiskEventClosed."""
    _require_unresolved(event)
    return replace(
        event,
        state=RiskState.ACKNOWLEDGED,
        owner=owner or by.address,
        acknowledged=Deed(by.address, now),
        note=note or event.note,
    )


def assign(event: RiskEvent, owner: Owner) -> RiskEvent:
    """It is this person's or role's to look after; nobody has seen it by that. Raises RiskEventClosed."""
    _require_unresolved(event)
    return replace(event, owner=owner)


def resolve(event: RiskEvent, by: User, *, now: datetime, note: str | None = None) -> RiskEvent:
    """A person declares it settled.

    Raises:
        RiskEventClosed, StillThere.
    """
    _require_unresolved(event)
    if (words := SETTLED_BY_LOOK.get(event.found.kind)) is not None:
        raise StillThere(f"{event}: {words.format(block=event.last_seen.block)}")
    return replace(event, state=RiskState.RESOLVED, resolved=Deed(by.address, now), note=note or event.note)


def _require_unresolved(event: RiskEvent) -> None:
    if event.state is RiskState.RESOLVED:
        when = f"{event.ended_at:%Y-%m-%d %H:%M} UTC"
        raise RiskEventClosed(f"risk event {event.id} ({event.found.subject}) was resolved at {when}")


def parse_owner(text: str) -> Owner:
    """A role's name, or an address. Raises NotAnOwner."""
    if text in {each.value for each in UserRole}:
        return UserRole(text)
    try:
        return parse_address(text)
    except ValueError as error:
        raise NotAnOwner(f"{text[:60]!r} is neither an address nor one of the roles {', '.join(UserRole)}") from error


def shown_owner(owner: Owner) -> str:
    return owner.value if isinstance(owner, UserRole) else checksum(owner)
