"""The statement of one holder over a month: opening + flows + result - fees = closing, with every movement and its block.

    value of a holding   shares in the wallet at NAV, rounded down, and the fixed amount of each open request
    flows                deposits, shares received and sent, payouts
    result               what is left of the change: the rise of NAV, and prices that a deposit or request got apart from NAV

Shares, locked shares and open requests tie movement by movement, each from its own events. Amounts are in raw units of the
vault's asset.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.units import RawAmount
from paimon.domain.report.document import (
    Check,
    Column,
    DraftReason,
    Figure,
    Report,
    Section,
    Source,
    SourceKind,
    Table,
    Unit,
)
from paimon.domain.report.draft_notes import bound_notes, broken_checks
from paimon.domain.report.inputs import BoundingSnapshot
from paimon.domain.report.money_weighted import CashFlow, money_weighted_return
from paimon.domain.report.period import ReportPeriod
from paimon.domain.report.returns import net_return
from paimon.domain.report.sections.common import recorded_at
from paimon.domain.vault.holder_register import RegisteredHolder


class MovementKind(StrEnum):
    """What moved a holder's shares or claims."""

    DEPOSIT = "deposit"
    RECEIVED = "received"  # shares, from another wallet
    SENT = "sent"  # shares, to another wallet
    REQUESTED = "requested"  # shares are locked, their amount is fixed
    RETURNED = "returned"  # a cancelled or rejected request gives its shares back
    PAID_OUT = "paid_out"  # a settled request


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement. `shares` and `amount` are never negative; `amount` of a payout is net of `fee`.

    The amount of shares that were received or sent is their value at the last official NAV before.
    """

    kind: MovementKind
    at: datetime
    block: int
    shares: RawAmount
    amount: RawAmount
    fee: RawAmount = RawAmount(0)
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class StatementInputs:
    """All inputs of a statement; a holding is None where the holder had neither shares nor requests."""

    period: ReportPeriod
    read_at: datetime
    recorded_until: datetime | None
    asset_decimals: int
    holder: Address
    opening: BoundingSnapshot | None = None
    closing: BoundingSnapshot | None = None
    from_first_snapshot: bool = False
    opening_holding: RegisteredHolder | None = None
    closing_holding: RegisteredHolder | None = None
    movements: tuple[Movement, ...] = ()


_COLUMNS: Final = (
    Column("at", Unit.TIME),
    Column("movement", Unit.NAME),
    Column("shares", Unit.SHARES),
    Column("amount", Unit.MONEY),
    Column("fee", Unit.MONEY),
    Column("requestId", Unit.COUNT),
    Column("block", Unit.BLOCK),
)


def holder_statement(inputs: StatementInputs) -> Report:
    """Return the statement of the inputs' holder and period."""
    checks = tuple(_checks(inputs))
    notes = bound_notes(inputs.period, inputs.read_at, inputs.recorded_until, inputs.opening, inputs.closing)
    return Report(
        period=inputs.period,
        asset_decimals=inputs.asset_decimals,
        opening=inputs.opening.at if inputs.opening else None,
        closing=inputs.closing.at if inputs.closing else None,
        from_first_snapshot=inputs.from_first_snapshot,
        draft_notes=(*notes, *broken_checks(checks)),
        sections=(_value(inputs), _holding(inputs), _movements(inputs)),
        checks=checks,
        holder=inputs.holder,
    )


def _total(inputs: StatementInputs, kinds: Iterable[MovementKind], field: Callable[[Movement], int]) -> int:
    return sum(field(movement) for movement in inputs.movements if movement.kind in kinds)


def _amount(inputs: StatementInputs, *kinds: MovementKind) -> int:
    return _total(inputs, kinds, lambda movement: movement.amount)


def _shares(inputs: StatementInputs, *kinds: MovementKind) -> int:
    return _total(inputs, kinds, lambda movement: movement.shares)


def _fees(inputs: StatementInputs) -> int:
    return _total(inputs, MovementKind, lambda movement: movement.fee)


def _checks(inputs: StatementInputs) -> Iterator[Check]:
    """Yield what must tie: each balance at the closing block, and that at the opening one with its movements."""
    if inputs.opening is None or inputs.closing is None:
        return
    before, after = inputs.opening_holding, inputs.closing_holding
    kind = MovementKind
    gained = _shares(inputs, kind.DEPOSIT, kind.RECEIVED, kind.RETURNED) - _shares(inputs, kind.SENT, kind.REQUESTED)
    locked = _shares(inputs, kind.REQUESTED) - _shares(inputs, kind.RETURNED, kind.PAID_OUT)
    claimed = _amount(inputs, kind.REQUESTED) - _amount(inputs, kind.RETURNED, kind.PAID_OUT) - _fees(inputs)
    yield Check("shares", Unit.SHARES, (before.shares if before else 0) + gained, after.shares if after else 0)
    yield Check(
        "lockedShares", Unit.SHARES, (before.locked_shares if before else 0) + locked, after.locked_shares if after else 0
    )
    yield Check("claims", Unit.MONEY, (before.claim if before else 0) + claimed, after.claim if after else 0)


