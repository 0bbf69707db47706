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
from paimon.domain.risk.discrepancy import Discrepancy
from paimon.domain.risk.nav_publication import ValuationBasis, material_discrepancies
from paimon.domain.user.roles import User, UserRole
from paimon.domain.vault.nav_components import ComponentKey, NavAttribution, NavComponent
from paimon.errors import Conflict, InvalidRequest


class RiskKind(StrEnum):
    """What the two figures of an event are."""

    RECONCILIATION_BREAK = "RECONCILIATION_BREAK"  # the books' and the chain's
    NAV_UNEXPLAINED = "NAV_UNEXPLAINED"  # what of NAV's change nothing tells of, and 0
    LOW_GAS = "LOW_GAS"  # what a wallet has to pay for gas with, and the least it should have
    FINALITY_LAG = "FINALITY_LAG"  # how far the final block is behind the head, and how far it may be
    FINAL_BLOCK_CHANGED = "FINAL_BLOCK_CHANGED"  # the hash that was recorded, and the one the node has now
    ORPHANED_EFFECT = "ORPHANED_EFFECT"  # what left the house because of blocks that are no more, and the block it rests on
    CHAIN_BEHIND = "CHAIN_BEHIND"  # that the chain of every node is shorter than the books, and the block it should have
    EFFECT_UNKNOWN = "EFFECT_UNKNOWN"  # what the node says instead of how an intent stands, and that it tells


class Severity(StrEnum):
    """WARNING < CRITICAL. (What is less is logged, and no event.)"""

    WARNING = "WARNING"
    CRITICAL = "CRITICAL"

    def exceeds(self, other: "Severity") -> bool:
        ranks = tuple(Severity)
        return ranks.index(self) > ranks.index(other)


class RiskStatus(StrEnum):
    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RESOLVED = "RESOLVED"


RiskOwner = UserRole | Address
"""Who has an event: a person, or whoever holds a role."""

INITIAL_OWNER: Final[dict[Severity, UserRole]] = {
    Severity.WARNING: UserRole.OPERATOR,
    Severity.CRITICAL: UserRole.ADMIN,
}

RESOLVED_BY_CHECK: Final[dict[RiskKind, str]] = {
    RiskKind.RECONCILIATION_BREAK: "found by the comparison at block {block}. It is resolved by the first comparison that does not"
    " find it any more: repair the books (`paimon replay`), then compare (`paimon reconcile`)",
    RiskKind.LOW_GAS: "found by the look at block {block}. It is resolved by the first look that finds enough: top it up",
    RiskKind.FINALITY_LAG: "found by the look at block {block}. It is resolved by the first look that finds the final block"
    " near enough: until then nothing newer is in the books",
    RiskKind.CHAIN_BEHIND: "the listener waits. It is resolved by the first look that finds block {block} on a node again",
    RiskKind.EFFECT_UNKNOWN: "found by the look at block {block}. It is resolved by the first look after the node told, or the"
    " intent ended: `paimon desk` has its reason",
    RiskKind.FINAL_BLOCK_CHANGED: "the listener stands by. It is resolved by `paimon recover`, which looks at two nodes first",
}
"""What only a later look can take back, and what to do so that it does."""

EFFECT_UNKNOWN_AFTER: Final = timedelta(minutes=5)
"""A node that was asked at a bad moment has told by then."""

_CRITICAL_DIVISOR: Final = 5
"""A wallet with less than this part of the least it should have is about to stop."""


class RiskEventClosed(Conflict):
    """The event is resolved; nobody can take it or resolve it again."""


class StillDetected(Conflict):
    """What the event is about was found by the last comparison too, so it cannot be called resolved."""


class InvalidOwner(InvalidRequest, ValueError):
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
class CheckStamp:
    """When and at which block something was looked at."""

    at: datetime
    block: int


@dataclass(frozen=True, slots=True)
class ActorStamp:
    """Who did something, and when."""

    by: Address
    at: datetime


@dataclass(frozen=True, slots=True)
class RiskEvent:
    """One finding over time. `cleared` is the look that did not find it any more, `resolved` the person who said so."""

    id: int
    finding: Finding
    status: RiskStatus
    owner: RiskOwner
    first_seen: CheckStamp
    last_seen: CheckStamp
    acknowledged: ActorStamp | None = None
    cleared: CheckStamp | None = None
    resolved: ActorStamp | None = None
    note: str | None = None

    @property
    def ended_at(self) -> datetime | None:
        ends = [each.at for each in (self.cleared, self.resolved) if each is not None]
        return min(ends, default=None)

    def age(self, now: datetime) -> timedelta:
        """How long it has been there, or was."""
        return (self.ended_at or now) - self.first_seen.at

    def __str__(self) -> str:
        return f"{self.finding.subject}: {self.finding.observed}, not {self.finding.expected}"


def discrepancy_findings(
    discrepancies: Iterable[Discrepancy], basis: ValuationBasis | None, *, threshold: Bps
) -> list[Finding]:
    """Each difference as a finding, critical when it is material; without anything to measure by, all are."""
    found = list(discrepancies)
    critical = set(found if basis is None else material_discrepancies(found, basis, threshold=threshold))
    return [
        Finding(
            RiskKind.RECONCILIATION_BREAK,
            each.subject,
            each.recorded_value,
            each.chain_value,
            Severity.CRITICAL if each in critical else Severity.WARNING,
        )
        for each in found
    ]


