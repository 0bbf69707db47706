"""The approval policy: an ordered list of rules that says what may happen, what may not, and whose approval it needs.

Source: docs/concepts/policy.md. An operation is one call that would be made, or one redemption request that awaits approval.
The first rule that matches an operation decides it; an operation that no rule matches is blocked. A plan is several
operations: one that is blocked blocks the plan, and every rule that asks for approvals must have them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from paimon.domain.approval.matching import DIMENSIONS, Match
from paimon.domain.approval.ticket import TicketType
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.units import RawAmount
from paimon.domain.user.roles import User, UserRole
from paimon.errors import Forbidden


class OperationKind(StrEnum):
    """What an operation is part of."""

    STANDARD_REDEMPTION = "STANDARD_REDEMPTION"
    EMERGENCY_REDEMPTION = "EMERGENCY_REDEMPTION"
    REBALANCE = "REBALANCE"  # a call of a plan that the rebalance engine made
    CALL = "CALL"  # a call of a plan that a person made


REDEMPTIONS: Final = frozenset({OperationKind.STANDARD_REDEMPTION, OperationKind.EMERGENCY_REDEMPTION})


class Initiator(StrEnum):
    """Who wants an operation to happen."""

    INVESTOR = "investor"
    PLANNER = "planner"
    OPERATOR = "operator"
    ADMIN = "admin"
    SUPER_ADMIN = "super_admin"


def initiator_of(user: User) -> Initiator:
    """Return what a person is as an initiator. A right beyond the role makes no other initiator."""
    return Initiator(user.role) if user.role.includes(UserRole.OPERATOR) else Initiator.OPERATOR


class RuleVerdict(StrEnum):
    """What a rule says of the operations that it decides."""

    ALLOW = "ALLOW"
    BLOCK = "BLOCK"
    NEEDS_APPROVALS = "NEEDS_APPROVALS"


class ApproverRole(StrEnum):
    """A kind of approvers. An administrator has the role here; a VIP approver holds the role on chain besides."""

    ADMIN = "admin"
    SUPER_ADMIN = "super_admin"
    VIP_APPROVER = "vip_approver"


class AtDeadline(StrEnum):
    """What a passed deadline does to an open ticket."""

    ALERT = "ALERT"  # it stays open, and the alert is critical
    REJECT = "REJECT"  # it expires


NONE: Final = "none"
"""The asset or destination of an operation that has none."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that would happen, with its value in each dimension of a rule.

    Amounts are in whole units of the vault's asset. `amount` is the whole plan's, so that splitting a plan does not lower it.
    `amount_24h` is what the source has moved in 24 hours, with this. Addresses are checksummed.
    """

    kind: OperationKind
    initiator: Initiator
    source: str
    contract: str
    method: str
    amount: Decimal
    amount_24h: Decimal
    asset: str = NONE
    destination: str = NONE


def in_whole_units(amount: RawAmount, decimals: int) -> Decimal:
    """Return a raw amount in whole units, exactly: arithmetic would round at 28 digits."""
    return Decimal(f"{amount}E-{decimals}")


_VALUES: Final = dict(
    zip(
        DIMENSIONS,
        ("kind", "initiator", "source", "destination", "asset", "contract", "method", "amount", "amount_24h"),
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class Approver:
    """A person who approved, and what they may approve as."""

    address: Address
    role: UserRole
    holds_vip_role: bool = False
    also: frozenset[Address] = frozenset()
    """Others who signed in the same place, a person or their stand-in."""

    def is_a(self, role: ApproverRole) -> bool:
        match role:
            case ApproverRole.VIP_APPROVER:
                return self.holds_vip_role and self.role.includes(UserRole.ADMIN)
            case _:
                return self.role.includes(UserRole(role.value))


@dataclass(frozen=True, slots=True)
class ApproverGroup:
    """A number of approvals from people of a role, or from named people."""

    count: int
    role: ApproverRole | None = None
    people: frozenset[Address] = frozenset()

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError("a group gives at least one approval")
        if (self.role is None) == (not self.people):
            raise ValueError("a group is of one role, or of named people")
        if self.people and self.count > len(self.people):
            raise ValueError(f"{self.count} approvals cannot come from {len(self.people)} people, who approve once each")

    def admits(self, approver: Approver) -> bool:
        return bool({approver.address, *approver.also} & self.people) if self.role is None else approver.is_a(self.role)

    def __str__(self) -> str:
        whom = self.role or ", ".join(sorted(checksum(address) for address in self.people))
        return f"{self.count} of {whom}"


@dataclass(frozen=True, slots=True)
class Approvals:
    """The approvals that a rule needs: of one of the options (OR) every group (AND). A person counts in one group only."""

    options: tuple[tuple[ApproverGroup, ...], ...]

    def __post_init__(self) -> None:
        if not self.options or not all(self.options):
            raise ValueError("a rule that needs approvals has an option, and each option a group")

    @property
    def count_min(self) -> int:
        """The least number of people who can meet it."""
        return min(sum(group.count for group in option) for option in self.options)

    def are_met_by(self, approvers: Iterable[Approver]) -> bool:
        people = list({approver.address: approver for approver in approvers}.values())
        return any(_fills(option, people) for option in self.options)

    def __str__(self) -> str:
        return " or ".join(" and ".join(str(group) for group in option) for option in self.options)


def _fills(groups: Sequence[ApproverGroup], people: Sequence[Approver]) -> bool:
    """Return whether the people can fill every place of the groups, each person one place (augmenting paths)."""
    places = [group for group in groups for _ in range(group.count)]
    taken: dict[int, int] = {}  # the place of each person, by their indexes

    def place(index: int, tried: set[int]) -> bool:
        for person, approver in enumerate(people):
            if person in tried or not places[index].admits(approver):
                continue
            tried.add(person)
            if person not in taken or place(taken[person], tried):
                taken[person] = index
                return True
        return False

    return all(place(index, set()) for index in range(len(places)))


@dataclass(frozen=True, slots=True)
class Sla:
    """The times of a ticket, from its opening, and what its deadline does."""

    warn: timedelta
    escalate: timedelta
    deadline: timedelta
    at_deadline: AtDeadline = AtDeadline.ALERT

    def __post_init__(self) -> None:
        if not timedelta(0) < self.warn <= self.escalate <= self.deadline:
            raise ValueError("an SLA needs 0 < warn ≤ escalate ≤ deadline")


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule. `ticket`, `approvals` and `sla` belong to a rule that needs approvals; `is_reviewed` to one that allows."""

    name: str
    verdict: RuleVerdict
    match: Match
    ticket: TicketType | None = None
    approvals: Approvals | None = None
    sla: Sla | None = None
    is_reviewed: bool = False
    """Whether a person looks at it afterwards."""

    def __post_init__(self) -> None:
        parts = (self.ticket, self.approvals, self.sla)
        if self.verdict is RuleVerdict.NEEDS_APPROVALS:
            if None in parts:
                raise ValueError("a rule that needs approvals has a ticket, approvals and an SLA")
        elif any(part is not None for part in parts):
            raise ValueError(f"a rule that says {self.verdict} has no ticket, no approvals and no SLA")
        if self.is_reviewed and self.verdict is not RuleVerdict.ALLOW:
            raise ValueError("only a rule that allows has a review afterwards")

    def mismatch(self, operation: Operation) -> str | None:
        """Name the first dimension in which the rule does not match the operation; None when it matches."""
        return next(
            (name for name, value in _VALUES.items() if getattr(operation, value) not in getattr(self.match, name)), None
        )

    def matches(self, operation: Operation) -> bool:
        return self.mismatch(operation) is None

    def describe(self) -> str:
        """Say in one line what the rule does."""
        if self.approvals is None:
            return f"{self.verdict.lower()}s{', with a review afterwards' if self.is_reviewed else ''}"
        return f"needs {self.approvals}"


