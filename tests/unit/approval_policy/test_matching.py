"""Boxes of operations: intersection and subtraction agree with membership, point by point."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.approval.matching import AmountRange, Cut, Match, Names

pytestmark = pytest.mark.unit

NAMES = ("a", "b", "c", "other")
AMOUNTS = tuple(Decimal(number) / 2 for number in range(9))

names = st.builds(
    lambda named, is_all_but: Names(frozenset(named), is_all_but), st.sets(st.sampled_from(NAMES[:3])), st.booleans()
)
cuts = st.builds(Cut, st.sampled_from(AMOUNTS), st.booleans())
ranges = st.builds(AmountRange, cuts, cuts)
boxes = st.builds(lambda kinds, methods, amount: Match(kinds=kinds, methods=methods, amount=amount), names, names, ranges)
points = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(AMOUNTS))


def has(box: Match, point: tuple[str, str, Decimal]) -> bool:
    kind, method, amount = point
    return kind in box.kinds and method in box.methods and amount in box.amount


@given(boxes, boxes, points)
def test_intersection_matches_what_both_match(first: Match, second: Match, point: tuple[str, str, Decimal]) -> None:
    both = first & second
    assert (both is not None and has(both, point)) == (has(first, point) and has(second, point))


@given(boxes, boxes, points)
def test_subtraction_leaves_each_operation_in_one_box_or_none(
    first: Match, second: Match, point: tuple[str, str, Decimal]
) -> None:
    left = [box for box in first.minus(second) if has(box, point)]
    assert len(left) == (has(first, point) and not has(second, point))


@pytest.mark.parametrize(
    ("amounts", "inside", "outside", "text"),
    [
        (
            AmountRange(Cut(Decimal(50_000), is_after=True), Cut(Decimal(200_000), is_after=True)),
            "200000",
            "50000",
            "over 50000 and up to 200000",
        ),
        (AmountRange(Cut(Decimal(10)), Cut(Decimal(20))), "10", "20", "at least 10 and below 20"),
        (AmountRange(), "0", "-1", "any"),
    ],
)
def test_bounds_of_a_range_are_inside_or_outside_as_said(amounts: AmountRange, inside: str, outside: str, text: str) -> None:
    assert Decimal(inside) in amounts
    assert Decimal(outside) not in amounts
    assert str(amounts) == text
