"""Risk events: findings, their owner, and how they end.

    found ──► OPEN ──(acknowledged)──► ACKNOWLEDGED ──► RESOLVED
               └───────────────────────────────────────────►┘

An event has one subject. While it is unresolved, finding the same subject again updates it. Finding it with a higher severity
opens it again, since a lower severity was acknowledged. A reconciliation break, a wallet low on gas, a lagging finality, an
unknown effect, a failed valuation and a chain behind the records are resolved by the first check that does not find them, and
by nothing else: whether they exist is not a matter of opinion. A changed final block is resolved by the recovery. What no
later check can take back, an unexplained change of NAV, an effect of orphaned blocks, a movement without a signed plan or
redemptions that were split or a contract whose code changed, is resolved by a person. Newer redemptions of the same party then
open another event.
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
    """Kind of a risk event. The comments name its observed and its expected figure."""

    RECONCILIATION_BREAK = "RECONCILIATION_BREAK"  # the recorded value, and the value on chain
    NAV_UNEXPLAINED = "NAV_UNEXPLAINED"  # the part of a NAV change that no log explains, and 0
    LOW_GAS = "LOW_GAS"  # a wallet's balance for gas, and its minimum
    FINALITY_LAG = "FINALITY_LAG"  # the lag of the final block behind the head, and its limit
    FINAL_BLOCK_CHANGED = "FINAL_BLOCK_CHANGED"  # the recorded hash, and the node's hash now
    ORPHANED_EFFECT = "ORPHANED_EFFECT"  # what left the system because of orphaned blocks, and the block it depended on
    CHAIN_BEHIND = "CHAIN_BEHIND"  # that every node's chain is shorter than the records, and the block it should have
    EFFECT_UNKNOWN = "EFFECT_UNKNOWN"  # the node's error instead of an intent's effect, and that it answers
    UNSIGNED_MOVEMENT = "UNSIGNED_MOVEMENT"  # what used a nonce of the hot wallet, and that a signed plan's call does
    UNSIGNED_GRANT = "UNSIGNED_GRANT"  # why a stored grant counts for nothing, and that it is signed
    SPLIT_REDEMPTIONS = "SPLIT_REDEMPTIONS"  # requests of one party with their sum, and the limit that each alone is below
    DUST_REDEMPTIONS = "DUST_REDEMPTIONS"  # requests too small to pay for their settlement, and how many are usual
    INDICATOR_BREACH = "INDICATOR_BREACH"  # the value of one of the fund's risk indicators, and its threshold
    RISK_LEVEL = "RISK_LEVEL"  # the conditions by which the fund's risk level is above NORMAL, and their limits
    PRICE_UNTRUSTED = "PRICE_UNTRUSTED"  # why an asset's price is not trusted, and what stops because of it
    USDT_OFF_PARITY = "USDT_OFF_PARITY"  # USD for one USDT, and 1
    INVALID_VOTE = "INVALID_VOTE"  # why a recorded vote counts for nothing, and that its voter signed it
    UNSIGNED_POLICY = "UNSIGNED_POLICY"  # why a version of the approval policy counts for nothing, and that it is signed
    TICKET_VOID = "TICKET_VOID"  # what has changed about an approved plan, and that what was approved would run
    UNAPPROVED_EXECUTION = "UNAPPROVED_EXECUTION"  # the status of a plan's ticket when its Safe executed it, and APPROVED
    CONTRACT_CHANGED = "CONTRACT_CHANGED"  # what a contract of the fund became, and what it was when it was examined before
    VALUATION_FAILED = "VALUATION_FAILED"  # the read of the contracts that failed, and that NAV needs its result
    LIQUIDITY_SHORTAGE = "LIQUIDITY_SHORTAGE"  # the chance that the fund runs short of cash, and below which it may be
    REBALANCE_DEVIATION = "REBALANCE_DEVIATION"  # what of a rebalance's result is off its plan, and how much may be
    EMERGENCY = "EMERGENCY"  # the state of the emergency protocol with what it waits for, and that it has ended


class Severity(StrEnum):
    """Severity of a risk event: WARNING < CRITICAL. Anything less is logged only."""

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
"""Owner of a risk event: a person, or every person with a role."""

INITIAL_OWNER: Final[dict[Severity, UserRole]] = {
    Severity.WARNING: UserRole.OPERATOR,
    Severity.CRITICAL: UserRole.ADMIN,
}

RESOLVED_BY_CHECK: Final[dict[RiskKind, str]] = {
    RiskKind.RECONCILIATION_BREAK: "found by the reconciliation at block {block}. The first reconciliation without it resolves"
    " it: repair the records (`paimon replay`), then reconcile (`paimon reconcile`)",
    RiskKind.LOW_GAS: "found by the check at block {block}. The first check that finds enough resolves it: top up the wallet",
    RiskKind.FINALITY_LAG: "found by the check at block {block}. The first check that finds the final block near enough"
    " resolves it: until then no newer block is recorded",
    RiskKind.CHAIN_BEHIND: "the listener waits. The first check that finds block {block} on a node again resolves it",
    RiskKind.VALUATION_FAILED: "found at block {block}. The first snapshot that succeeds resolves it: `paimon contracts` shows"
    " which functions the contracts have, and which of them revert",
    RiskKind.EFFECT_UNKNOWN: "found by the check at block {block}. The first check after the node answers, or after the intent"
    " ends, resolves it: `paimon tx` shows the reason",
    RiskKind.INDICATOR_BREACH: "measured at block {block}. The first assessment that finds the indicator normal resolves it:"
    " `paimon risk status` shows the figures",
    RiskKind.LIQUIDITY_SHORTAGE: "forecast at block {block}. The first forecast with a chance below 15 % resolves it:"
    " `paimon forecast` shows the days, and how much to free",
    RiskKind.PRICE_UNTRUSTED: "judged at block {block}. The first judgement that trusts the price resolves it:"
    " `paimon prices` shows what each source says",
    RiskKind.USDT_OFF_PARITY: "judged at block {block}. The first judgement that finds USDT at parity resolves it:"
    " `paimon prices` shows what each source says",
    RiskKind.RISK_LEVEL: "assessed at block {block}. The level ends when no condition of it has held for the settling time:"
    " `paimon risk status` shows them",
    RiskKind.EMERGENCY: "seen at block {block}. The end of the emergency resolves it: `paimon emergency show` shows what waits"
    " for whom",
    RiskKind.FINAL_BLOCK_CHANGED: "the listener is halted. `paimon recover` resolves it, after a check of two nodes",
}
"""Kinds that only a later check resolves, each with the instruction for the operator."""

EFFECT_UNKNOWN_AFTER: Final = timedelta(minutes=5)
"""A node that was unavailable for a moment answers again within this time."""

_CRITICAL_DIVISOR: Final = 5
"""A wallet with less than this fraction of its minimum balance is about to stop."""


class RiskEventClosed(Conflict):
    """The event is resolved; it cannot be acknowledged, assigned or resolved again."""


class StillDetected(Conflict):
    """The last check still found the subject of this event, so it cannot be resolved."""


class InvalidOwner(InvalidRequest, ValueError):
    """The owner is neither a role nor an address."""

    field = "owner"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: its subject, and both figures as text."""

    kind: RiskKind
    subject: str
    observed: str
    expected: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class DatedFinding:
    """A finding about facts on chain, with the block of the newest of them."""

    finding: Finding
    block: int


