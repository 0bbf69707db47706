"""The dated state that the fund's risk indicators are computed from.

Everything belongs to one final block: the snapshot was read at it, and windows of time end at its timestamp. Amounts are raw
units of the vault's asset.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from paimon.domain.asset.profile import AssetProfile
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import NavPerShare, RawAmount
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.vault.fund_snapshot import FundSnapshot


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A redemption request that is not paid. It has no due date while it awaits its approval."""

    request_id: int
    owner: Address
    channel: RedemptionChannel
    amount: RawAmount
    due_at: datetime | None
    awaits_approval: bool


@dataclass(frozen=True, slots=True)
class WindowFlows:
    """Gross amounts requested and deposited since a time, and the fund's net assets then.

    `opening_net_assets` is None where no snapshot of a fund with assets is recorded.
    """

    requested: RawAmount
    deposited: RawAmount
    opening_net_assets: RawAmount | None


@dataclass(frozen=True, slots=True)
class SendingRecord:
    """Transactions of the last 24 hours: those that ended on chain, those that left their effect undone, and the last ones."""

    final_sends: int
    final_failures: int
    failed_in_a_row: int


@dataclass(frozen=True, slots=True)
class PriceState:
    """The price of one asset: publications that it misses, and how far the contracts' price is from that of other sources.

    `deviation` is None without a source beside the fund's own adapter.
    """

    missed: int
    deviation: Decimal | None


@dataclass(frozen=True, slots=True)
class OutflowEstimate:
    """The requests of 7 days that a forecast expects, and the amount that they exceed in one case of a hundred."""

    forecast_at: datetime
    expected: RawAmount
    stressed: RawAmount
    is_calibrated: bool


@dataclass(frozen=True, slots=True)
class FundRiskState:
    """The state of the fund at one block, with what happened before it.

    `hourly_nav` is the last official NAV point of each hour of the last 24 hours. `system_health` is 0 when every check of the
    system passed, 1 when one is degraded, 2 when one is down, and None when the checks were not made. `outflow` is that of the
    last forecast, which may be of an earlier block.
    """

    fund: FundSnapshot
    open_requests: tuple[OpenRequest, ...]
    utc_day: WindowFlows
    last_24_hours: WindowFlows
    requested_7_days: RawAmount
    requested_7_days_before: RawAmount
    recorded_since: datetime
    hourly_nav: tuple[NavPerShare, ...]
    sending: SendingRecord
    system_health: int | None = None
    outflow: OutflowEstimate | None = None
    profiles: Mapping[Address, AssetProfile] = field(default_factory=dict)
    prices: Mapping[Address, PriceState] = field(default_factory=dict)
