"""The check of a policy finds gaps, unreachable rules and conflicts, and agrees with brute force."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.approval.first_policy import FIRST_POLICY, FIRST_POLICY_DOCUMENT
from paimon.domain.approval.matching import AmountRange, Cut, Match, Names
from paimon.domain.approval.policy import Initiator, Operation, OperationKind
from paimon.domain.approval.policy_check import PolicyBounds, PolicyFault, PolicyFinding, check_policy
from paimon.domain.approval.policy_document import InvalidPolicy, canonical_text, parse_policy, policy_document

pytestmark = pytest.mark.unit

BOUNDS = PolicyBounds(
    timedelta(hours=24),
    Match(
        kinds=Names.of(["CALL", "REBALANCE"]),
        sources=Names.of(["hot"]),
        contracts=Names.of(["AssetController"]),
        methods=Names.of(["purchaseAsset", "redeemAsset"]),
        amount=AmountRange(end=Cut(Decimal(10_000))),
        amount_24h=AmountRange(end=Cut(Decimal(500_000), is_after=True)),
    ),
)


def changed(change: Any) -> list[PolicyFinding]:
    document = deepcopy(FIRST_POLICY_DOCUMENT)
    change(document["rules"])
    return check_policy(parse_policy(document, version=2), BOUNDS)


def faults(findings: list[PolicyFinding]) -> set[PolicyFault]:
    return {finding.fault for finding in findings}


def test_first_policy_has_no_fault_and_never_changes() -> None:
    """Databases hold it, and tickets name it. A change of it is a new version, which is published."""
    assert check_policy(FIRST_POLICY, BOUNDS) == []
    assert sha256(canonical_text(policy_document(FIRST_POLICY)).encode()).hexdigest()[:16] == "97df697a003915b5"
    assert policy_document(FIRST_POLICY) == FIRST_POLICY_DOCUMENT


def test_removed_last_rule_leaves_a_gap_that_names_what_is_not_decided() -> None:
    findings = changed(lambda rules: rules.pop())
    assert faults(findings) == {PolicyFault.GAP}
    assert any("contracts: any but AssetController, Vault" in finding.message for finding in findings)


def test_rule_after_one_that_matches_everything_is_unreachable() -> None:
    findings = changed(lambda rules: rules.append({"name": "late", "verdict": "BLOCK", "when": {"methods": ["pause"]}}))
    assert [(finding.fault, finding.rules[0]) for finding in findings] == [(PolicyFault.UNREACHABLE, "late")]


def test_rules_that_overlap_without_one_being_the_exception_are_in_conflict() -> None:
    pause = {"kinds": ["CALL"], "methods": ["pause"]}
    cold = {"kinds": ["CALL"], "sources": ["cold"], "methods": ["pause", "unpause"], "amount": {"over": "5"}}
    rules: list[dict[str, Any]] = [
        {"name": "a", "verdict": "ALLOW", "when": pause},
        {"name": "b", "verdict": "BLOCK", "when": cold},
    ]
    findings = changed(lambda existing: existing.__setitem__(slice(0, 0), rules))
    assert [(finding.fault, finding.rules) for finding in findings] == [(PolicyFault.CONFLICT, ("a", "b"))]
    exception = {"name": "c", "verdict": "ALLOW", "when": cold | {"methods": ["pause"]}}
    assert changed(lambda existing: existing.__setitem__(slice(0, 0), [exception, *rules])) == []


def test_two_rules_that_decide_alike_may_overlap() -> None:
    rules = [
        {"name": "a", "verdict": "ALLOW", "when": {"kinds": ["CALL"], "methods": ["pause", "unpause"]}},
        {"name": "b", "verdict": "ALLOW", "when": {"kinds": ["CALL"], "sources": ["cold"], "methods": ["pause", "refresh"]}},
    ]
    assert changed(lambda existing: existing.__setitem__(slice(0, 0), rules)) == []


def test_rule_that_blocks_may_stand_before_any_other() -> None:
    block = {"name": "stop", "verdict": "BLOCK", "when": {"kinds": ["CALL"], "sources": ["cold"], "amount": {"over": "5"}}}
    assert changed(lambda existing: existing.insert(0, block)) == []


def _redemption(field: str, value: Any) -> Any:
    def change(rules: list[dict[str, Any]]) -> None:
        rules[1][field] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_redemption("approvals", [[{"count": 1, "from": "admin"}]]), "one group of vip_approver"),
        (
            _redemption("approvals", [[{"count": 1, "from": "vip_approver"}], [{"count": 1, "from": "super_admin"}]]),
            "one group",
        ),
        (_redemption("ticket", "MANUAL_OPERATION"), "its ticket is of the type STANDARD_REDEMPTION"),
        (_redemption("sla", {"warnSeconds": 1, "escalateSeconds": 2, "deadlineSeconds": 86_401}), "86400 seconds"),
        (
            _redemption("sla", {"warnSeconds": 1, "escalateSeconds": 2, "deadlineSeconds": 3, "atDeadline": "REJECT"}),
            "a deadline rejects no redemption",
        ),
        (
            lambda rules: rules.__setitem__(1, {"name": "x", "verdict": "ALLOW", "when": {"kinds": ["STANDARD_REDEMPTION"]}}),
            "the chain asks for an approval",
        ),
    ],
)
def test_redemption_rules_keep_to_what_chain_and_signer_require(change: Any, words: str) -> None:
    findings = changed(change)
    assert faults(findings) == {PolicyFault.REDEMPTION}
    assert words in findings[0].message


def test_check_of_rules_that_overlap_in_countless_ways_ends() -> None:
    random = Random(13)

    def some(letter: str) -> list[str]:
        return [f"{letter}{number}" for number in random.sample(range(12), 6)]

    rules = [
        {
            "name": f"r{number}",
            "verdict": "BLOCK",
            "when": {"methods": some("m"), "sources": some("s"), "destinations": some("d"), "contracts": some("c")},
        }
        for number in range(90)
    ]
    found = check_policy(parse_policy({"rules": rules}, version=2), BOUNDS)
    assert [finding.fault for finding in found] == [PolicyFault.TOO_COMPLEX]


def asking(name: str, **when: Any) -> dict[str, Any]:
    rule = next(rule for rule in FIRST_POLICY_DOCUMENT["rules"] if rule["name"] == "rebalance_small")
    return {**deepcopy(rule), "name": name, "when": {"kinds": ["CALL"], **when}}


@pytest.mark.parametrize(
    ("when", "is_found"),
    [
        ({"methods": ["purchaseAsset"]}, True),
        ({"amount": {"minimum": "9999.99"}}, True),
        ({"kinds": ["REBALANCE"], "amount": {"over": "7000", "maximum": "9000"}}, True),
        ({"amount24h": {"minimum": "500000"}}, True),
        ({"assets": ["0x000000000000000000000000000000000000dEaD"]}, True),
        ({"sources": ["warm", "cold"]}, False),
        ({"methods": ["pause"]}, False),
        ({"amount": {"minimum": "10000"}}, False),
        ({"amount24h": {"over": "500000"}}, False),
    ],
)
def test_approvals_that_the_signer_would_not_ask_for_are_a_fault(when: dict[str, Any], is_found: bool) -> None:
    """A hot key collects no approvals, and the signer lets it send below its limits."""
    found = changed(lambda rules: rules.insert(0, asking("asked", **when)))
    assert (PolicyFault.KEY in faults(found)) is is_found
    blocked = {"name": "not_by_key", "verdict": "BLOCK", "when": {"kinds": ["CALL", "REBALANCE"], "sources": ["hot"]}}
    found = changed(lambda rules: rules.__setitem__(slice(0, 0), [blocked, asking("asked", **when)]))
    assert PolicyFault.KEY not in faults(found), "what is blocked is not asked for"


METHODS = ("pause", "unpause", "other")
AMOUNTS = tuple(Decimal(number) / 2 for number in range(7))


def operations() -> Iterator[Operation]:
    for kind, method, amount in product((OperationKind.CALL, OperationKind.REBALANCE), METHODS, AMOUNTS):
        yield Operation(kind, Initiator.ADMIN, "hot", "Vault", method, amount, amount)


whens = st.fixed_dictionaries(
    {},
    optional={
        "kinds": st.lists(st.sampled_from(["CALL", "REBALANCE"]), min_size=1, max_size=2, unique=True),
        "methods": st.lists(st.sampled_from(METHODS[:2]), min_size=1, max_size=2, unique=True),
        "amount": st.sampled_from([{"below": "1"}, {"minimum": "1"}, {"over": "1", "maximum": "2"}, {"over": "2"}]),
    },
)


@given(st.lists(whens, min_size=1, max_size=5))
def test_gaps_and_unreachable_rules_are_those_that_trying_every_operation_finds(when: list[dict[str, Any]]) -> None:
    redemptions = [rule for rule in FIRST_POLICY_DOCUMENT["rules"] if rule["name"].endswith("redemption")]
    rules = [{"name": f"r{number}", "verdict": "BLOCK", "when": part} for number, part in enumerate(when)]
    policy = parse_policy({"rules": [*redemptions, *rules]}, version=2)
    deciding = [policy.rule_of(operation) for operation in operations()]
    found = check_policy(policy, BOUNDS)
    assert (PolicyFault.GAP in faults(found)) == (None in deciding)
    unreachable = {finding.rules[0] for finding in found if finding.fault is PolicyFault.UNREACHABLE}
    reached = {rule.name for rule in deciding if rule is not None}
    assert unreachable == {rule["name"] for rule in rules} - reached


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ({"name": "a b", "verdict": "ALLOW"}, "rules.0.name"),
        ({"name": "a", "verdict": "MAYBE"}, "rules.0.verdict"),
        ({"verdict": "ALLOW"}, "rules.0.name"),
        ({"name": "a", "verdict": "ALLOW", "colour": 1}, "rules.0.colour"),
        ({"name": "a", "verdict": "ALLOW", "when": {"methods": []}}, "rules.0.when.methods"),
        ({"name": "a", "verdict": "ALLOW", "when": {"kinds": ["SWAP"]}}, "rules.0.when.kinds"),
        ({"name": "a", "verdict": "ALLOW", "when": {"amount": {"below": "5", "maximum": "6"}}}, "rules.0.when.amount"),
        ({"name": "a", "verdict": "ALLOW", "when": {"amount": {"over": "5", "below": "5"}}}, "rules.0.when.amount"),
        ({"name": "a", "verdict": "ALLOW", "when": {"amount": {"over": "NaN"}}}, "rules.0.when.amount.over"),
        ({"name": "a", "verdict": "ALLOW", "when": {"amount": {"over": -5}}}, "rules.0.when.amount.over"),
        ({"name": "a", "verdict": "ALLOW", "when": {"assets": ["0x12"]}}, "rules.0.when.assets"),
        ({"name": "a", "verdict": "NEEDS_APPROVALS"}, "rules.0"),
        ({"name": "a", "verdict": "ALLOW", "ticket": "ASSET_ADD"}, "rules.0"),
        ({"name": "a", "verdict": "BLOCK", "isReviewed": True}, "rules.0"),
        (
            {
                **FIRST_POLICY_DOCUMENT["rules"][0],
                "approvals": [[{"count": 2, "from": ["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]}]],
            },
            "rules.0.approvals.0.0",
        ),
        (
            {**FIRST_POLICY_DOCUMENT["rules"][0], "sla": {"warnSeconds": 5, "escalateSeconds": 2, "deadlineSeconds": 9}},
            "rules.0.sla",
        ),
    ],
)
def test_malformed_document_is_refused_with_the_place(rule: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        parse_policy({"rules": [rule]}, version=2)
    assert refused.value.field == place


def test_name_given_twice_is_refused() -> None:
    with pytest.raises(InvalidPolicy, match="a name is given once"):
        parse_policy({"rules": [{"name": "a", "verdict": "ALLOW"}, {"name": "a", "verdict": "BLOCK"}]}, version=2)
