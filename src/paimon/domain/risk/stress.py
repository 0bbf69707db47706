"""Stress tests: what a run, falling prices, frozen assets and leaving holders do to the promises of the fund.

    state ──► prices fall, assets freeze ──► requests of the run and of those who leave, each due as a standard one
          ──► the promise ledger and the ladder of that state

A scenario changes the state, and what follows is computed as it is for the present one (`promises.py`), so that a stress test
and the promise ledger cannot disagree. A run is a part of net assets after the fall, requested evenly by day. The requests that
are open already keep their amounts. They are not paid first: what is due earlier is, as on chain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from paimon.domain.asset.profile import UNKNOWN_COUNTERPARTY, AssetProfile, Liquidity
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount, Rounding, portion
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.risk.fund_risk_state import FundRiskState, OpenRequest
from paimon.domain.risk.liquidity import cash_sources, held_assets
from paimon.domain.risk.promises import LadderDay, Promise, first_shortage, liquidity_ladder, promise_ledger
from paimon.domain.risk.risk_policy import RiskPolicy
from paimon.domain.vault.fund_snapshot import AssetPosition

RUN_DAYS_MAX: Final = 60
_SETTLES_AFTER: Final = timedelta(days=7)
_NOTHING: Final = Bps(0)
_NEVER: Final = 10**6
"""Days to cash of a frozen asset: beyond every ladder."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens to the fund.

    run               part of net assets that is requested, evenly over `run_days` days
    falls             part of their value that the assets of a tier lose at once
    frozen            assets that cannot be sold
    freezes_largest   the largest asset cannot be sold either
    leaving_holders   how many of the largest holders request all that they have, at once
    """

    name: str
    run: Bps = _NOTHING
    run_days: int = 1
    falls: Mapping[Tier, Bps] = field(default_factory=dict)
    frozen: frozenset[Address] = frozenset()
    freezes_largest: bool = False
    leaving_holders: int = 0


STANDARD_SCENARIOS: Final = (
    Scenario("10 % leave in a day", Bps(1_000), 1),
    Scenario("20 % leave in 5 days", Bps(2_000), 5),
    Scenario("40 % leave in 20 days", Bps(4_000), 20),
    Scenario("L2 falls by 5 %, L3 by 20 %", falls={Tier.L2: Bps(500), Tier.L3: Bps(2_000)}),
    Scenario("the largest asset is frozen", freezes_largest=True),
    Scenario("the three largest holders leave", leaving_holders=3),
    Scenario(
        "20 % leave in 5 days, L3 falls by 20 %, the largest asset is frozen",
        Bps(2_000),
        5,
        {Tier.L3: Bps(2_000)},
        freezes_largest=True,
    ),
)


@dataclass(frozen=True, slots=True)
class StressResult:
    """What a scenario leads to. Amounts are in raw units of the vault's asset.

    `broken` are the requests that are open now and cannot be paid by their dates; `shortfall` is the most that is missing on
    any day of the ladder; `left` is what each tier has after everything that could be paid was paid, soonest source first.
    """

    scenario: Scenario
    net_assets: RawAmount
    outflow: RawAmount
    ladder: tuple[LadderDay, ...]
    shortage: LadderDay | None
    shortfall: RawAmount
    broken: tuple[Promise, ...]
    left: Mapping[Tier, RawAmount]

    @property
    def keeps_every_promise(self) -> bool:
        return self.shortage is None and not self.broken


def run_stress(
    state: FundRiskState, policy: RiskPolicy, scenario: Scenario, holdings: Sequence[RawAmount] = ()
) -> StressResult:
    """Run a scenario; `holdings` are the values of the holders' redeemable shares, largest first."""
    stressed = stressed_state(state, scenario, holdings)
    added = stressed.open_requests[len(state.open_requests) :]
    ledger, ladder = promise_ledger(stressed, policy), liquidity_ladder(stressed, policy)
    own = {request.request_id for request in state.open_requests}
    return StressResult(
        scenario=scenario,
        net_assets=stressed.fund.net_assets,
        outflow=RawAmount(sum(request.amount for request in added)),
        ladder=ladder,
        shortage=first_shortage(ladder),
        shortfall=RawAmount(max(0, *(-row.closing for row in ladder))),
        broken=tuple(promise for promise in ledger if promise.is_broken and promise.request.request_id in own),
        left=_left(stressed, policy, ledger),
    )