@dataclass(frozen=True, slots=True)
class CheckStamp:
    """The time and the block of a check."""

    at: datetime
    block: int


@dataclass(frozen=True, slots=True)
class ActorStamp:
    """A person and the time they acted."""

    by: Address
    at: datetime


@dataclass(frozen=True, slots=True)
class RiskEvent:
    """One finding over time.

    `cleared` is the check that no longer found it; `resolved` is the person who resolved it.
    """

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
        ends = [stamp.at for stamp in (self.cleared, self.resolved) if stamp is not None]
        return min(ends, default=None)

    def age(self, now: datetime) -> timedelta:
        """Return how long the event lasts, or lasted."""
        return (self.ended_at or now) - self.first_seen.at

    def __str__(self) -> str:
        return f"{self.finding.subject}: {self.finding.observed}, not {self.finding.expected}"


def discrepancy_findings(
    discrepancies: Iterable[Discrepancy], basis: ValuationBasis | None, *, threshold: Bps
) -> list[Finding]:
    """Make each discrepancy a finding, critical when it is material. Without a valuation basis all are critical."""
    found = list(discrepancies)
    critical = set(found if basis is None else material_discrepancies(found, basis, threshold=threshold))
    return [
        Finding(
            RiskKind.RECONCILIATION_BREAK,
            discrepancy.subject,
            discrepancy.recorded_value,
            discrepancy.chain_value,
            Severity.CRITICAL if discrepancy in critical else Severity.WARNING,
        )
        for discrepancy in found
    ]


