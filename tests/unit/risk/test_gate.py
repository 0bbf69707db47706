"""A gate: what a window pays, to whom, and when everyone is paid."""

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.factories.risk_states import fund_of, open_request, risk_state, risk_states
from tests.support.factories.snapshots import token

from paimon.domain.kernel.units import Bps
from paimon.domain.risk.fund_risk_state import FundRiskState, OpenRequest
from paimon.domain.risk.gate import GATE_DAYS_MAX, Gate, pro_rata, run_gate
from paimon.domain.risk.liquidity import realisable
from paimon.domain.risk.risk_policy import RiskPolicy

pytestmark = pytest.mark.unit

POLICY: Final = RiskPolicy()
GATES: Final = st.builds(Gate, st.integers(0, 10_000).map(Bps), st.integers(1, 90))


def request(number: int, amount: int, *, owner: int, due_days: float | None) -> OpenRequest:
    return replace(open_request(amount, due_days=due_days, request_id=number), owner=token(owner))


def numbered(state: FundRiskState) -> FundRiskState:
    """Give each request an id and one of two owners."""
    requests = enumerate(state.open_requests, start=1)
    return replace(
        state,
        open_requests=tuple(replace(one, request_id=number, owner=token(1 + number % 2)) for number, one in requests),
    )


RUN: Final = risk_state(
    fund_of(10_000, 0, 0),
    open_requests=(
        request(1, 1_500, owner=1, due_days=1),
        request(2, 500, owner=2, due_days=2),
        request(3, 400, owner=2, due_days=9),
    ),
)


def test_window_pays_its_part_of_the_fund_in_proportion_and_the_rest_waits() -> None:
    found = run_gate(RUN, POLICY, Gate(Bps(1_000), 7))
    assert [(row.first_day, row.end_day, row.allowed, row.asked, row.paid, row.waiting) for row in found.windows] == [
        (0, 7, 1_000, 2_000, 1_000, 1_000),  # 750 and 250
        (7, 14, 900, 1_400, 900, 500),  # 10 % of the 9 000 that are left
        (14, 21, 810, 500, 500, 0),
    ]
    assert [(one.owner, one.asked, one.paid_in_first_window, one.paid_by_day) for one in found.investors] == [
        (token(1), 1_500, 750, 21),
        (token(2), 900, 250, 21),
    ]
    assert found.days_to_clear == 21


def test_gate_that_is_wide_enough_changes_nothing() -> None:
    found = run_gate(RUN, POLICY, Gate(Bps(10_000), 7))
    assert [row.waiting for row in found.windows] == [0, 0]
    assert [one.paid_by_day for one in found.investors] == [7, 14]


def test_closed_gate_pays_nothing() -> None:
    found = run_gate(RUN, POLICY, Gate(Bps(0), 30))
    assert {row.paid for row in found.windows} == {0}
    assert (found.days_to_clear, found.investors[0].paid_by_day) == (None, None)


def test_no_window_pays_what_is_not_cash_by_then() -> None:
    slow = risk_state(fund_of(100, 0, 10_000), open_requests=(request(1, 1_000, owner=1, due_days=1),))
    found = run_gate(slow, POLICY, Gate(Bps(10_000), 30))
    assert [row.paid for row in found.windows] == [100, 0, 900]  # L3 is cash after 60 days
    assert found.days_to_clear == 90


def test_request_that_awaits_approval_counts_from_its_earliest_date() -> None:
    waiting = risk_state(fund_of(1_000, 0, 0), open_requests=(request(1, 10, owner=1, due_days=None),))
    assert [row.first_day for row in run_gate(waiting, POLICY, Gate(Bps(10_000), 1)).windows] == [7]


def test_fund_without_requests_needs_no_window() -> None:
    found = run_gate(risk_state(), POLICY, Gate(Bps(100), 7))
    assert (found.windows, found.investors, found.days_to_clear) == ((), (), 0)


@given(st.dictionaries(st.integers(1, 20), st.integers(0, 10**30), max_size=8), st.data())
def test_split_pays_the_whole_amount_and_no_one_more_than_they_ask(asked: dict[int, int], data: st.DataObject) -> None:
    amount = data.draw(st.integers(0, sum(asked.values())))
    paid = pro_rata(asked, amount)
    assert sum(paid.values()) == amount
    assert all(0 <= paid[number] <= part for number, part in asked.items())
    if whole := sum(asked.values()):
        assert all(abs(paid[number] - part * amount / whole) <= max(1, part * 1e-9) for number, part in asked.items())


@settings(max_examples=40, deadline=None)
@given(risk_states(), GATES)
def test_gate_keeps_its_bounds_on_every_fund(state: FundRiskState, gate: Gate) -> None:
    state = numbered(state)
    found = run_gate(state, POLICY, gate)
    paid = 0
    for row in found.windows:
        assert 0 <= row.paid <= min(row.allowed, row.cash, row.asked)
        paid += row.paid
        assert paid <= realisable(state, POLICY, days=row.end_day - 1)
    assert sum(one.asked for one in found.investors) == sum(one.amount for one in state.open_requests)
    if found.days_to_clear is not None:
        assert paid == sum(one.amount for one in state.open_requests)
        assert found.days_to_clear <= GATE_DAYS_MAX + gate.window_days


@settings(max_examples=25, deadline=None)
@given(risk_states(), GATES, st.integers(0, 10_000))
def test_wider_gate_never_pays_less_in_the_first_window(state: FundRiskState, gate: Gate, more: int) -> None:
    wider = replace(gate, limit=Bps(min(gate.limit + more, 10_000)))
    found, other = (sum(row.paid for row in run_gate(numbered(state), POLICY, one).windows[:1]) for one in (gate, wider))
    assert found <= other