@dataclass(frozen=True, slots=True)
class TicketRequirement:
    """What a ticket needs: the rules that asked for it, each with its approvals, and the times of the most urgent one."""

    type: TicketType
    policy_version: int
    rules: tuple[PolicyRule, ...]
    sla: Sla

    @property
    def count_min(self) -> int:
        return max(rule.approvals.count_min for rule in self.rules if rule.approvals is not None)

    def is_met_by(self, approvers: Sequence[Approver]) -> bool:
        """Return whether every rule has its approvals. One person may count for several rules."""
        return all(rule.approvals.are_met_by(approvers) for rule in self.rules if rule.approvals is not None)


class PolicyBlocked(Forbidden):
    """The approval policy blocks this."""


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """The rules in their order, with the version that a ticket keeps."""

    version: int
    rules: tuple[PolicyRule, ...]

    def rule_of(self, operation: Operation) -> PolicyRule | None:
        """Return the rule that decides the operation; None when no rule matches it, which blocks it."""
        return next((rule for rule in self.rules if rule.matches(operation)), None)

    def require_allowed(self, operations: Sequence[Operation]) -> TicketRequirement | None:
        """Return the ticket that the operations need together; None when they need none.

        Raises:
            PolicyBlocked: a rule blocks one of them, or no rule matches it.
        """
        needed: dict[str, PolicyRule] = {}
        for operation in operations:
            rule = self.rule_of(operation)
            if rule is None or rule.verdict is RuleVerdict.BLOCK:
                reason = "no rule decides it" if rule is None else f"rule {rule.name} blocks it"
                raise PolicyBlocked(
                    f"{operation.contract}.{operation.method} of {operation.amount:f} is blocked: {reason}"
                    f" (policy {self.version})"
                )
            if rule.verdict is RuleVerdict.NEEDS_APPROVALS:
                needed[rule.name] = rule
        return self.requirement(needed)

    def requirement(self, names: Iterable[str]) -> TicketRequirement | None:
        """Return what a ticket of these rules needs; None for no rule. The strictest rule gives the ticket its type.

        Raises:
            KeyError: the policy has no rule of this name that needs approvals.
        """
        known: Mapping[str, PolicyRule] = {rule.name: rule for rule in self.rules if rule.approvals is not None}
        rules = sorted((known[name] for name in names), key=_strictness)
        if not rules:
            return None
        strictest, urgent = rules[0], min(rules, key=lambda rule: _sla(rule).deadline)
        assert strictest.ticket is not None  # noqa: S101 — a rule with approvals has one
        return TicketRequirement(strictest.ticket, self.version, tuple(rules), _sla(urgent))


def _strictness(rule: PolicyRule) -> tuple[int, timedelta, str]:
    assert rule.approvals is not None  # noqa: S101 — asked of rules with approvals only
    return -rule.approvals.count_min, _sla(rule).deadline, rule.name


def _sla(rule: PolicyRule) -> Sla:
    assert rule.sla is not None  # noqa: S101 — asked of rules with approvals only
    return rule.sla