def unexplained_nav_findings(attribution: NavAttribution, *, threshold: Bps) -> list[Finding]:
    """Report the parts of a NAV change that no log explains.

    A part is critical from `threshold` of net assets, or of NAV per share, on.
    """

    def is_critical(component: NavComponent) -> bool:
        start = attribution.start
        return (
            abs(component.amount) * BPS_ONE >= start.net_assets * threshold
            or abs(component.per_share) * BPS_ONE >= start.nav_per_share * threshold
        )

    blocks = f"block {attribution.start.at.number} to {attribution.end.at.number}"
    return [
        Finding(
            RiskKind.NAV_UNEXPLAINED,
            f"NAV from {blocks}, {_describe_component(component.key)}",
            f"{component.amount} ({component.per_share} a share)",
            "0",
            Severity.CRITICAL if is_critical(component) else Severity.WARNING,
        )
        for component in attribution.unexplained
    ]


def low_gas_finding(name: str, wallet: Address, balance_wei: int, *, minimum_wei: int) -> Finding | None:
    """Report a wallet whose balance for gas is below its minimum; critical when it is about to stop."""
    if balance_wei >= minimum_wei:
        return None
    severity = Severity.CRITICAL if balance_wei * _CRITICAL_DIVISOR < minimum_wei else Severity.WARNING
    return Finding(
        RiskKind.LOW_GAS, low_gas_subject(name, wallet), f"{balance_wei} wei", f"at least {minimum_wei} wei", severity
    )


def low_gas_subject(name: str, wallet: Address) -> str:
    return f"gas of {name} {checksum(wallet)}"


def effect_unknown_finding(key: str, wallet: Address, reason: str) -> Finding:
    """Report an intent whose effect the node cannot report. The caller decides after which time it is a finding."""
    return Finding(RiskKind.EFFECT_UNKNOWN, effect_unknown_subject(key, wallet), reason, "the node answers", Severity.WARNING)


def effect_unknown_subject(key: str, wallet: Address) -> str:
    return f"{key} by {checksum(wallet)}"


def untrusted_price_subject(token: Address) -> str:
    return f"price of {checksum(token)}"


def unsigned_movement_finding(wallet: Address, nonce: int, reason: str) -> Finding:
    """Report a final transaction of the hot wallet that no signed plan explains: a fact, and always critical."""
    return Finding(
        RiskKind.UNSIGNED_MOVEMENT,
        f"nonce {nonce} of the hot wallet {checksum(wallet)}",
        reason,
        "the call of a signed plan, or a self-send",
        Severity.CRITICAL,
    )


def _describe_component(label: ComponentKey) -> str:
    return f"{label.kind} of {checksum(label.token)}" if label.token else label.kind


def open_event(event_id: int, finding: Finding, check: CheckStamp) -> RiskEvent:
    return RiskEvent(event_id, finding, RiskStatus.OPEN, INITIAL_OWNER[finding.severity], check, check)