def stressed_state(state: FundRiskState, scenario: Scenario, holdings: Sequence[RawAmount] = ()) -> FundRiskState:
    """Return the state after a scenario's falls and freezes, its requests behind those that are open."""
    shocked = _shocked(state, scenario)
    return replace(shocked, open_requests=(*shocked.open_requests, *_requests(shocked, scenario, holdings)))


def smallest_breaking_run(
    state: FundRiskState, policy: RiskPolicy, scenario: Scenario, holdings: Sequence[RawAmount] = ()
) -> Bps | None:
    """Return the smallest run, with all else as in the scenario, that breaks a promise or leaves a shortage.

    Return 0 where the scenario does so without a run, and None where even a run of everything does not.
    """

    def breaks(run: int) -> bool:
        return not run_stress(state, policy, replace(scenario, run=Bps(run)), holdings).keeps_every_promise

    if not breaks(BPS_ONE):
        return None
    low, high = -1, int(BPS_ONE)  # a run of `high` breaks a promise; one of `low` does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if breaks(middle) else (middle, high)
    return Bps(high)


def _shocked(state: FundRiskState, scenario: Scenario) -> FundRiskState:
    """Return the state after the fall of prices, with frozen assets that are never cash."""
    assets = tuple(_fallen(position, scenario.falls.get(position.tier, _NOTHING)) for position in state.fund.assets)
    fallen = replace(state, fund=replace(state.fund, assets=assets))
    frozen = set(scenario.frozen)
    if scenario.freezes_largest and (held := held_assets(fallen)):
        frozen.add(max(held, key=lambda position: (position.value, position.token)).token)
    profiles = {token: AssetProfile(UNKNOWN_COUNTERPARTY, Liquidity(_NEVER, _NOTHING)) for token in frozen}
    return replace(fallen, profiles={**state.profiles, **profiles})


def _fallen(position: AssetPosition, fall: Bps) -> AssetPosition:
    if position.price is None or not fall:
        return position
    return replace(position, price=portion(position.price, Bps(BPS_ONE - fall), rounding=Rounding.DOWN))


def _requests(state: FundRiskState, scenario: Scenario, holdings: Sequence[RawAmount]) -> list[OpenRequest]:
    """Return the requests that the scenario adds, with ids after those that exist."""
    now, next_id = state.fund.at.timestamp, max((one.request_id for one in state.open_requests), default=0) + 1
    amounts = [(0, amount) for amount in holdings[: scenario.leaving_holders]]
    run = portion(RawAmount(max(state.fund.net_assets, 0)), scenario.run, rounding=Rounding.DOWN)
    days = max(scenario.run_days, 1)
    amounts += [(day, RawAmount(run // days + (day < run % days))) for day in range(days)]
    return [
        OpenRequest(
            next_id + number,
            ZERO_ADDRESS,
            RedemptionChannel.STANDARD,
            amount,
            now + timedelta(days=day) + _SETTLES_AFTER,
            awaits_approval=False,
        )
        for number, (day, amount) in enumerate(amounts)
        if amount > 0
    ]


def _left(state: FundRiskState, policy: RiskPolicy, ledger: Sequence[Promise]) -> dict[Tier, RawAmount]:
    """Return what the promises leave of each tier, frozen assets included, at their values net of cost."""
    left = dict.fromkeys(Tier, 0)
    for source in cash_sources(state, policy):
        left[source.tier] += source.amount
    for promise in ledger:
        for funding in promise.funding:
            left[funding.tier] -= funding.amount
    return {tier: RawAmount(amount) for tier, amount in left.items()}
