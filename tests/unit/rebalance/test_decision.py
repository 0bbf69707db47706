"""Decisions as exact text: what is stored gives the value back, and recomputing it gives the same bytes."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.rebalance import decided_record, executed_record, funds, usdt

from paimon.domain.kernel.record_text import from_text, to_text
from paimon.domain.kernel.units import Bps, RawAmount
from paimon.domain.rebalance.applied_trades import fund_after
from paimon.domain.rebalance.decision import PlanInputs, decide, inputs_text, parse_inputs, parse_result, result_text
from paimon.domain.rebalance.measured_fund import MeasuredFund
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.rebalance_plan import AskedTrade, Method, RebalancePlan, Side
from paimon.domain.rebalance.rebalance_record import TradeCall, share_differences
from paimon.domain.rebalance.simulated_run import example_fund
from paimon.gateway.rest.views.rebalance import RebalanceView

NOON: Final = datetime(2026, 3, 4, 12, tzinfo=UTC)


@given(funds(assets_max=4), st.sampled_from((6, 18)), st.sampled_from((None, "no answer within 60 s")))
def test_text_gives_the_inputs_and_the_result_back(fund: MeasuredFund, decimals: int, without_solver: str | None) -> None:
    inputs = PlanInputs(fund, PlanPolicy(landing=Bps(30)), decimals, without_solver)
    text = inputs_text(inputs)
    assert parse_inputs(text) == inputs
    assert inputs_text(parse_inputs(text)) == text
    result = decide(replace(inputs, without_solver="tested without it"))
    assert parse_result(result_text(result)) == result


def test_stored_inputs_give_the_same_bytes_again() -> None:
    fund = example_fund()
    inputs = PlanInputs(replace(fund, cash=usdt(20_000_000)), PlanPolicy(), 18)
    result = decide(inputs)
    assert isinstance(result, RebalancePlan)
    assert result.method is Method.OPTIMISED
    assert result_text(decide(parse_inputs(inputs_text(inputs)))) == result_text(result)


STORED: Final = (
    '{"asset_decimals":18,"fund":{"arriving":[],"assets":[{"buying":{"steps":[{"cost":10,"up_to":null}]},"buys_in":0,'
    '"counterparty":null,"days_to_cash":5,"in_transit":0,"selling":{"steps":[{"cost":10,"up_to":null}]},"sells_in":0,'
    '"smallest_purchase":0,"tier":"L2","token":"0202020202020202020202020202020202020202","value":900000000000000000000000}],'
    '"cash":100000000000000000000000,"high_water_mark":0,"outflows":[{"day":3,"due":7000000000000000000,"expected":0,'
    '"stressed":0}],"performance_fee":0,"reserved":0},"policy":{"asset_cap":2500,"bands":{"L1":{"maximum":2000,'
    '"minimum":500},"L2":{"maximum":4000,"minimum":2000},"L3":{"maximum":7000,"minimum":5000}},"contract_bands":{"L1":'
    '{"maximum":3000,"minimum":500},"L2":{"maximum":5000,"minimum":1000},"L3":{"maximum":8000,"minimum":3000}},'
    '"counterparty_cap":10000,"days":[0,1,3,7,14],"deviation_cost_per_day":10,"gas_per_trade":500000000000000000,'
    '"gas_share_max":1000,"landing":25,"slippage_max":500,"slippage_warning":200,"smallest_plan":1000000000000000000000,'
    '"targets":{"L1":1100,"L2":3100,"L3":5800},"top3_cap":6000},"without_solver":"a test"}'
)
"""The text of a decision's inputs as processes wrote it that knew no reversals."""


def test_text_of_before_a_field_was_added_stays_the_same_and_is_what_is_written_where_the_field_says_nothing() -> None:
    inputs = parse_inputs(STORED)
    assert inputs.reversal == ()
    assert inputs_text(inputs) == STORED
    undone = replace(inputs, reversal=(AskedTrade(Side.SELL, inputs.fund.assets[0].token, usdt(7)),))
    assert '"reversal":[{"amount":7' in inputs_text(undone)
    assert parse_inputs(inputs_text(undone)) == undone
    # One that was stored while the empty field was in the text is still read.
    assert parse_inputs(STORED.replace('},"without_solver"', '},"reversal":[],"without_solver"')) == inputs


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_decision_expects_only_what_its_calls_do(left_out: int) -> None:
    plan = parse_result(decided_record(NOON).result_text)
    assert isinstance(plan, RebalancePlan)
    trades = [each.trade for each in plan.trades][: len(plan.trades) - left_out]
    calls = tuple(TradeCall(trade.side, trade.token, trade.amount, usdt(1), 18) for trade in trades)
    expected = decided_record(NOON, calls=calls).expected
    assert expected is not None
    assert (expected == plan.after) is (left_out == 0)
    assert expected == fund_after(decided_record(NOON).inputs.fund, trades)
    as_planned = share_differences(expected, plan.after.tier_values, RawAmount(plan.after.total))
    assert any(as_planned.values()) is (left_out > 0)
    assert not any(share_differences(expected, expected.tier_values, RawAmount(expected.total)).values())


@pytest.mark.parametrize("left_out", [0, 2])
def test_view_of_a_long_plan_marks_what_is_left_and_sums_what_is_made(left_out: int) -> None:
    plan = parse_result(decided_record(NOON).result_text)
    assert isinstance(plan, RebalancePlan)
    trades = [each.trade for each in plan.trades]
    made = trades[: len(trades) - left_out]
    calls = tuple(TradeCall(trade.side, trade.token, trade.amount, usdt(1), 18) for trade in made)
    view = RebalanceView.of(decided_record(NOON, calls=calls))
    assert [action.is_left for action in view.actions] == [False] * len(made) + [True] * left_out
    assert {action.asset for action in view.actions if action.is_left} == {trade.token for trade in trades[len(made) :]}
    assert (view.total_amount, view.estimated_cost) == (sum(t.amount for t in made), sum(t.cost for t in made))
    assert view.estimated_gas_cost == PlanPolicy().gas_per_trade * len(made)


@pytest.mark.parametrize(
    ("cost", "excess", "is_as_expected"), [(100, 0, True), (1_100, 100, True), (1_101, 101, False), (-500, -60, True)]
)
def test_cost_beyond_the_plans_is_compared_with_what_was_traded(cost: int, excess: int, is_as_expected: bool) -> None:
    known = executed_record(NOON).outcome
    assert known is not None
    outcome = replace(known, traded=RawAmount(100_000), planned_cost=RawAmount(100), cost=cost)
    assert (outcome.excess_cost, outcome.is_as_expected) == (excess, is_as_expected)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"fund":{},"policy":{},"asset_decimals":18}', '{"type":"Trade"}'])
def test_text_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 — json's own error or ours, both are ValueErrors
        parse_inputs(text)
    with pytest.raises(ValueError):  # noqa: PT011
        parse_result(text)


def test_number_that_is_not_whole_is_no_amount() -> None:
    with pytest.raises(ValueError, match="is no int"):
        from_text('["1.5",2]', tuple[int, int])
    with pytest.raises(TypeError, match="no exact text"):
        to_text(1.5, float)
