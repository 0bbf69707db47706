"""Figures of the system: what metrics, the health report and the command line show."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.risk.risk_event import Severity
from paimon.domain.transaction.lifecycle import IntentStatus


@dataclass(frozen=True, slots=True)
class LastRecordedBlock:
    """The last recorded block. `recorded_at` is by the database's clock; None for the block before the first recorded one."""

    number: int
    timestamp: datetime
    recorded_at: datetime | None


@dataclass(frozen=True, slots=True)
class LeaseFigures:
    """A lease and its present or last holder."""

    name: str
    owner: str
    epoch: int
    held: bool


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Number of due messages of one priority, and the age of the oldest that may run."""

    priority: OutboxPriority
    depth: int
    age_seconds: float


@dataclass(frozen=True, slots=True)
class WalletFigures:
    """A sending wallet as its driver last read it."""

    name: str
    has_fault: bool
    balance_wei: int | None
    seen_seconds_ago: float | None


@dataclass(frozen=True, slots=True)
class ChannelFigures:
    """Notifications of one channel that are not sent, and how late the oldest of them is."""

    channel: str
    unsent: int
    failed: int
    late_seconds: float


@dataclass(frozen=True, slots=True)
class LastReconciliation:
    """The last reconciliation of the recorded state with the chain."""

    block: int
    discrepancies: int
    seconds_ago: float


@dataclass(frozen=True, slots=True)
class LastSnapshot:
    """The last snapshot of the fund: its block, and the chain time from it to the last recorded block."""

    block: int
    seconds_behind: float


@dataclass(frozen=True, slots=True)
class LastAssessment:
    """The last assessment of the fund's risk; `level` is a number from 1 to 4, `score` from 0 to 100."""

    level: int
    score: float
    seconds_ago: float


@dataclass(frozen=True, slots=True)
class SystemFigures:
    """Figures of the whole system at one time."""

    now: datetime
    recorded: LastRecordedBlock | None
    leases: Mapping[str, LeaseFigures]
    outbox: tuple[QueueDepth, ...]
    dead_lettered: int
    quarantined: int
    skipped: int
    risk: Mapping[Severity, int]
    system_risk: Mapping[Severity, int]
    intents: Mapping[IntentStatus, int]
    wallets: tuple[WalletFigures, ...]
    tickets_overdue: int
    untrusted_prices: int
    channels: tuple[ChannelFigures, ...]
    day_roots_late: int
    """Days that ended more than an hour ago and whose root of the audit trail is not in the object storage."""
    snapshot: LastSnapshot | None
    reconciliation: LastReconciliation | None
    assessment: LastAssessment | None

    @property
    def depth(self) -> int:
        return sum(queue.depth for queue in self.outbox)

    @property
    def age_seconds(self) -> float:
        """Return the age of the oldest message that may run and is not done."""
        return max(queue.age_seconds for queue in self.outbox)
