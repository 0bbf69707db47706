"""Stand-ins: what is lent, and that a person and their stand-in are one on every ticket."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from paimon.domain.approval.policy import Approvals, ApproverGroup, ApproverRole
from paimon.domain.approval.stand_in import (
    InvalidStandIn,
    Pair,
    Pairs,
    Period,
    StandIn,
    StandInTaken,
    approver_of,
    lend,
    require_possible,
)
from paimon.domain.kernel.chain import Address
from paimon.domain.user.roles import Permission, User, UserRole

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WEEK = Period(NOW, NOW + timedelta(days=7))


def address(number: int) -> Address:
    return Address(bytes(19) + bytes([number]))


def user(number: int, role: UserRole = UserRole.ADMIN, **rights: frozenset[Permission]) -> User:
    return User(address(number), role, f"user {number}", **rights)


def pair(person: int = 1, stand_in: int = 2, period: Period = WEEK) -> Pair:
    return Pair(address(person), address(stand_in), period)


def test_stand_in_gets_the_rights_to_decide_approvals_and_no_other() -> None:
    acting = lend(user(2, UserRole.OPERATOR), user(1, UserRole.SUPER_ADMIN))
    more = {permission for permission in Permission if acting.may(permission)} - {
        permission for permission in Permission if user(2, UserRole.OPERATOR).may(permission)
    }
    assert more == {Permission.DECIDE_APPROVAL, Permission.SIGN_PROPOSALS}


def test_stand_in_gets_neither_what_the_person_lacks_nor_what_is_denied() -> None:
    denied = frozenset({Permission.SIGN_PROPOSALS})
    for stand_in, person in (
        (user(2, UserRole.OPERATOR), user(1, denied=denied)),
        (user(2, UserRole.OPERATOR, denied=denied), user(1)),
        (user(2, UserRole.OPERATOR), user(1, UserRole.OPERATOR)),
        (user(2, UserRole.VIEWER), user(1)),
    ):
        assert not lend(stand_in, person).may(Permission.SIGN_PROPOSALS)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda: (pair(1, 1), user(1), user(1)), "for themselves"),
        (lambda: (pair(), user(1, UserRole.OPERATOR), user(2)), "decides approvals"),
        (lambda: (pair(), user(1), None), "no user"),
        (lambda: (pair(), user(1), user(2, UserRole.VIEWER)), "no user of the role operator"),
        (lambda: (pair(period=Period(NOW, NOW)), user(1), user(2)), "must end after"),
        (lambda: (pair(period=Period(NOW - timedelta(days=2), NOW)), user(1), user(2)), "in the future"),
        (lambda: (pair(period=Period(NOW, NOW + timedelta(days=90, seconds=1))), user(1), user(2)), "90 days at most"),
        (
            lambda: (pair(period=Period(NOW - timedelta(hours=1), NOW + timedelta(days=90))), user(1), user(2)),
            "90 days at most",
        ),
        (lambda: (pair(period=Period(NOW - timedelta(hours=2), NOW + timedelta(days=1))), user(1), user(2)), "is past"),
    ],
)
def test_pair_that_could_not_be_is_refused(change: Callable[[], tuple[Pair, User, User | None]], says: str) -> None:
    wanted, person, stand_in = change()
    with pytest.raises(InvalidStandIn, match=says):
        require_possible(wanted, person, stand_in, (), now=NOW)


@pytest.mark.parametrize("other", [pair(1, 3), pair(3, 2), pair(2, 3), pair(3, 1)])
def test_no_one_is_in_two_pairs_at_a_time(other: Pair) -> None:
    with pytest.raises(StandInTaken):
        require_possible(pair(), user(1), user(2), [other], now=NOW)
    later = Pair(other.person, other.stand_in, Period(WEEK.ends_at, WEEK.ends_at + timedelta(days=1)))
    require_possible(pair(), user(1), user(2), [later, pair(4, 5)], now=NOW)


def test_pair_is_one_for_what_was_signed_in_its_time() -> None:
    ended = StandIn(1, pair(), "on leave", ended_at=NOW + timedelta(days=2))
    next_one = StandIn(2, pair(1, 3, Period(WEEK.ends_at, WEEK.ends_at + timedelta(days=1))), "on leave")
    pairs = Pairs([ended, next_one], since=NOW, now=WEEK.ends_at)
    within, after = NOW + timedelta(days=1), NOW + timedelta(days=2)
    assert pairs.sharing(address(2), within) == {address(1), address(2)}
    assert pairs.sharing(address(1), within) == {address(1), address(2), address(3)}
    for late in (after, WEEK.ends_at, NOW - timedelta(seconds=1)):
        assert pairs.sharing(address(2), late) == {address(2)}
    places = {address(number): [address(number)] for number in (4, 2, 1)}
    assert pairs.without_shared(places, {address(2): within}) == [address(4), address(2)]
    assert pairs.without_shared(places, {address(2): after}) == [address(4), address(2), address(1)]
    assert pairs.without_shared({address(1): [address(3)], address(2): [address(2)]}, {address(2): within}) == [address(1)]


@given(
    st.lists(st.integers(1, 8), unique=True),
    st.lists(st.integers(1, 8), unique=True, max_size=8).map(lambda people: list(zip(people[::2], people[1::2], strict=False))),
    st.integers(1, 8),
)
def test_pair_has_one_place_and_the_requesters_has_none(
    signers: list[int], couples: list[tuple[int, int]], requester: int
) -> None:
    known = [StandIn(number, pair(person, stand_in), "on leave") for number, (person, stand_in) in enumerate(couples)]
    pairs = Pairs(known, since=NOW, now=NOW)
    places = pairs.places(map(address, signers), without=address(requester))
    for person, stand_in in couples:
        assert len({address(person), address(stand_in)} & set(places)) <= 1
        if requester in (person, stand_in):
            assert not {address(person), address(stand_in)} & {signer for signed in places.values() for signer in signed}
    assert all(address(requester) not in signed for signed in places.values())
    alone = set(signers) - {each for couple in couples for each in couple} - {requester}
    assert {address(number) for number in alone} <= set(places)


@given(st.permutations([0, 1, 2, 3]), st.integers(0, 3), st.booleans())
def test_pair_is_a_party_of_what_was_asked_in_its_time(days: list[int], ended: int, is_ended: bool) -> None:
    """`days`: when the pair's time starts and ends, when the ticket was opened, and now; `ended`: when it ended before."""
    starts, ends, opened, now = (NOW + timedelta(days=day) for day in days)
    assume(starts < ends and opened < now)
    over = NOW + timedelta(days=ended, hours=1) if is_ended else ends
    known = StandIn(1, pair(period=Period(starts, ends)), "on leave", ended_at=over if is_ended else None)
    moments = [opened + timedelta(hours=hour) for hour in range(1 + (now - opened) // timedelta(hours=1))]
    was_one = any(known.is_in_force(moment) for moment in moments)
    pairs = Pairs([known], since=opened, now=now)
    assert pairs.partners_since(address(1)) == ({address(2)} if was_one else set())
    assert (address(2) not in pairs.places([address(2)], without=address(1))) is was_one
    assert pairs.partners_since(address(3)) == set()


def test_place_approves_as_person_and_is_found_by_either_name() -> None:
    users = {each.address: each for each in (user(1), user(2, UserRole.OPERATOR))}
    approver = approver_of(address(1), [address(2)], users, holders=())
    assert approver is not None
    assert approver.is_a(ApproverRole.ADMIN)
    for named in (1, 2):
        group = ApproverGroup(1, None, frozenset({address(named)}))
        assert Approvals(((group,),)).are_met_by([approver])
    assert approver_of(address(1), [address(2)], {address(2): users[address(2)]}, holders=()) is None, "the person is no user"


def test_role_on_chain_is_not_lent() -> None:
    users = {each.address: each for each in (user(1), user(2, UserRole.OPERATOR))}
    for holders, is_voter in (([address(1)], False), ([address(2)], True)):
        approver = approver_of(address(1), [address(2)], users, holders)
        assert approver is not None
        assert approver.is_a(ApproverRole.VIP_APPROVER) is is_voter
