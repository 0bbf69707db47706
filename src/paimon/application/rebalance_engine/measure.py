"""Measure the fund for the planner: the newest snapshot, what is due, and the terms of each asset.

Where an asset has no profile, days to cash and cost are the defaults of its tier. An asset without a trusted price cannot be
traded, and none can while the controller is paused. What is no longer listed is worth nothing, as for the contract.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from paimon.application.fund_risk.queries import load_risk_state
from paimon.application.nav.as_of import get_newest_snapshot
from paimon.application.oracle.queries import load_untrusted
from paimon.application.rebalance_engine.forecast_outflows import (
    find_counted_forecast,
    forecast_shortage,
    requests_paid,
)
from paimon.application.rebalance_engine.trigger_events import load_events
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address, BlockStamp
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.kernel.units import BPS_ONE, WAD, Bps, RawAmount
from paimon.domain.rebalance.decision import PlanInputs, PlanResult
from paimon.domain.rebalance.measured_fund import CostCurve, MeasuredFund, OutflowDay, TradableAsset
from paimon.domain.rebalance.plan_policy import Band, PlanPolicy
from paimon.domain.rebalance.triggers import ConditionMemory, TriggerPolicy, Verdict, judge_triggers
from paimon.domain.risk.fund_risk_state import FundRiskState
from paimon.domain.risk.promises import due_date
from paimon.domain.risk.risk_policy import RiskPolicy
from paimon.domain.vault.fund_snapshot import AssetPosition, FundSnapshot, token_value
from paimon.errors import InvalidRequest
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database, ReadSession
from paimon.infrastructure.solver.solver import Solver

RESERVE_DAYS: Final = 7
"""Cash for redemptions that are due within these days is reserved."""

NO_MEMORY: Final[Mapping[str, ConditionMemory]] = {}
"""No condition has fired yet: every one that is met fires."""

PERFORMANCE_FEE: Final = Bps(1_000)
"""Of what L3 gains above its mark. Source: docs/concepts/fund.md; the contract has it as a constant."""


class TargetsNotPossible(InvalidRequest):
    """The targets do not add up to the whole, or one is outside of its tier's band."""

    field = "targetRatios"


@dataclass(frozen=True, slots=True)
class Measurement:
    """The fund at the newest snapshot, as the planner's inputs, and what of the triggers is met there."""

    snapshot: FundSnapshot
    inputs: PlanInputs
    triggers: tuple[Verdict, ...]

    @property
    def at(self) -> BlockStamp:
        return self.snapshot.at


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """What the planner would do now. Nothing is kept and nothing is sent."""

    measured: Measurement
    plan: PlanResult


async def preview_rebalance(
    database: Database, solver: Solver, policy: PlanPolicy, risk_policy: RiskPolicy, scope: SigningScope
) -> PlanPreview:
    """Measure the fund and plan its trades. No transaction is open while the solver works.

    Raises:
        NoSnapshotYet, TargetsNotPossible.
    """
    async with database.read() as session:
        measured = await measure_fund(session, policy, risk_policy, NO_MEMORY, scope)
    return PlanPreview(measured, (await solver.solve(measured.inputs)).result)


