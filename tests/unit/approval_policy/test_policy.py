"""Version 1 decides as the tables of docs/concepts/fund.md; approvals are met by distinct people only."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.approval.first_policy import FIRST_POLICY
from paimon.domain.approval.policy import (
    ApprovalPolicy,
    Approvals,
    Approver,
    ApproverGroup,
    ApproverRole,
    Initiator,
    Operation,
    OperationKind,
    PolicyBlocked,
    RuleVerdict,
    in_whole_units,
)
from paimon.domain.approval.policy_document import parse_policy
from paimon.domain.approval.ticket import TicketType
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.user.roles import UserRole

pytestmark = pytest.mark.unit


def operation(kind: OperationKind, method: str = "AssetController.allocateToLayer", amount: str = "0") -> Operation:
    contract, _, function = method.partition(".")
    return Operation(kind, Initiator.OPERATOR, "hot", contract, function, Decimal(amount), Decimal(amount))


CALL, REBALANCE = OperationKind.CALL, OperationKind.REBALANCE


@pytest.mark.parametrize(
    ("asked", "ticket", "count", "hours"),
    [
        (operation(OperationKind.EMERGENCY_REDEMPTION, amount="1"), "EMERGENCY_REDEMPTION", 1, 4),
        (operation(OperationKind.STANDARD_REDEMPTION, amount="1"), "STANDARD_REDEMPTION", 1, 24),
        (operation(REBALANCE, amount="9999.99"), None, 0, 0),
        (operation(REBALANCE, amount="10000"), None, 0, 0),
        (operation(REBALANCE, amount="50000"), None, 0, 0),
        (operation(REBALANCE, amount="50000.000000000000000001"), "REBALANCE_SMALL", 1, 2),
        (operation(REBALANCE, amount="200000"), "REBALANCE_SMALL", 1, 2),
        (operation(REBALANCE, amount="200000.000000000000000001"), "REBALANCE_LARGE", 2, 4),
        (operation(CALL, "AssetController.addAsset"), "ASSET_ADD", 2, 48),
        (operation(CALL, "AssetController.removeAsset"), "ASSET_REMOVE", 2, 24),
        (operation(CALL, "AssetController.withdrawRedemptionFees"), "FEE_WITHDRAW", 2, 24),
        (operation(CALL, "Vault.setEmergencyMode"), "EMERGENCY_MODE", 2, 0.5),
        (operation(CALL, "Vault.pause"), "MANUAL_OPERATION", 2, 24),
        (operation(CALL, "AssetController.setLayer3HighWaterMark"), "MANUAL_OPERATION", 2, 24),
        (operation(CALL, amount="9999"), None, 0, 0),
        (operation(CALL, amount="10000"), "MANUAL_OPERATION", 2, 24),
        (operation(CALL, "AssetController.executeWaterfallLiquidation", "1"), "MANUAL_OPERATION", 2, 24),
    ],
)
def test_first_policy_asks_for_what_the_tables_say(asked: Operation, ticket: str | None, count: int, hours: float) -> None:
    required = FIRST_POLICY.require_allowed([asked])
    if ticket is None:
        assert required is None
    else:
        assert required is not None
        assert (required.type, required.count_min) == (ticket, count)
        assert required.sla.deadline.total_seconds() == hours * 3600
        assert required.policy_version == 1


def test_every_type_of_ticket_has_a_rule_in_the_first_policy() -> None:
    assert {rule.ticket for rule in FIRST_POLICY.rules} - {None} == set(TicketType)


def test_plan_needs_the_approvals_of_all_its_calls_and_the_shortest_deadline() -> None:
    required = FIRST_POLICY.require_allowed(
        [operation(CALL, "Vault.setEmergencyMode"), operation(CALL, "Vault.pause"), operation(CALL, amount="5")]
    )
    assert required is not None
    assert [rule.name for rule in required.rules] == ["emergency_mode", "manual_operation"]
    assert required.sla.deadline.total_seconds() == 1800


def blocking(*rules: dict[str, object]) -> ApprovalPolicy:
    return parse_policy({"rules": list(rules)}, version=2)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (blocking({"name": "no_pause", "verdict": "BLOCK", "when": {"methods": ["pause"]}}), "rule no_pause blocks it"),
        (blocking({"name": "small", "verdict": "ALLOW", "when": {"amount": {"below": "5"}}}), "no rule decides it"),
    ],
)
def test_what_a_rule_blocks_or_no_rule_matches_is_refused(policy: ApprovalPolicy, words: str) -> None:
    with pytest.raises(PolicyBlocked, match=words):
        policy.require_allowed([operation(CALL, "Vault.pause", "7")])


@pytest.mark.parametrize(
    ("when", "changed"),
    [
        ({"initiators": ["planner"]}, "initiators"),
        ({"sources": ["cold"]}, "sources"),
        ({"destinations": ["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]}, "destinations"),
        ({"assets": ["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]}, "assets"),
        ({"contracts": ["OTCManager"]}, "contracts"),
        ({"methods": ["unpause"]}, "methods"),
        ({"amount": {"below": "7"}}, "amount"),
        ({"amount24h": {"over": "7"}}, "amount_24h"),
        ({"kinds": ["REBALANCE"]}, "kinds"),
    ],
)
def test_each_dimension_alone_can_keep_a_rule_from_matching(when: dict[str, object], changed: str) -> None:
    (rule,) = blocking({"name": "one", "verdict": "BLOCK", "when": when}).rules
    assert rule.mismatch(operation(CALL, "Vault.pause", "7")) == changed


def test_amounts_are_exact_beyond_28_digits() -> None:
    assert in_whole_units(RawAmount(2**256 - 1), 18) * 10**18 != 0
    assert f"{in_whole_units(RawAmount(2**256 - 1), 18):f}".replace(".", "") == str(2**256 - 1)


PEOPLE = [
    Approver(Address(bytes(19) + bytes([number])), role, vip)
    for number, (role, vip) in enumerate(
        [(UserRole.ADMIN, False), (UserRole.ADMIN, True), (UserRole.SUPER_ADMIN, False), (UserRole.OPERATOR, True)]
    )
]
groups = st.one_of(
    st.builds(lambda count, role: ApproverGroup(count, role=role), st.integers(1, 2), st.sampled_from(ApproverRole)),
    st.builds(
        lambda people: ApproverGroup(1, people=frozenset(person.address for person in people)),
        st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=2),
    ),
)


@given(
    st.lists(st.lists(groups, min_size=1, max_size=3), min_size=1, max_size=2), st.lists(st.sampled_from(PEOPLE), max_size=5)
)
def test_approvals_are_met_exactly_when_some_assignment_gives_each_place_a_person(
    options: list[list[ApproverGroup]], approved: Sequence[Approver]
) -> None:
    people = list({person.address: person for person in approved}.values())
    places = [[group for group in option for _ in range(group.count)] for option in options]
    expected = any(
        all(group.admits(person) for group, person in zip(needed, order, strict=True))
        for needed in places
        for order in permutations(people, len(needed))
    )
    assert Approvals(tuple(map(tuple, options))).are_met_by([*people, *people]) == expected


def test_operator_is_no_vip_approver_though_the_chain_says_so() -> None:
    assert not PEOPLE[3].is_a(ApproverRole.VIP_APPROVER)
    assert PEOPLE[1].is_a(ApproverRole.VIP_APPROVER)


def test_redemption_verdicts_of_the_first_policy_need_approvals() -> None:
    assert FIRST_POLICY.rules[0].verdict is RuleVerdict.NEEDS_APPROVALS