def update_event(event: RiskEvent, finding: Finding, check: CheckStamp) -> RiskEvent:
    """Update an event whose subject was found again.

    A higher severity opens the event again; an owner that is a role passes it to the role above.
    """
    if not finding.severity.exceeds(event.finding.severity):
        return replace(event, finding=finding, last_seen=check)
    return replace(
        event, finding=finding, last_seen=check, status=RiskStatus.OPEN, owner=_escalated_owner(event.owner, finding.severity)
    )


def _escalated_owner(owner: RiskOwner, severity: Severity) -> RiskOwner:
    minimum_role = INITIAL_OWNER[severity]
    return minimum_role if isinstance(owner, UserRole) and not owner.includes(minimum_role) else owner


def clear_event(event: RiskEvent, check: CheckStamp) -> RiskEvent:
    """Resolve the event, in any status, after a check that no longer found it."""
    return replace(event, status=RiskStatus.RESOLVED, cleared=check)


def reopen_event(event: RiskEvent) -> RiskEvent:
    """Undo a resolution that does not count. The note stays: it is what was given as the reason."""
    return replace(event, status=RiskStatus.OPEN, cleared=None, resolved=None)


def acknowledge(
    event: RiskEvent, by: User, *, now: datetime, owner: RiskOwner | None = None, note: str | None = None
) -> RiskEvent:
    """Acknowledge the event for its owner: the given owner, else the person who acknowledges.

    Raises:
        RiskEventClosed: the event is resolved.
    """
    require_unresolved(event)
    return replace(
        event,
        status=RiskStatus.ACKNOWLEDGED,
        owner=owner or by.address,
        acknowledged=ActorStamp(by.address, now),
        note=note or event.note,
    )


def assign(event: RiskEvent, owner: RiskOwner) -> RiskEvent:
    """Assign the event to a person or a role. An assignment is no acknowledgement.

    Raises:
        RiskEventClosed: the event is resolved.
    """
    require_unresolved(event)
    return replace(event, owner=owner)


def resolve(event: RiskEvent, by: User, *, now: datetime, note: str | None = None) -> RiskEvent:
    """Resolve the event by a person's decision.

    Raises:
        RiskEventClosed: the event is resolved.
        StillDetected: only a later check can resolve an event of this kind.
    """
    if (rejection := resolution_rejection(event)) is not None:
        raise rejection
    return replace(event, status=RiskStatus.RESOLVED, resolved=ActorStamp(by.address, now), note=note or event.note)


def resolution_rejection(event: RiskEvent) -> RiskEventClosed | StillDetected | None:
    """Explain why no person can resolve the event now; None when one can."""
    if event.status is RiskStatus.RESOLVED:
        return _closed(event)
    if (hint := RESOLVED_BY_CHECK.get(event.finding.kind)) is not None:
        return StillDetected(f"{event}: {hint.format(block=event.last_seen.block)}")
    return None


def require_unresolved(event: RiskEvent) -> None:
    """Raises RiskEventClosed."""
    if event.status is RiskStatus.RESOLVED:
        raise _closed(event)


def _closed(event: RiskEvent) -> RiskEventClosed:
    when = f"{event.ended_at:%Y-%m-%d %H:%M} UTC"
    return RiskEventClosed(f"risk event {event.id} ({event.finding.subject}) was resolved at {when}")


def parse_owner(text: str) -> RiskOwner:
    """Parse the name of a role, or an address.

    Raises:
        InvalidOwner: the text is neither.
    """
    if text in {role.value for role in UserRole}:
        return UserRole(text)
    try:
        return parse_address(text)
    except ValueError as error:
        raise InvalidOwner(f"{text[:60]!r} is neither an address nor one of the roles {', '.join(UserRole)}") from error


def format_owner(owner: RiskOwner) -> str:
    return owner.value if isinstance(owner, UserRole) else checksum(owner)