def _worth(holding: RegisteredHolder | None, bound: BoundingSnapshot) -> int:
    return 0 if holding is None else holding.value_at(bound.snapshot.nav_per_share) + holding.claim


def _value(inputs: StatementInputs) -> Section:
    opening, closing = inputs.opening, inputs.closing
    if opening is None or closing is None:
        return Section("value", omitted=DraftReason.NO_SNAPSHOT)
    before, after = _worth(inputs.opening_holding, opening), _worth(inputs.closing_holding, closing)
    kind = MovementKind
    deposits, received = _amount(inputs, kind.DEPOSIT), _amount(inputs, kind.RECEIVED)
    sent, paid_out, fees = _amount(inputs, kind.SENT), _amount(inputs, kind.PAID_OUT), _fees(inputs)
    result = after - before - deposits - received + sent + paid_out + fees
    starts, ends = recorded_at(SourceKind.OPENING_SNAPSHOT, opening), recorded_at(SourceKind.CLOSING_SNAPSHOT, closing)
    moved = Source(SourceKind.HOLDER_EVENTS, closing.at.number, opening.at.number)
    both = Source(SourceKind.BOTH_SNAPSHOTS, closing.at.number, opening.at.number)
    share_return = net_return(opening.snapshot.nav_per_share, closing.snapshot.nav_per_share)
    flows = [CashFlow(opening.at.timestamp, -before), CashFlow(closing.at.timestamp, after)]
    flows += [
        CashFlow(movement.at, movement.amount if movement.kind in (kind.SENT, kind.PAID_OUT) else -movement.amount)
        for movement in inputs.movements
        if movement.kind not in (kind.REQUESTED, kind.RETURNED)
    ]
    return Section(
        "value",
        figures=(
            Figure("opening", before, Unit.MONEY, starts),
            Figure("deposits", deposits, Unit.MONEY, moved),
            Figure("received", received, Unit.MONEY, moved),
            Figure("sent", sent, Unit.MONEY, moved),
            Figure("paidOut", paid_out, Unit.MONEY, moved),
            Figure("fees", fees, Unit.MONEY, moved),
            Figure("result", result, Unit.MONEY, both),
            Figure("closing", after, Unit.MONEY, ends),
            Figure("timeWeightedReturn", share_return, Unit.RETURN, both),
            Figure("moneyWeightedReturn", money_weighted_return(flows), Unit.RETURN, both),
        ),
    )


def _holding(inputs: StatementInputs) -> Section:
    opening, closing = inputs.opening, inputs.closing
    if opening is None or closing is None:
        return Section("holding", omitted=DraftReason.NO_SNAPSHOT)
    figures: list[Figure] = []
    for name, bound, holding, kind in (
        ("opening", opening, inputs.opening_holding, SourceKind.OPENING_SNAPSHOT),
        ("closing", closing, inputs.closing_holding, SourceKind.CLOSING_SNAPSHOT),
    ):
        source = recorded_at(kind, bound)
        figures += [
            Figure(f"{name}.nav", bound.snapshot.nav_per_share, Unit.NAV, source),
            Figure(f"{name}.shares", holding.shares if holding else 0, Unit.SHARES, source),
            Figure(f"{name}.lockedShares", holding.locked_shares if holding else 0, Unit.SHARES, source),
            Figure(f"{name}.claims", holding.claim if holding else 0, Unit.MONEY, source),
        ]
    return Section("holding", figures=tuple(figures))


def _movements(inputs: StatementInputs) -> Section:
    if inputs.opening is None or inputs.closing is None:
        return Section("movements", omitted=DraftReason.NO_SNAPSHOT)
    source = Source(SourceKind.HOLDER_EVENTS, inputs.closing.at.number, inputs.opening.at.number)
    rows = tuple(
        (each.at, each.kind.value, each.shares, each.amount, each.fee, each.request_id, each.block) for each in inputs.movements
    )
    return Section(
        "movements",
        figures=(Figure("count", len(rows), Unit.COUNT, source),),
        tables=(Table("list", _COLUMNS, rows, source),) if rows else (),
    )


def statement_name(holder: Address, period: ReportPeriod) -> str:
    """Return the name of a statement's files, without their ending."""
    return f"paimon-statement-{checksum(holder)}-{period.first_day:%Y-%m}"