async def measure_fund(
    session: ReadSession,
    policy: PlanPolicy,
    risk_policy: RiskPolicy,
    memory: Mapping[str, ConditionMemory],
    scope: SigningScope,
) -> Measurement:
    """Measure the fund at the newest snapshot and judge the triggers at the time of its block.

    `memory` is what is known of each condition's last firing, `scope` is where signatures over profiles of assets count.

    Raises:
        NoSnapshotYet, TargetsNotPossible.
    """
    snapshot = await get_newest_snapshot(session)
    state = await load_risk_state(session, snapshot, scope, now=await database_now(session), system_health=None)
    untrusted = await load_untrusted(session, block=snapshot.at.number)
    forecast = await find_counted_forecast(session, snapshot)
    requests = () if forecast is None else requests_paid(forecast)
    fund = measured_fund(state, risk_policy, untrusted=untrusted, requests=requests)
    own = policy_of_fund(policy, snapshot)
    short = max(_short_of_due(fund), 0 if forecast is None else forecast_shortage(forecast, days=RESERVE_DAYS))
    triggers = replace(TriggerPolicy(), deposit=RawAmount(TriggerPolicy().deposit * 10**snapshot.asset_decimals // WAD))
    events = await load_events(session, snapshot, memory)
    verdicts = judge_triggers(fund, own, triggers, events, memory, short_of_cash=RawAmount(short), now=snapshot.at.timestamp)
    return Measurement(snapshot, PlanInputs(fund, own, snapshot.asset_decimals), verdicts)


def policy_of_fund(policy: PlanPolicy, snapshot: FundSnapshot) -> PlanPolicy:
    """Return the policy with the bands and the amounts of this fund's contracts.

    Raises:
        TargetsNotPossible: a target is outside of the contract's band.
    """
    bands = {tier: Band(limits.minimum, limits.maximum) for tier, limits in zip(Tier, snapshot.tier_limits, strict=True)}
    try:
        return replace(_in_units_of(policy, snapshot.asset_decimals), contract_bands=bands)
    except ValueError as error:
        raise TargetsNotPossible(f"{error}: the contract's band and the settings' together") from error


def measured_fund(
    state: FundRiskState,
    risk_policy: RiskPolicy,
    *,
    untrusted: Collection[Address] = (),
    requests: Sequence[OutflowDay] = (),
) -> MeasuredFund:
    """Describe a state of the fund as the planner needs it. Days are counted from the snapshot's block.

    The assets whose prices are untrusted count with their value and are not traded. `requests` is what a forecast expects to
    leave beside what is due. What awaits approval leaves in the stressed case, at the earliest date that it can have, as in the
    forecast.
    """
    snapshot = state.fund
    at = snapshot.at.timestamp
    due, awaiting = defaultdict[int, int](int), defaultdict[int, int](int)
    for request in state.open_requests:
        day = max((due_date(request, at) - at).days, 0)
        (awaiting if request.awaits_approval else due)[day] += request.amount
    forecast = {outflow.day: outflow for outflow in requests}

    def outflow_of(day: int) -> OutflowDay:
        further = forecast.get(day, OutflowDay(day))
        return replace(further, due=RawAmount(due[day]), stressed=RawAmount(further.stressed + awaiting[day]))

    outflows = tuple(map(outflow_of, sorted(due.keys() | awaiting.keys() | forecast.keys())))
    return MeasuredFund(
        cash=snapshot.cash,
        assets=tuple(
            _asset(position, state, risk_policy, is_trusted=position.token not in untrusted)
            for position in snapshot.assets
            if position.is_listed
        ),
        reserved=RawAmount(sum(outflow.due for outflow in outflows if outflow.day <= RESERVE_DAYS)),
        outflows=outflows,
        high_water_mark=snapshot.fees.high_water_mark,
        performance_fee=PERFORMANCE_FEE,
    )


def _asset(position: AssetPosition, state: FundRiskState, risk_policy: RiskPolicy, *, is_trusted: bool) -> TradableAsset:
    profile = state.profiles.get(position.token)
    liquidity = risk_policy.tier_liquidity[position.tier] if profile is None else profile.liquidity
    can_trade = is_trusted and position.price is not None and not state.fund.flags.controller_paused
    curve = CostCurve.flat(Bps(min(liquidity.cost, BPS_ONE))) if can_trade else CostCurve()
    buys_in = _days_until_purchase(position, state.fund.at.timestamp)
    return TradableAsset(
        token=position.token,
        tier=position.tier,
        value=position.value,
        selling=curve,
        buying=CostCurve() if buys_in is None else curve,
        days_to_cash=liquidity.days_to_cash,
        buys_in=buys_in or 0,
        counterparty=None if profile is None else profile.counterparty,
        smallest_purchase=position.terms.minimum,
        in_transit=RawAmount(
            sum(
                token_value(order.expected_tokens, position.price or 0, position.decimals)
                for order in state.fund.in_transit
                if order.token == position.token
            )
        ),
    )


def _days_until_purchase(position: AssetPosition, at: datetime) -> int | None:
    """Return the days until the subscription window opens; 0 where it is open, None where it has ended."""
    start, end = position.terms.subscription_start, position.terms.subscription_end
    if end is not None and at > end:
        return None
    if start is None or start <= at:
        return 0
    return -((at - start) // timedelta(days=1))


def _short_of_due(fund: MeasuredFund) -> int:
    """Return by how much what is due within the reserve's days exceeds what is cash by then; 0 where it does not."""
    return max(fund.reserved - _liquid(fund), 0)


def _liquid(fund: MeasuredFund) -> int:
    """Return what is cash within the reserve's days, before costs."""
    arriving = sum(amount for day, amount in fund.arriving if day <= RESERVE_DAYS)
    return fund.cash + arriving + sum(asset.value for asset in fund.assets if asset.days_to_cash <= RESERVE_DAYS)


def _in_units_of(policy: PlanPolicy, decimals: int) -> PlanPolicy:
    """Return the policy with its amounts in raw units of an asset of so many decimals; they are written for 18."""

    def scaled(amount: RawAmount) -> RawAmount:
        return RawAmount(amount * 10**decimals // WAD)

    return replace(policy, gas_per_trade=scaled(policy.gas_per_trade), smallest_plan=scaled(policy.smallest_plan))
