"""Tests of risk events: found again, acknowledged, assigned, cleared and resolved."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.strategies import EPOCH, address

from paimon.domain.kernel.units import WAD, Bps, NavPerShare, RawAmount
from paimon.domain.redemption.request import OnChainStatus, RedemptionChannel
from paimon.domain.risk.discrepancy import Discrepancy, enum_name_or_number
from paimon.domain.risk.nav_publication import ValuationBasis
from paimon.domain.risk.risk_event import (
    RESOLVED_BY_CHECK,
    CheckStamp,
    Finding,
    InvalidOwner,
    RiskEvent,
    RiskEventClosed,
    RiskKind,
    RiskOwner,
    RiskStatus,
    Severity,
    StillDetected,
    acknowledge,
    assign,
    clear_event,
    discrepancy_findings,
    format_owner,
    open_event,
    parse_owner,
    resolve,
    update_event,
)
from paimon.domain.user.roles import User, UserRole

pytestmark = pytest.mark.unit

OTTO = User(address(7), UserRole.OPERATOR, "otto")
STEPS = st.lists(st.sampled_from(["worse", "better", "clear_event", "taken", "given", "resolved"]), max_size=12)


def finding(
    severity: Severity = Severity.WARNING, kind: RiskKind = RiskKind.RECONCILIATION_BREAK, observed: str = "1"
) -> Finding:
    return Finding(kind, "supply", observed, "2", severity)


def check(block: int) -> CheckStamp:
    return CheckStamp(EPOCH + timedelta(minutes=block), block)


def step(event: RiskEvent, name: str, block: int) -> RiskEvent:
    now = check(block).at
    match name:
        case "worse":
            return update_event(event, finding(Severity.CRITICAL, observed=str(block)), check(block))
        case "better":
            return update_event(event, finding(Severity.WARNING, observed=str(block)), check(block))
        case "clear_event":
            return clear_event(event, check(block))
        case "taken":
            return acknowledge(event, OTTO, now=now)
        case "given":
            return assign(event, UserRole.SUPER_ADMIN)
        case _:
            return resolve(event, OTTO, now=now)


@given(STEPS, st.sampled_from(RiskKind), st.sampled_from(Severity))
def test_risk_event_always_has_an_owner_and_ends_once(steps: list[str], kind: RiskKind, severity: Severity) -> None:
    event = open_event(1, finding(severity, kind), check(1))
    for block, name in enumerate(steps, start=2):
        before = event
        if before.status is RiskStatus.RESOLVED:
            with pytest.raises(RiskEventClosed):
                acknowledge(before, OTTO, now=EPOCH)
            return
        try:
            event = step(event, name, block)
        except StillDetected:
            assert name == "resolved"
            assert before.finding.kind in RESOLVED_BY_CHECK
        assert event.first_seen == check(1)
        assert event.last_seen.block >= before.last_seen.block
        assert (event.status is RiskStatus.RESOLVED) == (event.ended_at is not None)
        assert event.status is not RiskStatus.ACKNOWLEDGED or event.acknowledged is not None
        assert isinstance(event.owner, UserRole) or event.owner == OTTO.address


def test_event_found_again_takes_new_figures_and_keeps_owner() -> None:
    taken = acknowledge(open_event(1, finding(), check(1)), OTTO, now=check(2).at, note="looking")
    again = update_event(taken, finding(observed="5"), check(3))
    assert (again.finding.observed, again.last_seen, again.first_seen) == ("5", check(3), check(1))
    assert (again.status, again.owner, again.note) == (RiskStatus.ACKNOWLEDGED, OTTO.address, "looking")


@pytest.mark.parametrize(
    ("owner", "then"),
    [
        (UserRole.OPERATOR, UserRole.ADMIN),
        (UserRole.SUPER_ADMIN, UserRole.SUPER_ADMIN),
        (address(9), address(9)),
    ],
)
def test_event_found_worse_reopens_and_escalates_role(owner: RiskOwner, then: RiskOwner) -> None:
    taken = acknowledge(open_event(1, finding(), check(1)), OTTO, now=EPOCH, owner=owner)
    worse = update_event(taken, finding(Severity.CRITICAL), check(2))
    assert (worse.status, worse.owner) == (RiskStatus.OPEN, then)
    assert (
        update_event(acknowledge(worse, OTTO, now=EPOCH), finding(Severity.WARNING), check(3)).status is RiskStatus.ACKNOWLEDGED
    )


def test_event_still_detected_cannot_be_resolved_by_a_person() -> None:
    with pytest.raises(StillDetected, match=r"supply: 1, not 2: found by the reconciliation at block 4.*paimon replay"):
        resolve(open_event(1, finding(), check(4)), OTTO, now=EPOCH)
    fact = resolve(open_event(1, finding(kind=RiskKind.NAV_UNEXPLAINED), check(4)), OTTO, now=check(9).at, note="a gift")
    assert (fact.status, fact.resolved is not None, fact.note) == (RiskStatus.RESOLVED, True, "a gift")
    assert fact.age(check(99).at) == timedelta(minutes=5)


def test_discrepancy_is_critical_when_material_or_without_basis() -> None:
    basis = ValuationBasis(RawAmount(10_000 * WAD), NavPerShare(WAD))
    status, small = Discrepancy("request 7 status", "APPROVED", "SETTLED"), Discrepancy("supply", "1", "2")
    by_subject = {
        finding.subject: finding.severity for finding in discrepancy_findings([status, small], basis, threshold=Bps(1))
    }
    assert by_subject == {"request 7 status": Severity.CRITICAL, "supply": Severity.WARNING}
    assert [finding.severity for finding in discrepancy_findings([small], None, threshold=Bps(1))] == [Severity.CRITICAL]


def test_owner_is_a_role_or_an_address() -> None:
    assert parse_owner("admin") is UserRole.ADMIN
    assert (
        format_owner(parse_owner("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")) == "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    )
    with pytest.raises(InvalidOwner, match="viewer, operator, admin, super_admin"):
        parse_owner("treasurer")


@given(st.integers(0, 255))
def test_unknown_enum_number_is_shown_as_a_number(number: int) -> None:
    for names in (tuple(OnChainStatus), tuple(RedemptionChannel)):
        shown = enum_name_or_number(names, number)
        assert shown == (names[number].name if number < len(names) else f"{number} (unknown)")
