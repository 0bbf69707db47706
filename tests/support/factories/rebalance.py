"""Random funds for the planner: any number of assets, windows, curves, payouts and bands that a fund may have."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32
from paimon.domain.kernel.units import BPS_ONE, WAD, Bps, RawAmount
from paimon.domain.rebalance.decision import PlanInputs, decide, inputs_text, result_text
from paimon.domain.rebalance.measured_fund import CostCurve, CostStep, MeasuredFund, OutflowDay, TradableAsset
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.rebalance_record import MetCondition, RebalanceOutcome, RebalanceRecord, RebalanceStatus
from paimon.domain.rebalance.simulated_run import example_fund
from paimon.domain.rebalance.triggers import Trigger


def usdt(amount: int) -> RawAmount:
    """Return whole USDT in raw units."""
    return RawAmount(amount * WAD)


def token(number: int) -> Address:
    """Return the address of the n-th asset."""
    return Address(number.to_bytes(20, "big"))


def decided_record(now: datetime, **changes: Any) -> RebalanceRecord:
    """Return the planner's decision on an example fund with too much cash, as it waits to be submitted."""
    inputs = PlanInputs(replace(example_fund(), cash=usdt(20_000_000)), PlanPolicy(), 18)
    record = RebalanceRecord(
        id=UUID("00000000-0000-4000-8000-000000000001"),
        trigger=Trigger.LIQUIDITY,
        status=RebalanceStatus.PROPOSED,
        conditions=(MetCondition("l1_above", "2800 is above 1500"),),
        calls=(),
        requested_by=None,
        created_at=now,
        at=BlockStamp(7, Hash32(b"\x07" * 32), now),
        inputs_text=inputs_text(inputs),
        result_text=result_text(decide(inputs)),
    )
    return replace(record, **changes)


def executed_record(now: datetime) -> RebalanceRecord:
    """Return a decision that was carried out as expected."""
    outcome = RebalanceOutcome(
        at=BlockStamp(9, Hash32(b"\x09" * 32), now),
        tier_values={tier: usdt(10) for tier in Tier},
        total=usdt(30),
        trades=2,
        cost=-1,
        gas_wei=RawAmount(10**15),
        differences=dict.fromkeys(Tier, Bps(0)),
    )
    ended = {"status": RebalanceStatus.EXECUTED, "closed_at": now, "close_reason": "its plan is DONE"}
    return decided_record(now, plan_id=UUID(int=1), outcome=outcome, **ended)


@st.composite
def curves(draw: st.DrawFn) -> CostCurve:
    """A curve of one to three steps, now and then an empty one or one with an end."""
    if draw(st.integers(0, 9)) == 0:
        return CostCurve()
    costs = sorted(draw(st.lists(st.integers(0, 700), min_size=1, max_size=3)))
    ends = sorted(draw(st.lists(st.integers(10_000, 5_000_000), min_size=len(costs), max_size=len(costs), unique=True)))
    last_is_endless = draw(st.integers(0, 4)) > 0
    return CostCurve(
        tuple(
            CostStep(None if last_is_endless and place == len(costs) - 1 else usdt(end), Bps(cost))
            for place, (cost, end) in enumerate(zip(costs, ends, strict=True))
        )
    )


@st.composite
def assets(draw: st.DrawFn, number: int, value_max: int = 20_000_000) -> TradableAsset:
    """One asset of any tier; its value is any number of raw units, not only whole USDT."""
    return TradableAsset(
        token=token(number),
        tier=draw(st.sampled_from((Tier.L2, Tier.L3, Tier.L2, Tier.L3, Tier.L1))),
        value=RawAmount(draw(st.one_of(st.just(0), st.integers(value_max * WAD // 100, value_max * WAD)))),
        selling=draw(curves()),
        buying=draw(curves()),
        days_to_cash=draw(st.sampled_from((0, 0, 0, 1, 3, 10))),
        sells_in=draw(st.sampled_from((0, 0, 0, 0, 5))),
        buys_in=draw(st.sampled_from((0, 0, 0, 0, 5))),
        counterparty=draw(st.sampled_from((None, "North", "South"))),
        smallest_purchase=usdt(draw(st.sampled_from((0, 0, 1_000, 50_000)))),
        in_transit=usdt(draw(st.sampled_from((0, 0, 0, 40_000)))),
    )


@st.composite
def funds(draw: st.DrawFn, assets_min: int = 0, assets_max: int = 8) -> MeasuredFund:
    """A fund of up to some assets, with payouts that it may or may not be able to make. Also an empty one."""
    outflows = [
        OutflowDay(
            day,
            due=usdt(draw(st.integers(0, 2_000_000))),
            expected=usdt(draw(st.integers(0, 200_000))),
            stressed=usdt(draw(st.integers(200_000, 2_000_000))),
        )
        for day in sorted(draw(st.sets(st.integers(0, 20), max_size=3)))
    ]
    return MeasuredFund(
        cash=RawAmount(draw(st.one_of(st.just(0), st.integers(WAD, 20_000_000 * WAD)))),
        assets=tuple(draw(assets(number)) for number in range(1, draw(st.integers(assets_min, assets_max)) + 1)),
        reserved=usdt(draw(st.sampled_from((0, 0, 300_000, 30_000_000)))),
        outflows=tuple(outflows),
        high_water_mark=usdt(draw(st.sampled_from((0, 10_000_000)))),
        performance_fee=Bps(1_000),
    )


@st.composite
def healthy_funds(draw: st.DrawFn) -> MeasuredFund:
    """A fund off target, of assets that can be traded today, which can pay what is due."""
    total = draw(st.integers(2_000_000, 200_000_000))
    shares = {Tier.L2: draw(st.integers(1_500, 4_500)), Tier.L3: draw(st.integers(4_000, 6_500))}
    held: list[TradableAsset] = []
    for tier, share in shares.items():
        weights = draw(st.lists(st.integers(2, 10), min_size=5, max_size=8))
        for weight in weights:
            costs = sorted(draw(st.lists(st.integers(1, 60), min_size=2, max_size=2)))
            curve = CostCurve(
                (CostStep(usdt(draw(st.integers(20_000, 500_000))), Bps(costs[0])), CostStep(None, Bps(costs[1])))
            )
            value = total * WAD * share * weight // sum(weights) // BPS_ONE
            held.append(TradableAsset(token(len(held) + 1), tier, RawAmount(value), curve, curve))
    cash = total * WAD * (BPS_ONE - sum(shares.values())) // BPS_ONE
    due = RawAmount(cash * draw(st.integers(0, 50)) // 100)
    outflow = OutflowDay(draw(st.integers(0, 9)), due=due)
    return MeasuredFund(RawAmount(max(cash, 0)), tuple(held), reserved=due, outflows=(outflow,))
