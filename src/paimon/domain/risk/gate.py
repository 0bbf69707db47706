"""What a gate would do: at most a part of the fund is paid in each window, to all who are due, in proportion to what they ask.

    requests due in a window, and the rest of earlier ones  ──►  min(part of the fund, cash by then)  ──►  the rest waits

The part is of what the fund holds when the window begins, what it owes included: who redeems stays invested until paid. The
fund's contracts have no gate, since they pay a request whole or not at all: this says what one would change.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import Bps, RawAmount, Rounding, portion
from paimon.domain.risk.fund_risk_state import FundRiskState, OpenRequest
from paimon.domain.risk.liquidity import realisable
from paimon.domain.risk.promises import due_date
from paimon.domain.risk.risk_policy import RiskPolicy

GATE_DAYS_MAX: Final = 365
"""The days that are looked at; what is unpaid by then stays unpaid."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The part of the fund that may be paid in one window, and its length in days, 1 or more."""

    limit: Bps
    window_days: int


@dataclass(frozen=True, slots=True)
class GateWindow:
    """One window from its first day to before its end day, counted from the block: what it may pay, can pay and pays."""

    first_day: int
    end_day: int
    allowed: RawAmount
    cash: RawAmount
    asked: RawAmount
    paid: RawAmount

    @property
    def waiting(self) -> RawAmount:
        return RawAmount(self.asked - self.paid)


@dataclass(frozen=True, slots=True)
class GatedInvestor:
    """What the gate means for one owner; `paid_by_day` is the end of the window that pays the last of it, None if none does."""

    owner: Address
    asked: RawAmount
    paid_in_first_window: RawAmount
    paid_by_day: int | None


@dataclass(frozen=True, slots=True)
class GateResult:
    """The windows in which something is asked, and the owners, largest first."""

    windows: tuple[GateWindow, ...]
    investors: tuple[GatedInvestor, ...]

    @property
    def days_to_clear(self) -> int | None:
        """Return the end day of the last window; None where a part is never paid."""
        paid_by = [investor.paid_by_day for investor in self.investors]
        return None if None in paid_by else max((day for day in paid_by if day is not None), default=0)


def run_gate(state: FundRiskState, policy: RiskPolicy, gate: Gate) -> GateResult:
    """Pay the open requests of a state through a gate. Requests that await approval count from their earliest date."""
    due_days = _due_days(state)
    waiting: dict[int, int] = {}
    windows: list[GateWindow] = []
    payments: list[Mapping[int, int]] = []
    paid_before = 0
    for first_day in range(0, GATE_DAYS_MAX, gate.window_days):
        end_day = first_day + gate.window_days
        waiting |= {
            request.request_id: request.amount
            for request, day in due_days
            if (first_day <= day < end_day) or (first_day == 0 and day < 0)
        }
        left = RawAmount(max(state.fund.vault.gross_assets - paid_before, 0))
        allowed = portion(left, gate.limit, rounding=Rounding.DOWN)
        cash = RawAmount(max(realisable(state, policy, days=end_day - 1) - paid_before, 0))
        asked = sum(waiting.values())
        paid = pro_rata(waiting, min(allowed, cash, asked))
        if asked:
            windows.append(GateWindow(first_day, end_day, allowed, cash, RawAmount(asked), RawAmount(sum(paid.values()))))
            payments.append(paid)
        paid_before += sum(paid.values())
        waiting = {request_id: amount - paid[request_id] for request_id, amount in waiting.items() if amount > paid[request_id]}
    return GateResult(tuple(windows), _investors(state.open_requests, windows, payments))


def pro_rata(asked: Mapping[int, int], amount: int) -> dict[int, int]:
    """Split an amount, at most the sum, in proportion; units that do not divide go to the lowest ids."""
    whole = sum(asked.values())
    if whole == 0:
        return dict.fromkeys(asked, 0)
    paid = {request_id: part * amount // whole for request_id, part in asked.items()}
    left = amount - sum(paid.values())
    for request_id in sorted(asked):
        more = min(left, asked[request_id] - paid[request_id], 1)
        paid[request_id] += more
        left -= more
    return paid


def _due_days(state: FundRiskState) -> list[tuple[OpenRequest, int]]:
    now = state.fund.at.timestamp
    return [(request, (due_date(request, now) - now) // timedelta(days=1)) for request in state.open_requests]


def _investors(
    requests: Sequence[OpenRequest], windows: Sequence[GateWindow], payments: Sequence[Mapping[int, int]]
) -> tuple[GatedInvestor, ...]:
    by_owner: defaultdict[Address, list[OpenRequest]] = defaultdict(list)
    for request in requests:
        by_owner[request.owner].append(request)
    found = [_investor(owner, own, windows, payments) for owner, own in by_owner.items()]
    return tuple(sorted(found, key=lambda investor: (-investor.asked, investor.owner)))


def _investor(
    owner: Address, own: Sequence[OpenRequest], windows: Sequence[GateWindow], payments: Sequence[Mapping[int, int]]
) -> GatedInvestor:
    asked = sum(request.amount for request in own)
    by_window = [sum(paid.get(request.request_id, 0) for request in own) for paid in payments]
    paid, paid_by_day = 0, None if asked else 0
    first = next((amount for amount, made in zip(by_window, payments, strict=True) if _is_in(own, made)), 0)
    for window, amount in zip(windows, by_window, strict=True):
        paid += amount
        if amount and paid == asked:
            paid_by_day = window.end_day
    return GatedInvestor(owner, RawAmount(asked), RawAmount(first), paid_by_day)


def _is_in(own: Sequence[OpenRequest], paid: Mapping[int, int]) -> bool:
    return any(request.request_id in paid for request in own)
