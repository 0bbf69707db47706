"""Tests that the comparison of two sides misses no discrepancy and invents none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.risk.discrepancy import find_discrepancies

pytestmark = pytest.mark.unit

FIGURES = st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.booleans(), st.text(max_size=5)), max_size=12)


@given(FIGURES)
def test_side_never_differs_from_itself(side: dict[str, object]) -> None:
    assert find_discrepancies(side, dict(side)) == []


@given(FIGURES, FIGURES)
def test_discrepancies_do_not_depend_on_side(recorded: dict[str, object], on_chain: dict[str, object]) -> None:
    there = find_discrepancies(recorded, on_chain)
    back = find_discrepancies(on_chain, recorded)
    assert [(discrepancy.subject, discrepancy.recorded_value, discrepancy.chain_value) for discrepancy in there] == [
        (discrepancy.subject, discrepancy.chain_value, discrepancy.recorded_value) for discrepancy in back
    ]
    assert [discrepancy.subject for discrepancy in there] == sorted({discrepancy.subject for discrepancy in there})


@given(FIGURES.filter(bool), st.data())
def test_single_change_is_found_with_both_values(side: dict[str, object], data: st.DataObject) -> None:
    subject = data.draw(st.sampled_from(sorted(side)))
    (found,) = find_discrepancies(side, side | {subject: "another figure"})
    assert (found.subject, found.recorded_value, found.chain_value) == (subject, str(side[subject]), "another figure")


@given(FIGURES.filter(bool), st.data())
def test_subject_missing_on_one_side_is_a_discrepancy(side: dict[str, object], data: st.DataObject) -> None:
    subject = data.draw(st.sampled_from(sorted(side)))
    rest = {key: value for key, value in side.items() if key != subject}
    (found,) = find_discrepancies(side, rest)
    assert (found.subject, found.chain_value) == (subject, "(absent)")
    assert str(found) == f"{subject}: recorded {side[subject]}, on chain (absent)"
