"""The inputs of a report: dated values that were read at named blocks, and nothing else.

What happened on chain is counted by block: after the opening snapshot's block, up to the closing one's. So it explains the
change between the two snapshots exactly, and adjacent periods share no event and lose none. What the system did by its own
clock (votes, sends) is counted by the period's times.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from paimon.domain.chain.range_proof import ProofLevel
from paimon.domain.kernel.chain import Address, BlockStamp
from paimon.domain.kernel.units import NavPerShare, RawAmount
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.report.period import ReportPeriod
from paimon.domain.risk.nav_publication import NavStatus
from paimon.domain.risk.risk_event import RiskKind
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.domain.vault.nav_components import NavAttribution


@dataclass(frozen=True, slots=True)
class BoundingSnapshot:
    """A snapshot at an end of the period, and what was decided of its NAV; None while nothing was."""

    snapshot: FundSnapshot
    nav_status: NavStatus | None
    withheld_reason: str | None = None

    @property
    def at(self) -> BlockStamp:
        return self.snapshot.at


@dataclass(frozen=True, slots=True)
class DepositTotals:
    """The deposits of the period."""

    number: int = 0
    assets: RawAmount = RawAmount(0)
    shares: RawAmount = RawAmount(0)


@dataclass(frozen=True, slots=True)
class RedemptionTotals:
    """The redemption events of one channel. Returned requests were cancelled or rejected."""

    requested: int = 0
    requested_amount: RawAmount = RawAmount(0)
    returned: int = 0
    returned_amount: RawAmount = RawAmount(0)
    settled: int = 0
    settled_gross: RawAmount = RawAmount(0)
    settled_fee: RawAmount = RawAmount(0)
    settled_net: RawAmount = RawAmount(0)


@dataclass(frozen=True, slots=True)
class OpenPromise:
    """A request that was open at the closing block. `due_at` is None while it awaits approval or a window's date."""

    request_id: int
    owner: Address
    channel: RedemptionChannel
    gross_amount: RawAmount
    due_at: datetime | None
    awaits_approval: bool


@dataclass(frozen=True, slots=True)
class TradeTotals:
    """Purchases and sales with an effect, in the vault's asset."""

    purchases: int = 0
    purchased: RawAmount = RawAmount(0)
    sales: int = 0
    sold: RawAmount = RawAmount(0)


@dataclass(frozen=True, slots=True)
class RiskReading:
    """The last assessment at or before the closing block's time; levels run from 1 to 4."""

    block_number: int
    level: int
    score: Decimal
    highest_level: int


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A risk event as it stood at the closing block: without its resolution if that came later."""

    event_id: int
    kind: RiskKind
    subject: str
    first_seen_block: int
    resolved_block: int | None
    is_open: bool
    is_new: bool


@dataclass(frozen=True, slots=True)
class TicketTotals:
    """Tickets by what happened to them in the period; those waiting and overdue are of its end."""

    opened: int = 0
    decided_on_time: int = 0
    decided_late: int = 0
    decided_externally: int = 0
    cancelled: int = 0
    waiting: int = 0
    overdue: int = 0


@dataclass(frozen=True, slots=True)
class SendingTotals:
    """Intents that ended in the period, and the gas of their mined attempts."""

    final: int = 0
    failed: int = 0
    abandoned: int = 0
    gas_used: int = 0


@dataclass(frozen=True, slots=True)
class DataQuality:
    """How well the period's data is proven."""

    blocks: int = 0
    proven: Mapping[ProofLevel, int] | None = None
    reconciliations: int = 0
    with_discrepancies: int = 0
    withheld_points: int = 0
    untrusted: tuple[tuple[Address, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NavReading:
    """One official NAV point."""

    at: datetime
    nav_per_share: NavPerShare


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """All inputs of a report of one period, as they were read at `read_at`."""

    period: ReportPeriod
    read_at: datetime
    recorded_until: datetime | None
    asset_decimals: int
    opening: BoundingSnapshot | None = None
    closing: BoundingSnapshot | None = None
    from_first_snapshot: bool = False
    """The fund's first snapshot is in the period, and stands for its opening."""
    attribution: NavAttribution | None = None
    nav_history: tuple[NavReading, ...] = ()
    deposits: DepositTotals = DepositTotals()
    redemptions: Mapping[RedemptionChannel, RedemptionTotals] | None = None
    promises: tuple[OpenPromise, ...] = ()
    trades: TradeTotals = TradeTotals()
    risk: RiskReading | None = None
    events: tuple[EventRecord, ...] = ()
    tickets: TicketTotals = TicketTotals()
    sending: SendingTotals = SendingTotals()
    plans: int = 0
    quality: DataQuality = DataQuality()
