"""Differences between a live row and its rebuilt one: every changed column, and no other."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.strategies import ADDRESSES, AMOUNTS, INSTANTS

from paimon.domain.risk.discrepancy import compare_rows

pytestmark = pytest.mark.unit

VALUES = st.one_of(st.none(), st.booleans(), st.text(max_size=5), AMOUNTS, ADDRESSES, INSTANTS)
ROWS = st.fixed_dictionaries({"holder": ADDRESSES}, optional=dict.fromkeys(("shares", "status", "closed_at"), VALUES))


@given(ROWS)
def test_equal_rows_have_no_difference(row: dict[str, Any]) -> None:
    assert compare_rows("share_balances", ["holder"], row, dict(row)) == []


@given(ROWS, st.data())
def test_difference_names_exactly_the_changed_columns(row: dict[str, Any], data: st.DataObject) -> None:
    changed = data.draw(st.sets(st.sampled_from([name for name in row if name != "holder"] or ["holder"])))
    rebuilt = {name: object() if name in changed else value for name, value in row.items()}
    found = compare_rows("share_balances", ["holder"], row, rebuilt)
    assert {difference.column for difference in found} == changed
    assert len({difference.key for difference in found}) <= 1


@given(ROWS)
def test_row_on_one_side_is_one_difference(row: dict[str, Any]) -> None:
    (missing,) = compare_rows("share_balances", ["holder"], None, row)
    (extra,) = compare_rows("share_balances", ["holder"], row, None)
    assert (missing.column, missing.live) == (extra.column, extra.rebuilt) == ("row", "(absent)")
    assert missing.rebuilt == extra.live
    assert missing.key == extra.key


def test_difference_text_names_row_column_and_values() -> None:
    live, rebuilt = {"holder": bytes(19) + b"\x01", "shares": 5}, {"holder": bytes(19) + b"\x01", "shares": 6}
    (found,) = compare_rows("share_balances", ["holder"], live, rebuilt)
    assert str(found) == "share_balances holder=0x0000000000000000000000000000000000000001, shares: live 5, rebuilt 6"
