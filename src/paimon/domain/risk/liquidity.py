"""What of the fund can be cash, when, and for how much net of cost."""

from dataclasses import dataclass

from paimon.domain.asset.profile import Liquidity
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount, Rounding, portion
from paimon.domain.risk.fund_risk_state import FundRiskState
from paimon.domain.risk.risk_policy import RiskPolicy
from paimon.domain.vault.fund_snapshot import AssetPosition


@dataclass(frozen=True, slots=True)
class CashSource:
    """Cash, or an asset that is cash after some days; `token` is None for the vault's own cash.

    `amount` is net of cost, in raw units of the vault's asset.
    """

    tier: Tier
    token: Address | None
    days: int
    amount: RawAmount


def cash_sources(state: FundRiskState, policy: RiskPolicy) -> tuple[CashSource, ...]:
    """Return the fund's cash and its assets, soonest first and the cheaper tier first."""
    cash = CashSource(Tier.L1, None, 0, state.fund.cash)
    assets = [_source(position, state, policy) for position in held_assets(state)]
    return (cash, *sorted(assets, key=lambda source: (source.days, source.tier, source.token or b"")))


def realisable(state: FundRiskState, policy: RiskPolicy, *, days: int) -> RawAmount:
    """Return what can be cash within the days, net of cost."""
    return RawAmount(sum(source.amount for source in cash_sources(state, policy) if source.days <= days))


def held_assets(state: FundRiskState) -> list[AssetPosition]:
    """Return the positions that are worth something."""
    return [position for position in state.fund.assets if position.value > 0]


def default_liquidity_note(state: FundRiskState) -> str | None:
    """Say how many assets count by the default of their tier; None where each has a profile."""
    held = held_assets(state)
    count = sum(position.token not in state.profiles for position in held)
    return f"{count} of {len(held)} assets have no profile and count by the default of their tier" if count else None


def _source(position: AssetPosition, state: FundRiskState, policy: RiskPolicy) -> CashSource:
    liquidity = _liquidity(position, state, policy)
    kept = Bps(max(BPS_ONE - liquidity.cost, 0))
    return CashSource(
        position.tier, position.token, liquidity.days_to_cash, portion(position.value, kept, rounding=Rounding.DOWN)
    )


def _liquidity(position: AssetPosition, state: FundRiskState, policy: RiskPolicy) -> Liquidity:
    profile = state.profiles.get(position.token)
    return policy.tier_liquidity[position.tier] if profile is None else profile.liquidity
