"""Find redemptions that were split, and record them as risk events. The rules are `domain/risk/split_redemptions.py`."""

from datetime import timedelta
from typing import Final

from paimon.application.common.chain_position import chain_position
from paimon.application.nav.store import find_newest_snapshot
from paimon.application.redemptions.store import list_requests_since, list_share_sources
from paimon.application.risk_control.record_findings import record_dated_facts
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import Bps, RawAmount, Rounding, portion
from paimon.domain.risk.risk_event import RiskEvent, RiskKind
from paimon.domain.risk.split_redemptions import SplitLimits, split_findings
from paimon.domain.vault.fund_snapshot import DEFAULT_ASSET_DECIMALS, FundSnapshot
from paimon.infrastructure.database.sessions import WriteSession
from paimon.settings import RedemptionSettings

_WINDOWS_BACK: Final = 2
"""A window that began before the last one is found too, when the worker was away for that long."""


async def check_splits(session: WriteSession, options: RedemptionSettings) -> list[RiskEvent]:
    """Compare the latest requests with the limits; return the events that this call opened or changed."""
    position = await chain_position(session)
    if position is None:
        return []
    limits = split_limits(options, await find_newest_snapshot(session))
    since = position.timestamp - limits.window * _WINDOWS_BACK
    requests = await list_requests_since(session, since)
    sources = await list_share_sources(session, since) if requests else {}
    found = split_findings(requests, sources, limits)
    changed: list[RiskEvent] = []
    for kind in (RiskKind.SPLIT_REDEMPTIONS, RiskKind.DUST_REDEMPTIONS):
        changed += await record_dated_facts(session, kind, [each for each in found if each.finding.kind is kind])
    return changed


def split_limits(options: RedemptionSettings, snapshot: FundSnapshot | None) -> SplitLimits:
    """Return the limits for the fund's size in this snapshot, as the contract draws them; without one, the fixed amounts."""
    decimals = snapshot.asset_decimals if snapshot else DEFAULT_ASSET_DECIMALS

    def raw(whole: int) -> RawAmount:
        return RawAmount(whole * 10**decimals)

    standard, emergency = raw(options.standard_approval), raw(options.emergency_approval)
    scheduled: RawAmount | None = None
    if snapshot is not None:
        standard = min(standard, _part(snapshot.vault.available_liquidity, options.standard_approval_bps))
        emergency = min(emergency, _part(snapshot.tier_value(Tier.L1), options.emergency_approval_bps))
        scheduled = _part(snapshot.net_assets, options.scheduled_bps)
    return SplitLimits(
        window=timedelta(hours=options.split_window_hours),
        standard_approval=standard,
        emergency_approval=emergency,
        scheduled=scheduled,
        dust_amount=raw(options.dust_amount),
        dust_requests=options.dust_requests,
        dust_requests_of_all=options.dust_requests_of_all,
        decimals=decimals,
    )


def _part(amount: RawAmount, bps: int) -> RawAmount:
    """Return a part of an amount, at least 1: in an empty fund no request is above a limit of nothing."""
    return max(portion(amount, Bps(bps), rounding=Rounding.UP), RawAmount(1))
