"""Stress tests and gates of the newest snapshot, and the concentration of its holders. Nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from paimon.application.fund_risk.queries import load_risk_state
from paimon.application.nav.as_of import NoSnapshotYet
from paimon.application.nav.store import find_newest_snapshot
from paimon.application.vault.queries import list_holders
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.kernel.units import Bps, RawAmount
from paimon.domain.risk.fund_risk_state import FundRiskState
from paimon.domain.risk.gate import Gate, GateResult, run_gate
from paimon.domain.risk.investors import InvestorConcentration, investor_concentration
from paimon.domain.risk.liquidity import default_liquidity_note
from paimon.domain.risk.risk_policy import RiskPolicy
from paimon.domain.risk.stress import Scenario, StressResult, run_stress, smallest_breaking_run, stressed_state
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

HOLDERS_MAX: Final = 1_000
"""The largest holders that are looked at."""


@dataclass(frozen=True, slots=True)
class StressedScenario:
    """A scenario's result, and the smallest run that breaks a promise with all else as in the scenario."""

    result: StressResult
    smallest_run: Bps | None


@dataclass(frozen=True, slots=True)
class StressReport:
    """Scenarios as of one block. `note` says which defaults they rest on."""

    at: BlockStamp
    asset_decimals: int
    scenarios: tuple[StressedScenario, ...]
    note: str | None


@dataclass(frozen=True, slots=True)
class GateReport:
    """What a gate would do as of one block. `note` says which defaults it rests on."""

    at: BlockStamp
    result: GateResult
    note: str | None


@dataclass(frozen=True, slots=True)
class InvestorReport:
    """The concentration of the largest holders as of one block; None in a fund without holders."""

    at: BlockStamp
    concentration: InvestorConcentration | None


async def run_stress_tests(
    session: ReadSession, policy: RiskPolicy, scope: SigningScope, scenarios: Sequence[Scenario]
) -> StressReport:
    """Run scenarios on the newest snapshot.

    Raises:
        NoSnapshotYet.
    """
    state, holdings = await _load(session, scope)
    return StressReport(
        state.fund.at,
        state.fund.asset_decimals,
        tuple(
            StressedScenario(
                run_stress(state, policy, scenario, holdings), smallest_breaking_run(state, policy, scenario, holdings)
            )
            for scenario in scenarios
        ),
        default_liquidity_note(state),
    )


async def try_gate(session: ReadSession, policy: RiskPolicy, scope: SigningScope, gate: Gate, scenario: Scenario) -> GateReport:
    """Show what a gate would do to the open requests and those of a scenario, from the newest snapshot on.

    Raises:
        NoSnapshotYet.
    """
    state, holdings = await _load(session, scope)
    result = run_gate(stressed_state(state, scenario, holdings), policy, gate)
    return GateReport(state.fund.at, result, default_liquidity_note(state))


async def read_investor_concentration(session: ReadSession, policy: RiskPolicy, scope: SigningScope) -> InvestorReport:
    """Return the concentration of the holders at the newest snapshot.

    Raises:
        NoSnapshotYet.
    """
    state, holdings = await _load(session, scope)
    return InvestorReport(state.fund.at, investor_concentration(state, policy, holdings))


async def _load(session: ReadSession, scope: SigningScope) -> tuple[FundRiskState, list[RawAmount]]:
    """Return the state of the newest snapshot and the values of its holders' redeemable shares, largest first."""
    snapshot = await find_newest_snapshot(session)
    if snapshot is None:
        raise NoSnapshotYet
    state = await load_risk_state(session, snapshot, scope, now=await database_now(session), system_health=None)
    register = await list_holders(session, PageRequest(1, HOLDERS_MAX), block=None, holder=None)
    nav = snapshot.nav_per_share
    values = [RawAmount(holder.redeemable_shares * nav // 10**18) for holder in register.page.items]
    return state, sorted((value for value in values if value > 0), reverse=True)
