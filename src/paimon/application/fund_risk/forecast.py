"""Forecast the fund's liquidity each hour, from the newest snapshot and the flows of the days that are recorded as a whole.

    snapshot · open requests · daily flows ──► a forecast for each horizon ──► the last forecasts, the risk event of a shortage
                                                                               └─► the next assessment's stressed coverage

The seed is the block's hash, so the same block gives the same forecast. Forecasts at the same block, or at an earlier one,
change nothing, so that two workers and repeated messages do no harm.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import structlog

from paimon.application.common.recorded_block import lock_recorded_block
from paimon.application.fund_risk.queries import (
    DailyFlow,
    list_daily_flows,
    list_request_amounts,
    load_risk_state,
    recorded_since,
)
from paimon.application.fund_risk.store import ForecastReport, find_forecast, save_forecast
from paimon.application.nav.store import find_newest_snapshot
from paimon.application.risk_control.record_findings import record_check_results
from paimon.application.risk_control.store import lock_findings, lock_unresolved
from paimon.application.vault.queries import list_holders
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.kernel.units import WAD
from paimon.domain.risk.flow_model import FlowHistory
from paimon.domain.risk.forecast import forecast_liquidity
from paimon.domain.risk.fund_risk_state import FundRiskState
from paimon.domain.risk.liquidity_forecast import Horizon, LiquidityForecast, shortage_findings
from paimon.domain.risk.risk_event import RiskKind
from paimon.domain.risk.risk_policy import RiskPolicy
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.errors import NotFound
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import Database, ReadSession

log = structlog.get_logger(__name__)

HISTORY_DAYS_MAX: Final = 730
_DAY: Final = timedelta(days=1)
_SHORTAGE: Final = RiskKind.LIQUIDITY_SHORTAGE
_NO_FLOW: Final = DailyFlow(datetime.min.replace(tzinfo=UTC), 0, 0, 0)


class NotForecast(NotFound):
    """The fund's liquidity was not forecast yet: the worker forecasts it each hour, after the first snapshot."""


async def make_forecasts(database: Database, policy: RiskPolicy, scope: SigningScope) -> list[ForecastReport]:
    """Forecast every horizon from the newest snapshot; none when there is nothing new to forecast from."""
    async with database.read() as session:
        snapshot = await find_newest_snapshot(session)
        known = await find_forecast(session, Horizon.THIRTY_DAYS)
        if snapshot is None or (known is not None and known.at.number >= snapshot.at.number):
            return []
        state = await load_risk_state(session, snapshot, scope, now=await database_now(session), system_health=None)
        history = await _load_history(session, snapshot)
    forecasts = await asyncio.to_thread(_forecast_all, state, policy, history)  # about a second without any await
    return await _save(database, forecasts, state, policy)


def _forecast_all(state: FundRiskState, policy: RiskPolicy, history: FlowHistory) -> list[LiquidityForecast]:
    seed = int.from_bytes(state.fund.at.hash[:8])
    return [forecast_liquidity(state, policy, history, horizon, seed=seed) for horizon in Horizon]


async def _save(
    database: Database, forecasts: list[LiquidityForecast], state: FundRiskState, policy: RiskPolicy
) -> list[ForecastReport]:
    """Store the forecasts with their risk event, while the snapshot's block is recorded."""
    async with database.write() as session:
        at = state.fund.at
        if not await lock_recorded_block(session, at):
            return []
        now = await database_now(session)
        reports = [ForecastReport(at, now, policy.version, forecast) for forecast in forecasts]
        for report in reports:
            await save_forecast(session, report)
        longest = forecasts[-1]
        await lock_findings(session)
        open_events = await lock_unresolved(session, _SHORTAGE)
        raised = next((event.finding.severity for event in open_events.values()), None)
        await record_check_results(session, _SHORTAGE, shortage_findings(longest, raised), block=at.number)
    log.info(
        "liquidity.forecast",
        block=at.number,
        history_days=longest.history_days,
        shortfall_chance=longest.shortfall_chance,
        recommendation=longest.recommendation,
    )
    return reports


async def read_forecast(session: ReadSession, horizon: Horizon) -> ForecastReport:
    """Return the last forecast of a horizon.

    Raises:
        NotForecast.
    """
    if (report := await find_forecast(session, horizon)) is None:
        raise NotForecast
    return report


async def _load_history(session: ReadSession, snapshot: FundSnapshot) -> FlowHistory:
    """Load whole UTC days: from the day after the first recorded block's to the day before the snapshot's."""
    until = snapshot.at.timestamp.replace(hour=0, minute=0, second=0, microsecond=0)
    began = await recorded_since(session) or until
    first = max(began.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY, until - HISTORY_DAYS_MAX * _DAY)
    days = max((until - first) // _DAY, 0)
    unit = float(10**snapshot.asset_decimals)
    flows = {(flow.day - first) // _DAY: flow for flow in await list_daily_flows(session, since=first, until=until)}
    ordered = [flows.get(day, _NO_FLOW) for day in range(days)]
    amounts = await list_request_amounts(session, since=first, until=until)
    return FlowHistory(
        deposits=np.array([flow.deposited / unit for flow in ordered]),
        requests=np.array([flow.requested / unit for flow in ordered]),
        largest=np.array([flow.largest_request / unit for flow in ordered]),
        amounts=np.array([amount / unit for _, amount in amounts]),
        amount_days=np.array([(at - first) // _DAY for at, _ in amounts], dtype=np.int64),
        first_weekday=first.weekday(),
        net_assets=snapshot.net_assets / unit,
        largest_balance=await _largest_balance(session, snapshot) / unit,
    )


async def _largest_balance(session: ReadSession, snapshot: FundSnapshot) -> int:
    """Return what the shares of the largest holder are worth, less those that are locked for a request."""
    register = await list_holders(session, PageRequest(1, 1), block=None, holder=None)
    return max((holder.redeemable_shares for holder in register.page.items), default=0) * snapshot.nav_per_share // WAD
