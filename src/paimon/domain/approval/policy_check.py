"""Check a policy before it counts: gaps, rules that are never reached, conflicts, and what redemptions and tickets require.

    GAP             operations that no rule matches, so that they are blocked without anyone having said so
    UNREACHABLE     a rule whose operations the rules before it decide
    CONFLICT        two rules that decide the same operations differently, neither being the exception to the other: only
                    their order decides, and an order is easily changed by accident
    TOO_COMPLEX     so many rules overlap in so many ways that the check would take too long
    REDEMPTION      the chain asks for the approval of a redemption, and the signer counts votes of one kind: such a rule
                    needs approvals of VIP approvers alone, and its deadline rejects nothing
    KEY             a rule that wants approvals for what the hot key may send alone: the signer asks for none of them, so that
                    only this system would keep the rule

An exception is a rule that matches less than a later one. It stands before that one. A rule that blocks may stand before any
other: nothing happens by accident there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from itertools import combinations, islice
from typing import Final

from paimon.domain.approval.matching import Match, Names
from paimon.domain.approval.policy import (
    REDEMPTIONS,
    ApprovalPolicy,
    ApproverRole,
    AtDeadline,
    Initiator,
    OperationKind,
    PolicyRule,
    RuleVerdict,
)

GAPS_SHOWN: Final = 10
BOXES_MAX: Final = 300
"""How many boxes the check follows. A policy of a hundred rules that people can read has a few dozen."""
_EVERY_OPERATION: Final = Match(kinds=Names.of(OperationKind), initiators=Names.of(Initiator))


class PolicyFault(StrEnum):
    """What is wrong with a policy."""

    GAP = "GAP"
    UNREACHABLE = "UNREACHABLE"
    CONFLICT = "CONFLICT"
    TOO_COMPLEX = "TOO_COMPLEX"
    REDEMPTION = "REDEMPTION"
    KEY = "KEY"


@dataclass(frozen=True, slots=True)
class PolicyBounds:
    """What a policy is held against, besides itself."""

    redemption_deadline_max: timedelta
    key_operations: Match | None = None
    """What the hot key may send by itself; None without such a key."""


@dataclass(frozen=True, slots=True)
class PolicyFinding:
    """One fault: the rules that it is about, and what would be right."""

    fault: PolicyFault
    rules: tuple[str, ...]
    message: str


def check_policy(policy: ApprovalPolicy, bounds: PolicyBounds) -> list[PolicyFinding]:
    """Return every fault of the policy; none means that it may be published."""
    try:
        reached, undecided = _reach(policy.rules)
    except _TooComplex as error:
        return [PolicyFinding(PolicyFault.TOO_COMPLEX, (error.rule,), str(error))]
    return [
        *_unreachable(policy.rules, reached),
        *_conflicts(policy.rules, reached),
        *_redemptions(policy.rules, reached, bounds.redemption_deadline_max),
        *_key(policy.rules, reached, bounds.key_operations),
        *(_gap(box) for box in islice(undecided, GAPS_SHOWN)),
    ]


class _TooComplex(Exception):
    def __init__(self, rule: str) -> None:
        super().__init__(f"the check ends at rule {rule}: use fewer rules that match in fewer dimensions")
        self.rule = rule


def _reach(rules: tuple[PolicyRule, ...]) -> tuple[list[list[Match]], list[Match]]:
    """Return what each rule decides, as the rules before it leave it, and what no rule decides."""
    left, reached = [_EVERY_OPERATION], []
    for rule in rules:
        reached.append([common for box in left if (common := box & rule.match) is not None])
        left = [rest for box in left for rest in box.minus(rule.match)]
        if len(left) > BOXES_MAX:
            raise _TooComplex(rule.name)
    return reached, left


def _unreachable(rules: tuple[PolicyRule, ...], reached: list[list[Match]]) -> Iterator[PolicyFinding]:
    for index, (rule, boxes) in enumerate(zip(rules, reached, strict=True)):
        if not boxes:
            before = tuple(earlier.name for earlier in rules[:index] if earlier.match & rule.match is not None)
            yield PolicyFinding(
                PolicyFault.UNREACHABLE,
                (rule.name, *before),
                f"rule {rule.name} decides nothing: {', '.join(before) or 'no operation matches it'} comes before it;"
                " move it up, or remove it",
            )


def _conflicts(rules: tuple[PolicyRule, ...], reached: list[list[Match]]) -> Iterator[PolicyFinding]:
    for (first, decided), (second, boxes) in combinations(zip(rules, reached, strict=True), 2):
        common = next((both for box in decided if (both := box & second.match) is not None), None)
        if common is None or not boxes or _outcome(first) == _outcome(second) or _is_exception(first, second):
            continue
        yield PolicyFinding(
            PolicyFault.CONFLICT,
            (first.name, second.name),
            f"rule {first.name} {first.describe()}, rule {second.name} {second.describe()}, and both match {_shown(common)};"
            " narrow one of them, or put an exception before both",
        )


def _is_exception(first: PolicyRule, second: PolicyRule) -> bool:
    """Return whether the first rule blocks, or matches nothing that the second would not match."""
    if first.verdict is RuleVerdict.BLOCK:
        return True
    matched = first.match & _EVERY_OPERATION
    return matched is None or second.match.includes(matched)


def _outcome(rule: PolicyRule) -> tuple[object, ...]:
    return rule.verdict, rule.ticket, rule.approvals, rule.sla, rule.is_reviewed


def _redemptions(rules: tuple[PolicyRule, ...], reached: list[list[Match]], deadline_max: timedelta) -> Iterator[PolicyFinding]:
    for rule, boxes in zip(rules, reached, strict=True):
        kinds = sorted(kind for kind in REDEMPTIONS if any(kind in box.kinds for box in boxes))
        for kind in kinds:
            if (fault := _redemption_fault(rule, kind, deadline_max)) is not None:
                yield PolicyFinding(PolicyFault.REDEMPTION, (rule.name,), f"rule {rule.name} decides {kind}: {fault}")


def _redemption_fault(rule: PolicyRule, kind: OperationKind, deadline_max: timedelta) -> str | None:
    if rule.verdict is not RuleVerdict.NEEDS_APPROVALS or rule.approvals is None or rule.sla is None:
        return "the chain asks for an approval, so the rule needs approvals"
    if rule.ticket is None or rule.ticket.value != kind.value:
        return f"its ticket is of the type {kind}"
    groups = [group for option in rule.approvals.options for group in option]
    if len(groups) != 1 or groups[0].role is not ApproverRole.VIP_APPROVER:
        return "the signer counts the votes of VIP approvers, so its approvals are one group of vip_approver"
    if rule.sla.at_deadline is not AtDeadline.ALERT:
        return "a deadline rejects no redemption, so atDeadline is ALERT"
    if rule.sla.deadline > deadline_max:
        return f"the signer takes no vote that is older than {deadline_max.total_seconds():.0f} seconds, the deadline is later"
    return None


def _key(rules: tuple[PolicyRule, ...], reached: list[list[Match]], key_operations: Match | None) -> Iterator[PolicyFinding]:
    if key_operations is None:
        return
    for rule, boxes in zip(rules, reached, strict=True):
        common = next((both for box in boxes if (both := box & key_operations) is not None), None)
        if rule.verdict is RuleVerdict.NEEDS_APPROVALS and common is not None:
            yield PolicyFinding(
                PolicyFault.KEY,
                (rule.name,),
                f"rule {rule.name} wants approvals for {_shown(common)}, which the signer lets the hot key send without any:"
                " lower the key's limits in the signer's policy and in PAIMON_SENDING__HOT_LIMITS, or block the source hot"
                " before this rule",
            )


def _gap(box: Match) -> PolicyFinding:
    return PolicyFinding(
        PolicyFault.GAP, (), f"no rule matches {_shown(box)}; a last rule that matches everything closes every gap"
    )


def _shown(box: Match) -> str:
    """Describe a box without the initiators when they are everyone."""
    return str(replace(box, initiators=Names()) if box.initiators == _EVERY_OPERATION.initiators else box)