def unexplained_nav_findings(attribution: NavAttribution, *, threshold: Bps) -> list[Finding]:
    """What no log tells of in a change of NAV, critical from so much of net assets, or of NAV per share, on."""

    def is_critical(component: NavComponent) -> bool:
        start = attribution.start
        return (
            abs(component.amount) * BPS_ONE >= start.net_assets * threshold
            or abs(component.per_share) * BPS_ONE >= start.nav_per_share * threshold
        )

    return [
        Finding(
            RiskKind.NAV_UNEXPLAINED,
            f"NAV from block {attribution.start.at.number} to {attribution.end.at.number}, {_describe_component(component.key)}",
            f"{component.amount} ({component.per_share} a share)",
            "0",
            Severity.CRITICAL if is_critical(component) else Severity.WARNING,
        )
        for component in attribution.unexplained
    ]


def low_gas_finding(name: str, wallet: Address, balance_wei: int, *, minimum_wei: int) -> Finding | None:
    """A wallet that has less than it should to pay for gas with; critical when it is about to stop."""
    if balance_wei >= minimum_wei:
        return None
    severity = Severity.CRITICAL if balance_wei * _CRITICAL_DIVISOR < minimum_wei else Severity.WARNING
    return Finding(
        RiskKind.LOW_GAS, low_gas_subject(name, wallet), f"{balance_wei} wei", f"at least {minimum_wei} wei", severity
    )


def low_gas_subject(name: str, wallet: Address) -> str:
    return f"gas of {name} {checksum(wallet)}"


def effect_unknown_finding(key: str, wallet: Address, reason: str) -> Finding:
    """The node does not tell how an intent stands; since when is the caller's to judge."""
    return Finding(RiskKind.EFFECT_UNKNOWN, effect_unknown_subject(key, wallet), reason, "the node tells", Severity.WARNING)


def effect_unknown_subject(key: str, wallet: Address) -> str:
    return f"{key} by {checksum(wallet)}"


def _describe_component(label: ComponentKey) -> str:
    return f"{label.kind} of {checksum(label.token)}" if label.token else label.kind


def open_event(event_id: int, finding: Finding, check: CheckStamp) -> RiskEvent:
    return RiskEvent(event_id, finding, RiskStatus.OPEN, INITIAL_OWNER[finding.severity], check, check)


def update_event(event: RiskEvent, finding: Finding, check: CheckStamp) -> RiskEvent:
    """The same subject found once more, with the figures it has now. Worse than before, it is open again, and a role that
    has it hands it to the one above."""
    if not finding.severity.exceeds(event.finding.severity):
        return replace(event, finding=finding, last_seen=check)
    return replace(
        event, finding=finding, last_seen=check, status=RiskStatus.OPEN, owner=_escalated_owner(event.owner, finding.severity)
    )


def _escalated_owner(owner: RiskOwner, severity: Severity) -> RiskOwner:
    minimum_role = INITIAL_OWNER[severity]
    return minimum_role if isinstance(owner, UserRole) and not owner.includes(minimum_role) else owner


def clear_event(event: RiskEvent, check: CheckStamp) -> RiskEvent:
    """A look that did not find it any more resolves it, whatever its state."""
    return replace(event, status=RiskStatus.RESOLVED, cleared=check)


def acknowledge(
    event: RiskEvent, by: User, *, now: datetime, owner: RiskOwner | None = None, note: str | None = None
) -> RiskEvent:
    """Somebody has seen it, and has it from now on, or says who has. Raises RiskEventClosed."""
    _require_unresolved(event)
    return replace(
        event,
        status=RiskStatus.ACKNOWLEDGED,
        owner=owner or by.address,
        acknowledged=ActorStamp(by.address, now),
        note=note or event.note,
    )


def assign(event: RiskEvent, owner: RiskOwner) -> RiskEvent:
    """It is this person's or role's to look after; nobody has seen it by that. Raises RiskEventClosed."""
    _require_unresolved(event)
    return replace(event, owner=owner)


def resolve(event: RiskEvent, by: User, *, now: datetime, note: str | None = None) -> RiskEvent:
    """A person declares it settled.

    Raises:
        RiskEventClosed, StillDetected.
    """
    _require_unresolved(event)
    if (hint := RESOLVED_BY_CHECK.get(event.finding.kind)) is not None:
        raise StillDetected(f"{event}: {hint.format(block=event.last_seen.block)}")
    return replace(event, status=RiskStatus.RESOLVED, resolved=ActorStamp(by.address, now), note=note or event.note)


def _require_unresolved(event: RiskEvent) -> None:
    if event.status is RiskStatus.RESOLVED:
        when = f"{event.ended_at:%Y-%m-%d %H:%M} UTC"
        raise RiskEventClosed(f"risk event {event.id} ({event.finding.subject}) was resolved at {when}")


def parse_owner(text: str) -> RiskOwner:
    """A role's name, or an address. Raises InvalidOwner."""
    if text in {each.value for each in UserRole}:
        return UserRole(text)
    try:
        return parse_address(text)
    except ValueError as error:
        raise InvalidOwner(f"{text[:60]!r} is neither an address nor one of the roles {', '.join(UserRole)}") from error


def format_owner(owner: RiskOwner) -> str:
    return owner.value if isinstance(owner, UserRole) else checksum(owner)
